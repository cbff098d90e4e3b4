import { AppError } from "../errors.ts";
import type { Clock } from "../platform/clock.ts";
import { assertNotExpired, assertOpen, storeNotFound } from "../search/store-state.ts";
import type { Tables } from "../storage/storage.ts";
import type { StoreRow } from "../storage/stores.ts";
import { mayUseStore } from "../http/caller.ts";
import type { Asking } from "./asking.ts";

/** Deleted stores remembered at most, until the next start. */
const REMEMBERED = 10_000;

type Stores = Pick<Tables["stores"], "get" | "wasDeleted">;

export interface AccessDeps {
  stores: Stores;
  clock: Clock;
  /** Other servers delete stores too. */
  isShared: boolean;
}

/**
 * Which stores a caller may see and use. A store of another tenant, one outside the key's list and one that never was
 * cannot be told apart. `from`: the stores of a transaction, for what must still be so when it commits.
 */
export interface StoreAccess {
  /** A store that exists for this caller. Throws 404, or 409 where the dialect tells of stores being deleted. */
  visible(asking: Asking, from?: Stores): Promise<StoreRow>;
  /** A visible store that nobody suspended. Throws 402 otherwise. */
  open(asking: Asking, from?: Stores): Promise<StoreRow>;
  /** An open store that has not expired: what searches and attaches need. Throws 400 for an expired one. */
  usable(asking: Asking, from?: Stores): Promise<StoreRow>;
  /** Remembers that the store was there, for the dialect that tells deleted stores from unknown ones. */
  noteDeleted(tenantId: string, id: string): void;
}

export function storeAccess(deps: AccessDeps): StoreAccess {
  return new Access(deps);
}

class Access implements StoreAccess {
  readonly #deps: AccessDeps;
  readonly #deleted = new Set<string>();

  constructor(deps: AccessDeps) {
    this.#deps = deps;
  }

  async visible({ caller, storeId: id, rules }: Asking, from: Stores = this.#deps.stores): Promise<StoreRow> {
    if (!mayUseStore(caller, id)) throw storeNotFound(id);
    const row = await from.get(caller.tenantId, id);
    const isGone = row === null || row.lifecycle === "deleting";
    if (isGone && rules.deletedIsUnavailable && (row !== null || (await this.#wasDeleted(from, caller.tenantId, id)))) {
      throw new AppError("vector_store_unavailable", `Vector store '${id}' is being deleted.`);
    }
    if (isGone) throw storeNotFound(id);
    return row;
  }

  async open(asking: Asking, from?: Stores): Promise<StoreRow> {
    const row = await this.visible(asking, from);
    assertOpen(row, asking.caller.tenantStatus);
    return row;
  }

  async usable(asking: Asking, from?: Stores): Promise<StoreRow> {
    const row = await this.open(asking, from);
    assertNotExpired(row, this.#deps.clock.nowSeconds());
    return row;
  }

  async #wasDeleted(from: Stores, tenantId: string, id: string): Promise<boolean> {
    if (this.#deleted.has(`${tenantId} ${id}`)) return true;
    return this.#deps.isShared && (await from.wasDeleted(tenantId, id));
  }

  noteDeleted(tenantId: string, id: string): void {
    this.#deleted.add(`${tenantId} ${id}`);
    if (this.#deleted.size <= REMEMBERED) return;
    for (const oldest of this.#deleted) {
      this.#deleted.delete(oldest);
      break;
    }
  }
}
