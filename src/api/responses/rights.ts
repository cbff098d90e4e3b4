import { AppError } from "../../errors.ts";
import type { Caller } from "../../http/caller.ts";

/** A key that is limited to stores sees what it made itself: answers hold passages of other stores. */
export function mayKnow(caller: Caller, keyId: string): boolean {
  return caller.storeIds === null || caller.keyId === keyId;
}

/** Who may only read can take back what it asked for itself. */
export function assertOwn(caller: Caller, { key_id: keyId }: { key_id: string }, what = "Responses"): void {
  if (caller.role !== "read" || caller.keyId === keyId) return;
  throw new AppError("permission_denied", `A key of role 'read' can change only the ${what} that it made itself.`);
}
