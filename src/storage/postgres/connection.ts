import { SQL } from "bun";
import type { Param } from "../sql.ts";
import { awayReason, DatabaseAway, endsConnection } from "./failures.ts";
import { isForeign, type Result, toParam, translate } from "./values.ts";

/** How to reach a server. */
export interface ConnectionOptions {
  /** For the driver, the password in it. */
  readonly driver: SQL.PostgresOrMySQLOptions;
  /** ms */
  readonly timeout: number;
}

/**
 * One connection, of which its holder has the use alone. The driver's pool has one connection here, reserved for good:
 * a reserved one is never replaced behind its holder's back, so that what follows a BEGIN is in that transaction or
 * fails.
 */
export class Connection {
  readonly #pool: SQL;
  readonly #sql: SQL;
  #closedBy: unknown = null;
  #under = 0;
  /** When the oldest statement under way was sent, `performance.now()`. */
  #oldest = 0;
  /** False: what it does may take as long as it takes. */
  isWatched = true;
  /** Told once, when it is lost. */
  onLost: () => void = () => {};

  private constructor(pool: SQL, sql: SQL) {
    this.#pool = pool;
    this.#sql = sql;
  }

  /** @throws what the driver says when there is no connection to be had within the timeout */
  static async open({ driver, timeout }: ConnectionOptions): Promise<Connection> {
    let made: Connection | null = null;
    let lost: unknown = null;
    const pool = new SQL({
      ...driver,
      max: 1,
      bigint: true,
      // Whole seconds, at least one.
      connectionTimeout: Math.max(1, Math.ceil(timeout / 1000)),
      onclose: (error) => {
        lost = error ?? new Error("closed");
        made?.lose(lost);
      },
    });
    try {
      made = new Connection(pool, await pool.reserve());
      if (lost !== null) made.lose(lost);
      return made;
    } catch (error) {
      void pool.close({ timeout: 0 }).catch(() => {});
      throw error;
    }
  }

  get isClosed(): boolean {
    return this.#closedBy !== null;
  }

  get isBusy(): boolean {
    return this.#under > 0;
  }

  /** ms that the oldest statement under way has waited for its answer; 0 without one. */
  age(now: number): number {
    return this.isWatched && this.#under > 0 ? now - this.#oldest : 0;
  }

  /** Of the wait so far as much does not count. ms */
  forgive(ms: number): void {
    this.#oldest = Math.min(performance.now(), this.#oldest + ms);
  }

  /** Sends a statement, after those already sent and without waiting for them. Errors are the driver's. */
  async send(text: string, params: readonly Param[]): Promise<Result> {
    const result = await this.#watched<Result>(() => this.#sql.unsafe(translate(text), params.map(toParam)));
    if (!isForeign(result, params)) return result;
    const error = new Error("This is a bug in Lectern, or in its driver: a tenant was given rows of another one");
    this.lose(error);
    throw error;
  }

  /** Several statements in one message, without parameters; the answer is that of the last. */
  async script(text: string): Promise<Result> {
    const result = await this.#watched<Result | Result[]>(() => this.#sql.unsafe(text).simple());
    return Array.isArray(result[0]) ? ((result as Result[]).at(-1) as Result) : (result as Result);
  }

  /**
   * `COPY … FROM STDIN` of these pieces; how many rows the server took. Where it takes them not, none is there, and the
   * transaction around it has failed.
   */
  async copyIn(text: string, pieces: Iterable<Uint8Array>): Promise<number> {
    return await this.#watched(async () => {
      const query = this.#sql.unsafe<Result>(text);
      const writer = query.writable().getWriter();
      try {
        for (const piece of pieces) await writer.write(piece);
        await writer.close();
      } catch (error) {
        await writer.abort(error).catch(() => {});
        throw error;
      }
      return (await query).count;
    });
  }

  /** `COPY … TO STDOUT`: pieces as they come, which end anywhere. */
  async *copyOut(text: string): AsyncGenerator<Uint8Array> {
    const pieces = this.#sql.unsafe(text).readable();
    try {
      for await (const piece of pieces) yield piece;
    } catch (error) {
      if (endsConnection(error)) this.lose(error);
      throw error;
    }
  }

  /** Nothing more comes over it. What is under way fails. */
  lose(cause: unknown): void {
    if (this.#closedBy !== null) return;
    this.#closedBy = cause;
    this.onLost();
    void this.#pool.close({ timeout: 0 }).catch(() => {});
  }

  async #watched<T>(send: () => PromiseLike<T>): Promise<T> {
    if (this.#closedBy !== null) {
      const reason = awayReason(this.#closedBy) ?? "the connection to the database was closed";
      throw new DatabaseAway(reason, { cause: this.#closedBy });
    }
    if (this.#under++ === 0) this.#oldest = performance.now();
    try {
      return await send();
    } catch (error) {
      if (endsConnection(error)) this.lose(error);
      // It says no more than that it was closed; why is known here.
      const closedBy: unknown = this.#closedBy;
      throw closedBy instanceof DatabaseAway ? closedBy : error;
    } finally {
      // Answers come in the order of the statements, so the next one has been the oldest since now at the latest.
      this.#under--;
      this.#oldest = performance.now();
    }
  }
}
