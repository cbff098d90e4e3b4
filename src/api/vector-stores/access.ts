import { AppError } from "../../errors.ts";
import type { Clock } from "../../platform/clock.ts";
import { assertNotExpired, assertOpen, storeNotFound } from "../../search/store-state.ts";
import type { Storage } from "../../storage/storage.ts";
import type { StoreRow } from "../../storage/stores.ts";
import type { Caller } from "../../http/caller.ts";
import { mayUseStore } from "../../http/caller.ts";
import type { DialectRules } from "../presenters/presenter.ts";

/** Deleted stores remembered at most, until the next start. */
const REMEMBERED = 10_000;

export type StoreAccess = ReturnType<typeof storeAccess>;

/**
 * Which stores a caller may see and use. A store of another tenant, one outside the key's list and one that never was
 * cannot be told apart. `from`: the stores of a transaction, for what must still be so when it commits.
 */
export function storeAccess({ stores, clock }: Pick<Storage, "stores"> & { clock: Clock }) {
  const deleted = new Set<string>();

  /** A store that exists for this caller. Throws 404, or 409 where the dialect tells of stores being deleted. */
  async function visible(caller: Caller, id: string, rules: DialectRules, from = stores): Promise<StoreRow> {
    if (!mayUseStore(caller, id)) throw storeNotFound(id);
    const row = await from.get(caller.tenantId, id);
    const isGone = row === null || row.lifecycle === "deleting";
    if (isGone && rules.deletedIsUnavailable && (row !== null || deleted.has(`${caller.tenantId} ${id}`))) {
      throw new AppError("vector_store_unavailable", `Vector store '${id}' is being deleted.`);
    }
    if (isGone) throw storeNotFound(id);
    return row;
  }

  /** A visible store that nobody suspended. Throws 402 otherwise. */
  async function open(caller: Caller, id: string, rules: DialectRules, from = stores): Promise<StoreRow> {
    const row = await visible(caller, id, rules, from);
    assertOpen(row, caller.tenantStatus);
    return row;
  }

  /** An open store that has not expired: what searches and attaches need. Throws 400 for an expired one. */
  async function usable(caller: Caller, id: string, rules: DialectRules, from = stores): Promise<StoreRow> {
    const row = await open(caller, id, rules, from);
    assertNotExpired(row, clock.nowSeconds());
    return row;
  }

  /** Remembers that the store was there, for the dialect that tells deleted stores from unknown ones. */
  function noteDeleted(tenantId: string, id: string): void {
    deleted.add(`${tenantId} ${id}`);
    if (deleted.size <= REMEMBERED) return;
    for (const oldest of deleted) {
      deleted.delete(oldest);
      break;
    }
  }

  return { visible, open, usable, noteDeleted };
}
