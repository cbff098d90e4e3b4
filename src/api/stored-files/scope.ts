import type { FileScope } from "../../storage/files.ts";
import type { Tables } from "../../storage/storage.ts";
import type { Caller } from "../../http/caller.ts";

/**
 * A key that is restricted to some stores knows of the files in them and of those it uploaded itself; of its tenant's
 * other files it must not read the names, let alone the contents.
 */
export function scopeOf(caller: Pick<Caller, "keyId" | "storeIds">): FileScope | undefined {
  return caller.storeIds === null ? undefined : { keyId: caller.keyId, storeIds: [...caller.storeIds] };
}

/** Whose lists a cursor is a place in: a restricted key's lists are its own, and so are the cursors that it was given. */
export function cursorOwner({ tenantId, keyId, storeIds }: Pick<Caller, "tenantId" | "keyId" | "storeIds">): string {
  return storeIds === null ? tenantId : `${tenantId} ${keyId}`;
}

/** Those of these files of its tenant that the caller may know of. */
export async function usableFiles(
  { files }: Pick<Tables, "files">,
  caller: Caller,
  fileIds: readonly string[],
): Promise<ReadonlySet<string>> {
  const scope = scopeOf(caller);
  return new Set(scope === undefined ? fileIds : await files.inScope(caller.tenantId, fileIds, scope));
}

/** Whether the caller may know of a file of its tenant. */
export async function mayUseFile({ files }: Pick<Tables, "files">, caller: Caller, fileId: string): Promise<boolean> {
  const scope = scopeOf(caller);
  return scope === undefined || (await files.isInScope(caller.tenantId, fileId, scope));
}
