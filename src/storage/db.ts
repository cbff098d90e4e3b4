import { Database } from "bun:sqlite";
import { assert } from "../errors.ts";
import { migrate } from "./migrations/runner.ts";

/**
 * The one connection. SQLite is the only truth; everything else on disk is a cache of it or bytes it points to.
 * Invariants: one process (the data directory's lock), one writer (this connection, on the main thread), so our own
 * threads can never cause SQLITE_BUSY. A transaction's function is synchronous: with bun:sqlite an awaiting one would
 * commit at its first `await`. What must follow a commit (index updates, wake-ups) is registered with `onCommit`.
 */
export interface Db {
  readonly raw: Database;
  /** Runs `fn` in an immediate transaction; nested calls join the outer one. Throws what `fn` throws, after rollback. */
  transaction<T>(fn: () => T): T;
  /**
   * For what is done again after a power cut (the work of jobs), or may be lost in one (the query log): commits inside
   * `fn` do not wait for the disk. They are whole or absent, survive a killed process, and are made durable by the next
   * commit that does wait. Joins an outer transaction.
   */
  relaxed<T>(fn: () => T): T;
  /** Runs `effect` once the current transaction has committed (at once outside one); dropped on rollback. */
  onCommit(effect: () => void): void;
  /** What `fn` deletes is overwritten with zeros, not only given free: for deletions that somebody asked for. */
  erasing<T>(fn: () => T): T;
  /**
   * Brings what was erased out of the journal and into the file, if anything was. Waits for the disk, so not after each
   * deletion but now and then.
   */
  settleErased(): void;
  /** Gives up to `pages` free pages (4 KiB each) back to the file system. */
  reclaim(pages: number): void;
  close(): void;
}

/** Pages (4 KiB) in the log at which a commit copies them into the database: often and little, so that none is long. */
export const CHECKPOINT_PAGES = 1000;

export class NewerSchemaError extends Error {
  override name = "NewerSchemaError";
}

/** Opens (creating it if need be) and migrates `path`. Throws NewerSchemaError for a file of a newer Lectern. */
export function openDb(path: string): Db {
  const raw = new Database(path, { create: true, strict: true });
  raw.run("PRAGMA busy_timeout = 2000");
  // Takes effect in a new file only: lets `reclaim` give space back to the file system in small steps.
  raw.run("PRAGMA auto_vacuum = INCREMENTAL");
  raw.run("PRAGMA journal_mode = WAL");
  // FULL: an acknowledged upload or attach survives a power cut, not only a killed process.
  raw.run("PRAGMA synchronous = FULL");
  raw.run("PRAGMA foreign_keys = ON");
  // KiB. Pages are read from the mapping; only those of the write-ahead log are copied, and more than this gains nothing.
  raw.run("PRAGMA cache_size = -16384");
  raw.run("PRAGMA mmap_size = 1073741824");
  raw.run(`PRAGMA wal_autocheckpoint = ${CHECKPOINT_PAGES}`);
  raw.run("PRAGMA journal_size_limit = 67108864");
  // Zeros where that costs no further write; see `erasing` for the rest.
  raw.run("PRAGMA secure_delete = FAST");
  const migrated = migrate(raw);
  if (!migrated.ok) {
    raw.close();
    throw new NewerSchemaError(`schema version ${migrated.found}, this Lectern knows up to ${migrated.known}`);
  }

  let effects: (() => void)[] | null = null;
  let isRelaxed = false;
  let hasErased = false;
  return {
    raw,
    relaxed<T>(fn: () => T): T {
      if (effects !== null || isRelaxed) return fn();
      isRelaxed = true;
      raw.run("PRAGMA synchronous = NORMAL");
      try {
        return fn();
      } finally {
        isRelaxed = false;
        raw.run("PRAGMA synchronous = FULL");
      }
    },
    transaction<T>(fn: () => T): T {
      if (effects !== null) return fn();
      const pending: (() => void)[] = [];
      effects = pending;
      let result: T;
      try {
        result = raw
          .transaction(() => {
            const value = fn();
            assert(!isThenable(value), "a transaction's function must be synchronous");
            return value;
          })
          .immediate();
      } finally {
        effects = null;
      }
      for (const effect of pending) effect();
      return result;
    },
    onCommit(effect) {
      if (effects === null) effect();
      else effects.push(effect);
    },
    erasing<T>(fn: () => T): T {
      hasErased = true;
      raw.run("PRAGMA secure_delete = ON");
      try {
        return fn();
      } finally {
        raw.run("PRAGMA secure_delete = FAST");
      }
    },
    settleErased() {
      if (!hasErased) return;
      hasErased = false;
      raw.run("PRAGMA wal_checkpoint(TRUNCATE)");
    },
    reclaim(pages) {
      raw.run(`PRAGMA incremental_vacuum(${Math.trunc(pages)})`);
    },
    close() {
      raw.run("PRAGMA optimize");
      raw.run("PRAGMA wal_checkpoint(TRUNCATE)");
      raw.close();
    },
  };
}

function isThenable(value: unknown): boolean {
  return typeof value === "object" && value !== null && "then" in value && typeof value.then === "function";
}
