import { newId } from "../platform/ids.ts";
import type { HeldTable } from "../storage/held.ts";
import type { Tables } from "../storage/storage.ts";

/** Things of which one request at a time has the use, of all requests to all servers of a database. */
export interface Locks {
  /** Null where another request has it. Of two in the same instant one gets it. */
  take(tenantId: string, name: string): Promise<AsyncDisposable | null>;
  /** `tables`: those of the transaction that asks. */
  isTaken(tables: Pick<Tables, "held">, tenantId: string, name: string): Promise<boolean>;
}

/** How long what is held stays so without a word from its holder, and between two words. */
const HELD_MS = 30_000;
const RENEW_EVERY_MS = 10_000;

/** `shared` null: this server has its database alone, and what it holds ends with the process. */
export function createLocks(shared: HeldTable | null): Locks {
  return shared === null ? new OwnLocks() : new SharedLocks(shared);
}

class OwnLocks implements Locks {
  readonly #taken = new Set<string>();

  // Without waiting for anything: of two in the same instant the second finds it taken.
  take(tenantId: string, name: string): Promise<AsyncDisposable | null> {
    const key = `${tenantId} ${name}`;
    if (this.#taken.has(key)) return Promise.resolve(null);
    this.#taken.add(key);
    return Promise.resolve({ [Symbol.asyncDispose]: () => Promise.resolve(void this.#taken.delete(key)) });
  }

  isTaken(_: Pick<Tables, "held">, tenantId: string, name: string): Promise<boolean> {
    return Promise.resolve(this.#taken.has(`${tenantId} ${name}`));
  }
}

class SharedLocks implements Locks {
  readonly #table: HeldTable;

  constructor(table: HeldTable) {
    this.#table = table;
  }

  async take(tenantId: string, name: string): Promise<AsyncDisposable | null> {
    const holder = newId("req_");
    if (!(await this.#table.take(tenantId, name, holder, HELD_MS))) return null;
    const renewal = setInterval(() => {
      void this.#table.take(tenantId, name, holder, HELD_MS).catch(() => {});
    }, RENEW_EVERY_MS);
    renewal.unref();
    return {
      [Symbol.asyncDispose]: async () => {
        clearInterval(renewal);
        // Where it cannot be freed now it frees itself.
        await this.#table.free(tenantId, name, holder).catch(() => {});
      },
    };
  }

  async isTaken({ held }: Pick<Tables, "held">, tenantId: string, name: string): Promise<boolean> {
    return await held.isHeld(tenantId, name);
  }
}
