import { createHash } from "node:crypto";
import { AppError } from "../../errors.ts";
import { hasRole, mayUseStore } from "../caller.ts";
import type { Caller, Role } from "../caller.ts";
import { randomText } from "../../platform/ids.ts";

/** Finds the caller by the SHA-256 of the key; null for unknown, expired or revoked keys. */
export type Authenticate = (sha256: Uint8Array) => Caller | null | Promise<Caller | null>;

export function hashKey(key: string): Uint8Array {
  return createHash("sha256").update(key).digest();
}

/** Keys begin so that people and secret scanners recognise them; 40 characters are 238 random bits. */
const KEY_PREFIX = "sk-lec-";
const KEY_CHARACTERS = 40;

export function newKey(): string {
  return KEY_PREFIX + randomText(KEY_CHARACTERS);
}

/** Enough of a key for its owner to recognise it. */
export function keyHint(key: string): string {
  return key.length < 16 ? "…" : `${key.slice(0, 6)}…${key.slice(-4)}`;
}

/**
 * The caller of a request: `Authorization: Bearer <key>` or Azure's `api-key: <key>`.
 * Keys are looked up by their hash, so that comparing takes the same time for every wrong key.
 * @throws AppError `invalid_api_key`, for none and for a wrong one alike.
 */
export async function authenticateRequest(headers: Headers, authenticate: Authenticate): Promise<Caller> {
  const key = readKey(headers);
  if (key === null) {
    throw new AppError(
      "invalid_api_key",
      "You didn't provide an API key. Send it in an Authorization header using Bearer auth (i.e. Authorization: Bearer YOUR_KEY).",
    );
  }
  const caller = await authenticate(hashKey(key));
  if (caller === null) {
    throw new AppError(
      "invalid_api_key",
      `Incorrect API key provided: ${masked(key)}. An administrator of this server can give you one.`,
    );
  }
  return caller;
}

/**
 * @throws AppError `permission_denied` where the key's role does not suffice,
 * `vector_store_not_found` where the key may not know of the store.
 */
export function authorize(
  caller: Caller,
  needed: Role,
  storeId: string | undefined,
  operatorOnly: boolean | undefined,
): void {
  if (!hasRole(caller, needed)) {
    throw new AppError(
      "permission_denied",
      `This key may not do that: it has the role '${caller.role}', the operation needs '${needed}'.`,
    );
  }
  if (operatorOnly === true && caller.isOperator !== true) {
    throw new AppError("permission_denied", "Only an administrator of the server's first tenant may do that.");
  }
  if (storeId !== undefined && !mayUseStore(caller, storeId)) {
    throw new AppError("vector_store_not_found", `No vector store found with id '${storeId}'`);
  }
}

function readKey(headers: Headers): string | null {
  const bearer = /^Bearer\s+(.+)$/i.exec(headers.get("authorization") ?? "")?.[1];
  return bearer?.trim() || headers.get("api-key")?.trim() || null;
}

/** Enough of a key to recognise one's own mistake, never enough to use it. */
function masked(key: string): string {
  return key.length < 16 ? "***" : `${key.slice(0, 3)}***${key.slice(-4)}`.replace(/[^\x21-\x7e]/g, "?");
}
