/** Who may know of assistants, threads and runs, and change them. */
import { AppError, type ErrorCode } from "../../errors.ts";
import { type Caller, hasRole } from "../../http/caller.ts";
import type { Dialect } from "../../http/dialect.ts";
import { shown } from "../../platform/words.ts";

export interface Asker {
  caller: Caller;
  dialect: Dialect;
}

/** A key that is limited to stores sees what it made itself: threads hold passages of other stores. */
export function mayKnow(caller: Caller, { key_id: keyId }: { key_id: string }): boolean {
  return caller.storeIds === null || caller.keyId === keyId;
}

/** Whose things a caller's lists have; null: everything of the tenant. */
export function listedKey(caller: Caller): string | null {
  return caller.storeIds === null ? null : caller.keyId;
}

/** Who may only read can change, or take back, what it made itself. */
export function assertOwn(caller: Caller, { key_id: keyId }: { key_id: string }): void {
  if (hasRole(caller, "write") || caller.keyId === keyId) return;
  throw new AppError("permission_denied", "A key of role 'read' can change only what it made itself.");
}

/** What makes vector stores, or puts files into them. */
export function assertWrites(caller: Caller): void {
  if (hasRole(caller, "write")) return;
  throw new AppError(
    "permission_denied",
    `This key may not do that: it has the role '${caller.role}', vector stores need 'write'.`,
  );
}

const NOUNS = {
  assistant_not_found: "assistant",
  thread_not_found: "thread",
  message_not_found: "message",
  run_not_found: "run",
  run_step_not_found: "run step",
} as const satisfies Partial<Record<ErrorCode, string>>;

export function notFound(code: keyof typeof NOUNS, id: string): AppError {
  return new AppError(code, `No ${NOUNS[code]} found with id '${shown(id)}'.`);
}
