import type { FileScope } from "../../storage/files.ts";
import type { Storage } from "../../storage/storage.ts";
import type { Caller } from "../../http/caller.ts";

/**
 * A key that is restricted to some stores knows of the files in them and of those it uploaded itself; of its tenant's
 * other files it must not read the names, let alone the contents.
 */
export function scopeOf(caller: Pick<Caller, "keyId" | "storeIds">): FileScope | undefined {
  return caller.storeIds === null ? undefined : { keyId: caller.keyId, storeIds: [...caller.storeIds] };
}

/** Whether the caller may know of a file of its tenant. */
export function mayUseFile({ files }: Pick<Storage, "files">, caller: Caller, fileId: string): boolean {
  const scope = scopeOf(caller);
  return scope === undefined || files.isInScope(caller.tenantId, fileId, scope);
}
