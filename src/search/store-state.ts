/** Whether a store can be searched, and what is said where it cannot. */
import { AppError } from "../errors.ts";
import { isDiskRefusal } from "../platform/disk-trust.ts";
import type { Storage } from "../storage/storage.ts";
import type { StoreRow } from "../storage/stores.ts";

export type TenantStatus = "active" | "suspended";

/** Nobody suspended the store or its tenant. Throws 402 otherwise. */
export function assertOpen(row: StoreRow, tenantStatus: TenantStatus): void {
  if (row.lifecycle !== "suspended" && tenantStatus !== "suspended") return;
  throw new AppError(
    "vector_store_suspended",
    `Vector store '${row.id}' is suspended; ask the administrator of this server.`,
  );
}

/** It has not expired: what searches and attaches need. Throws 400 otherwise. */
export function assertNotExpired(row: StoreRow, nowSeconds: number): void {
  if (isExpired(row, nowSeconds)) throw new AppError("vector_store_expired", `Vector store '${row.id}' has expired`);
}

export function isExpired(row: StoreRow, nowSeconds: number): boolean {
  return row.data_removed_at !== null || (row.expires_at !== null && row.expires_at <= nowSeconds);
}

/** A search moves the store's time of last activity, but a commit waits for the disk: it is written at most this often. */
const TOUCH_SECONDS = 60;

/** Notes that the store was searched, if the disk lets it: a search that was done is answered, and the next one notes it. */
export async function touch(
  stores: Pick<Storage["stores"], "touch">,
  store: StoreRow,
  nowSeconds: number,
): Promise<void> {
  if (nowSeconds - store.last_active_at < TOUCH_SECONDS) return;
  try {
    await stores.touch(store.tenant_id, store.id, nowSeconds);
  } catch (error) {
    if (!isDiskRefusal(error)) throw error;
  }
}

export function storeNotFound(id: string): AppError {
  return new AppError("vector_store_not_found", `No vector store found with id '${id}'`);
}
