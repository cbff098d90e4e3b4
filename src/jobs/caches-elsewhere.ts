import { messageOf } from "../errors.ts";
import { randomText } from "../platform/ids.ts";
import type { Log } from "../platform/log.ts";
import { nextTurn } from "../platform/next-turn.ts";
import type { Asked } from "../storage/asks.ts";
import { cachedHere, dropParsed, type Elsewhere, type OwnCaches } from "../storage/deletion-check.ts";
import type { DeletionRow } from "../storage/deletions.ts";
import type { StoreFileSeq, StoreId } from "../storage/ids.ts";
import type { ParsedCache } from "../storage/parsed.ts";
import type { Storage } from "../storage/storage.ts";
import { Asks, type AsksDeps } from "./asks.ts";

export interface CachesElsewhereDeps extends OwnCaches, AsksDeps {
  storage: AsksDeps["storage"] & Pick<Storage, "deletions" | "files">;
  parsed: ParsedCache;
  log: Log;
  /** A store is gone: nothing of its indexes stays in memory or on this disk. */
  forgetStore(storeId: StoreId): Promise<void>;
  /** A file is gone: what was copied to this machine of it, unless an index in memory has yet to be brought up to date. */
  forgetCopy(storeId: StoreId, storeFile: StoreFileSeq): void;
}

/** An answer is waited for so long: a question of which nobody was told is seen within five seconds, and so is its answer. */
const ANSWER_SECONDS = 12;
const ANSWER_MS = ANSWER_SECONDS * 1000;
const SWEPT_AT_ONCE = 100;

/** What is to be done, and the deletion; the answer is a number of entries. */
const QUESTION = /^(look|end) (.+)$/;

/**
 * What each of several servers has of something deleted in its own memory and on its own disk, where no row tells of it.
 * Whoever checks a deletion asks all that are there, and waits for a bounded time.
 *
 * Who is away cannot be asked. When it is back, as a new process or after it stood still for long enough to have been
 * thought away, it removes from its disk what was deleted meanwhile; its indexes it brings up to date as ever.
 */
export class CachesElsewhere implements AsyncDisposable {
  readonly #deps: CachesElsewhereDeps;
  readonly #asks: Asks;
  #lookedAt = Number.NEGATIVE_INFINITY;

  constructor(deps: CachesElsewhereDeps) {
    this.#deps = deps;
    this.#asks = new Asks(deps, "look");
  }

  start(): void {
    this.#asks.start(
      (asked) => this.#look(asked),
      (error) => {
        this.#deps.log.debug("what other servers ask of caches was not answered", { error: messageOf(error) });
      },
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#asks[Symbol.asyncDispose]();
  }

  /** Asks the others; `isEnding`: they remove what they have first. */
  async ask(row: DeletionRow, isEnding: boolean): Promise<Elsewhere> {
    // Another server may have removed the rows of what this one copied.
    if (isEnding) await this.#forgetCopies(row);
    const { there, away, said } = await this.#asks.ask({
      tenantId: row.tenant_id,
      // Of this question alone.
      subject: randomText(24),
      question: `${isEnding ? "end" : "look"} ${row.id}`,
      answerMs: 2 * ANSWER_MS,
      mostMs: ANSWER_MS,
      isOver: (answers) => [...answers.values()].every((one) => one !== null),
    });
    return {
      entries: [...said.values()].reduce((sum, one) => sum + Number(one ?? 0), 0),
      silent: there.filter(({ id }) => (said.get(id) ?? null) === null).map(({ name }) => name),
      waited: ANSWER_SECONDS,
      away: away.map(({ name }) => name),
    };
  }

  async #look(asked: readonly Asked[]): Promise<void> {
    const { replica, log } = this.#deps;
    const now = performance.now();
    // Half of its term: others do not think that it is away yet.
    const wasAway = now - this.#lookedAt > 3 * replica.everyMs;
    this.#lookedAt = now;
    if (wasAway) await this.#sweep();
    for (const question of asked) {
      if (this.#asks.ended.aborted) return;
      try {
        await this.#answer(question);
      } catch (error) {
        log.warn("what is left of a deletion here was not found out", { error: messageOf(error) });
      }
    }
  }

  /** What no server of this version asks stays without an answer. */
  async #answer(asked: Asked): Promise<void> {
    const [, what, deletion] = QUESTION.exec(asked.question) ?? [];
    const row = deletion === undefined ? null : await this.#deps.storage.deletions.get(deletion);
    if (row === null || row.tenant_id !== asked.tenantId) return;
    if (what === "end") await this.#remove(row);
    await this.#asks.say(asked, String(await cachedHere(this.#deps, row)), ANSWER_MS);
  }

  async #remove(row: DeletionRow): Promise<void> {
    if (row.subject_type === "vector_store") await this.#deps.forgetStore(row.subject_id);
    await this.#forgetCopies(row);
    if (await dropParsed(this.#deps, row)) await this.#deps.storage.deletions.noteCacheEntries(row.seq, 1);
  }

  async #forgetCopies({ seq }: DeletionRow): Promise<void> {
    const files = await this.#deps.storage.deletions.storeFiles(seq);
    for (const { store_id, store_file } of files) this.#deps.forgetCopy(store_id, store_file);
  }

  /** Removes parsed documents of files that are gone. */
  async #sweep(): Promise<void> {
    const { storage, parsed } = this.#deps;
    for (let after = 0; !(await parsed.isEmpty());) {
      const rows = await storage.deletions.withParsed(after, SWEPT_AT_ONCE);
      for (const row of rows) {
        if (this.#asks.ended.aborted) return;
        await dropParsed(this.#deps, row);
      }
      const last = rows.at(-1);
      if (last === undefined) return;
      after = last.seq;
      await nextTurn();
    }
  }
}
