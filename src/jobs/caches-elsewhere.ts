import { messageOf } from "../errors.ts";
import type { Changes } from "../platform/changes.ts";
import { randomText } from "../platform/ids.ts";
import type { Log } from "../platform/log.ts";
import { nextTurn } from "../platform/next-turn.ts";
import { type AskedLook, type CacheLook, lookOf } from "../storage/cache-looks.ts";
import { cachedHere, dropParsed, type Elsewhere, type OwnCaches } from "../storage/deletion-check.ts";
import type { DeletionRow } from "../storage/deletions.ts";
import type { StoreFileSeq, StoreId } from "../storage/ids.ts";
import type { ParsedCache } from "../storage/parsed.ts";
import type { Replica } from "../storage/postgres/replica.ts";
import { isThere } from "../storage/replicas.ts";
import type { Storage } from "../storage/storage.ts";

export interface CachesElsewhereDeps extends OwnCaches {
  storage: Pick<Storage, "deletions" | "files" | "cacheLooks" | "replicas">;
  parsed: ParsedCache;
  changes: Pick<Changes, "notify" | "wait">;
  replica: Pick<Replica, "id" | "everyMs">;
  log: Log;
  /** A store is gone: nothing of its indexes stays in memory or on this disk. */
  forgetStore(storeId: StoreId): Promise<void>;
  /** A file is gone: what was copied to this machine of it, unless an index in memory has yet to be brought up to date. */
  forgetCopy(storeId: StoreId, storeFile: StoreFileSeq): void;
}

/** Told when others are asked something. */
const ASKED = "cache looks";
/** An answer is waited for so long: a question of which nobody was told is seen within five seconds, and so is its answer. */
const ANSWER_SECONDS = 12;
const SWEPT_AT_ONCE = 100;

/**
 * What each of several servers has of something deleted in its own memory and on its own disk, where no row tells of it.
 * Whoever checks a deletion asks all that are there by rows (storage/cache-looks.ts), tells them, and waits for a bounded
 * time; each looks for questions when told, and with every beat.
 *
 * Who is away cannot be asked. When it is back, as a new process or after it stood still for long enough to have been
 * thought away, it removes from its disk what was deleted meanwhile; its indexes it brings up to date as ever.
 */
export class CachesElsewhere implements AsyncDisposable {
  readonly #deps: CachesElsewhereDeps;
  readonly #end = new AbortController();
  #answering: Promise<void> = Promise.resolve();
  #lookedAt = Number.NEGATIVE_INFINITY;

  constructor(deps: CachesElsewhereDeps) {
    this.#deps = deps;
  }

  start(): void {
    this.#answering = this.#answerAsked();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#end.abort();
    await this.#answering;
  }

  /** Asks the others; `isEnding`: they remove what they have first. */
  async ask(row: DeletionRow, isEnding: boolean): Promise<Elsewhere> {
    const { storage, replica, changes } = this.#deps;
    // Another server may have removed the rows of what this one copied.
    if (isEnding) await this.#forgetCopies(row);
    const others = (await storage.replicas.list()).filter(({ id }) => id !== replica.id);
    const [there, away] = [others.filter(isThere), others.filter((other) => !isThere(other))];
    const look: CacheLook = { id: randomText(24), tenantId: row.tenant_id, deletion: row.id, isEnding };
    const ids = there.map(({ id }) => id);
    let answers = new Map<string, number>();
    if (ids.length > 0) {
      await storage.cacheLooks.ask(look, ids, 2 * ANSWER_SECONDS * 1000);
      changes.notify(ASKED);
      answers = await this.#answers(look, ids);
      await storage.cacheLooks.end(look, ids);
    }
    return {
      entries: [...answers.values()].reduce((sum, entries) => sum + entries, 0),
      silent: there.filter(({ id }) => !answers.has(id)).map(({ name }) => name),
      waited: ANSWER_SECONDS,
      away: away.map(({ name }) => name),
    };
  }

  async #answers(look: CacheLook, ids: readonly string[]): Promise<Map<string, number>> {
    const { storage, changes } = this.#deps;
    const until = performance.now() + ANSWER_SECONDS * 1000;
    for (;;) {
      const seen = new AbortController();
      // Before the look: an answer that comes in between is not missed.
      const told = changes.wait(
        answerKey(look.id),
        AbortSignal.any([seen.signal, this.#end.signal]),
        until - performance.now(),
      );
      const answers = await storage.cacheLooks.answers(look, ids);
      const isOver = answers.size === ids.length || performance.now() >= until || this.#end.signal.aborted;
      if (isOver) seen.abort();
      await told;
      if (isOver) return answers;
    }
  }

  async #answerAsked(): Promise<void> {
    const { changes, replica, log } = this.#deps;
    const { signal } = this.#end;
    while (!signal.aborted) {
      const told = changes.wait(ASKED, signal, replica.everyMs);
      try {
        await this.#look();
      } catch (error) {
        log.debug("what other servers ask of caches was not answered", { error: messageOf(error) });
      }
      await told;
    }
  }

  async #look(): Promise<void> {
    const { storage, replica, log } = this.#deps;
    const asked = await storage.cacheLooks.askedOf(replica.id);
    const now = performance.now();
    // Half of its term: others do not think that it is away yet.
    const wasAway = now - this.#lookedAt > 3 * replica.everyMs;
    this.#lookedAt = now;
    if (wasAway) await this.#sweep();
    for (const question of asked) {
      if (this.#end.signal.aborted) return;
      try {
        await this.#answer(question);
      } catch (error) {
        log.warn("what is left of a deletion here was not found out", { error: messageOf(error) });
      }
    }
  }

  async #answer(question: AskedLook): Promise<void> {
    const { storage, changes } = this.#deps;
    const look = lookOf(question);
    const row = look === null ? null : await storage.deletions.get(look.deletion);
    if (look === null || row === null || row.tenant_id !== look.tenantId) return;
    if (look.isEnding) await this.#remove(row);
    await storage.cacheLooks.answer(question, await cachedHere(this.#deps, row));
    changes.notify(answerKey(look.id));
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
        if (this.#end.signal.aborted) return;
        await dropParsed(this.#deps, row);
      }
      const last = rows.at(-1);
      if (last === undefined) return;
      after = last.seq;
      await nextTurn();
    }
  }
}

function answerKey(look: string): string {
  return `cache look ${look}`;
}
