import { hostname } from "node:os";
import { messageOf } from "../../errors.ts";
import { version } from "../../platform/build-info.ts";
import { isThere, replicasTable, type SeenReplica } from "../replicas.ts";
import type { Sql } from "../sql.ts";
import { DatabaseAway } from "./failures.ts";

/**
 * This server among those that have one database. Each is a row that it brings up to date every few seconds; what one has
 * leased is void once it was not seen for its term, by the database's clock, or once another has started in its data
 * directory. Nobody decides over anybody: who was thought dead and is not finds that others went on with its work (leased.ts),
 * and goes on with other work.
 */
export interface ReplicaOptions {
  /** Owner of its leases; of this process run. */
  id: string;
  /** Of its data directory, which one process has at a time. */
  place: string;
  /** ms that it is waited for. */
  termMs?: number | undefined;
  onFailure(message: string): void;
}

/** ms */
const TERM_MS = 30_000;
/** Beats in a term. */
const BEATS = 6;
/** Rows of those who went without saying so are kept for so long, for people. ms */
const KEPT_MS = 86_400_000;

const END_BEFORE = /*sql*/ `DELETE FROM replica WHERE (place = ?1 AND id <> ?2) OR seen_ms < lectern_now_ms() - ${KEPT_MS}`;
/** Of those that are gone nobody asks any more. */
const DROP_MARKS = /*sql*/ `DELETE FROM commit_mark WHERE NOT EXISTS (SELECT 1 FROM replica WHERE id = writer)`;
const BEAT = /*sql*/ `INSERT INTO replica (id, place, name, version, models, started_at, seen_ms, term_ms, clock_ms)
  VALUES (?1, ?2, ?3, ?4, ?5, lectern_now_ms() / 1000, lectern_now_ms(), ?6, ?7)
  ON CONFLICT ON CONSTRAINT replica_pkey DO UPDATE SET models = excluded.models, seen_ms = excluded.seen_ms,
    clock_ms = excluded.clock_ms
  RETURNING seen_ms`;
const LEAVE = /*sql*/ `DELETE FROM replica WHERE id = ?1`;

export class Replica implements AsyncDisposable {
  readonly id: string;
  /** ms between two beats: as often others are looked at, too. */
  readonly everyMs: number;
  /** What this server has; set once it is known. */
  models: () => readonly string[] = () => [];
  readonly #db: Sql;
  readonly #options: ReplicaOptions;
  readonly #termMs: number;
  #clockMs = 0;
  #others: readonly SeenReplica[] = [];
  #timer: Timer | null = null;
  #beating: Promise<void> = Promise.resolve();
  #isOver = false;

  private constructor(db: Sql, options: ReplicaOptions) {
    this.#db = db;
    this.#options = options;
    this.id = options.id;
    this.#termMs = options.termMs ?? TERM_MS;
    this.everyMs = Math.ceil(this.#termMs / BEATS);
  }

  /** `db`: not one whose writes wait for others'. */
  static async join(db: Sql, options: ReplicaOptions): Promise<Replica> {
    const replica = new Replica(db, options);
    await db.run(END_BEFORE, [options.place, options.id]);
    await replica.#beat();
    await db.run(DROP_MARKS);
    replica.#beatLater();
    return replica;
  }

  /** The others that are there, as of the last beat. */
  get others(): readonly SeenReplica[] {
    return this.#others;
  }

  /** Models that another one has and this one has not: work that needs them is left to it. */
  lacking(): string[] {
    const own = new Set(this.models());
    return [...new Set(this.#others.flatMap(({ models }) => models))].filter((model) => !own.has(model));
  }

  /** What it has leased is void at once. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#isOver = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
    await this.#beating;
    // A database that is away is told by the end of the term.
    await this.#db.run(LEAVE, [this.id]).catch(() => {});
  }

  #beatLater(): void {
    if (this.#isOver) return;
    this.#timer = setTimeout(() => {
      this.#beating = this.#beat().catch((error: unknown) => {
        // Said by whoever found it.
        if (!(error instanceof DatabaseAway)) this.#options.onFailure(messageOf(error));
      });
      void this.#beating.then(() => this.#beatLater());
    }, this.everyMs);
    this.#timer.unref();
  }

  async #beat(): Promise<void> {
    const { id, place } = this.#options;
    const name = `${hostname()} (process ${process.pid})`;
    const sent = Date.now();
    const values = [id, place, name, version, JSON.stringify(this.models()), this.#termMs, this.#clockMs];
    const row = await this.#db.get<{ seen_ms: number }>(BEAT, values);
    // Seen from the middle of the question.
    if (row !== null) this.#clockMs = Math.round((sent + Date.now()) / 2 - row.seen_ms);
    const all = await replicasTable(this.#db).list();
    this.#others = all.filter((other) => other.id !== id && isThere(other));
  }
}
