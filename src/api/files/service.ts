import { statfs } from "node:fs/promises";
import { AppError } from "../../errors.ts";
import type { Clock } from "../../platform/clock.ts";
import { newId } from "../../platform/ids.ts";
import type { Blobs, BlobWriter } from "../../storage/blobs.ts";
import type { FileRow } from "../../storage/files.ts";
import type { Page } from "../../storage/page.ts";
import { deleteFile } from "../../storage/removal.ts";
import type { Detached } from "../../storage/removal.ts";
import type { Storage } from "../../storage/storage.ts";
import { mayUseStore } from "../../http/caller.ts";
import type { Caller } from "../../http/caller.ts";
import type { Cursors } from "../../http/cursors.ts";
import type { Cursor } from "../../http/openai.ts";
import { mayUseFile, scopeOf } from "./scope.ts";

/**
 * Uploaded files. Bytes are streamed to disk before their purpose is known (the order of a form's parts is free);
 * a row exists only once the bytes are durable, and bytes without a row are swept away.
 */
export interface FilesDeps {
  storage: Storage;
  blobs: Blobs;
  clock: Clock;
  cursors: Cursors;
  dataDir: string;
  /** Free bytes that an upload must leave. */
  minFreeBytes: number;
  /** Bytes that a tenant, and one of its keys, may have uploaded; null: no limit. */
  byteLimits: (owner: Owner) => { perTenant: number | null; perKey: number | null };
  /** Takes a detached file out of the index in memory, stops its ingest, wakes who waits for it. */
  afterDetach: (detached: Detached) => void;
}

/** Whose a file is: the tenant's, counted for the key that uploads it. */
export interface Owner {
  tenantId: string;
  keyId: string;
}

export interface NewFile {
  owner: Owner;
  /** As it is shown, see `displayName`. */
  filename: string;
  mime: string | null;
  purpose: string;
  expiresAfterSeconds: number | null;
}

export interface CommitOptions {
  verify?: (stored: { bytes: number; md5: string }) => void;
  alongside?: (file: FileRow) => void;
}

export type FilesService = ReturnType<typeof filesService>;

/** Files of this purpose expire by themselves unless told otherwise. */
const BATCH_EXPIRY_SECONDS = 30 * 86_400;

export function filesService(deps: FilesDeps) {
  const { storage, blobs, clock, cursors } = deps;

  const visible = (caller: Caller, id: string): FileRow | null => {
    const row = storage.files.get(caller.tenantId, id);
    return row === null || isExpired(row, clock) || !mayUseFile(storage, caller, id) ? null : row;
  };

  const find = (caller: Caller, id: string): FileRow => {
    const row = visible(caller, id);
    if (row === null) throw new AppError("file_not_found", `No such File object: ${id.slice(0, 100)}`, { param: "id" });
    return row;
  };

  const refuseAbove = (owner: Owner, more: number, pending: number): void => {
    const { perTenant, perKey } = deps.byteLimits(owner);
    const refuse = (whose: string, most: number) =>
      new AppError("storage_limit_reached", `${whose} may store ${most} bytes at most; delete files first.`);
    const used = (id: string) => storage.files.usage(id).bytes + more;
    if (perTenant !== null && used(owner.tenantId) + pending > perTenant) throw refuse("This organisation", perTenant);
    if (perKey !== null && used(owner.keyId) > perKey) throw refuse("This key", perKey);
  };

  return {
    find,

    /**
     * Refuses bytes that are about to come, if they would not fit beside what is stored and what waits in uploads.
     * @throws AppError `storage_limit_reached`
     */
    refuseAboveQuota(owner: Owner, moreBytes: number): void {
      refuseAbove(owner, moreBytes, storage.uploads.pendingBytes(owner.tenantId));
    },

    /**
     * Begins to store bytes, if there is room for `expectedBytes` more.
     * @throws AppError `insufficient_storage`
     */
    async begin(expectedBytes: number): Promise<BlobWriter> {
      const { bavail, bsize } = await statfs(deps.dataDir);
      if (bavail * bsize - expectedBytes < deps.minFreeBytes) throw diskFull();
      return await storing(blobs.writer());
    },

    write: (writer: BlobWriter, chunk: Uint8Array): Promise<void> => storing(writer.write(chunk)),

    /**
     * Makes the written bytes a file: bytes first, then the row. `verify` may refuse the bytes by throwing, `alongside`
     * the whole; it runs in the row's transaction. Nothing is left after either.
     */
    async commit(writer: BlobWriter, file: NewFile, options: CommitOptions = {}): Promise<FileRow> {
      const id = newId("file-");
      const stored = await storing(writer.commit(id));
      try {
        options.verify?.(stored);
        const createdAt = clock.nowSeconds();
        const seconds = file.expiresAfterSeconds ?? (file.purpose === "batch" ? BATCH_EXPIRY_SECONDS : null);
        return storage.db.transaction(() => {
          refuseAbove(file.owner, stored.bytes, 0);
          const row = storage.files.insert({
            id,
            tenant_id: file.owner.tenantId,
            key_id: file.owner.keyId,
            filename: file.filename,
            bytes: stored.bytes,
            purpose: file.purpose,
            mime: file.mime,
            sha256: stored.sha256,
            created_at: createdAt,
            expires_at: seconds === null ? null : createdAt + seconds,
          });
          options.alongside?.(row);
          return row;
        });
      } catch (error) {
        await blobs.remove(id);
        throw error;
      }
    },

    /** @throws AppError `invalid_value` for a cursor that never was a file of this tenant. */
    list(caller: Caller, cursor: Cursor, purpose: string | null): Page<FileRow> {
      const { tenantId } = caller;
      const after =
        cursor.after === null
          ? undefined
          : (visible(caller, cursor.after)?.seq ?? cursors.find(tenantId, cursor.after));
      if (cursor.after !== null && after === undefined) {
        throw new AppError("invalid_value", `Invalid 'after': no file found with id '${cursor.after.slice(0, 100)}'.`, {
          param: "after",
        });
      }
      const page = storage.files.list(
        tenantId,
        { limit: cursor.limit, order: cursor.order, after },
        purpose ?? undefined,
        scopeOf(caller),
      );
      cursors.remember(tenantId, page.rows);
      return { ...page, rows: page.rows.filter((row) => !isExpired(row, clock)) };
    },

    /** Deletes the file and takes it out of every store; when this resolves no search finds it any more. */
    async remove(caller: Caller, id: string): Promise<void> {
      const { tenantId } = caller;
      find(caller, id);
      if (storage.storeFiles.ofFile(tenantId, id).some(({ store_id }) => !mayUseStore(caller, store_id)))
        throw new AppError("permission_denied", "This file is in vector stores that this key may not use.");
      const removed = deleteFile(storage, tenantId, id, clock.nowSeconds());
      for (const detached of removed?.detached ?? []) deps.afterDetach(detached);
      await blobs.remove(id);
    },

    /** Where the file's bytes are. @throws AppError `file_not_found`, `file_content_not_found`. */
    async content(caller: Caller, id: string): Promise<{ row: FileRow; path: string }> {
      const row = visible(caller, id);
      if (row === null) throw new AppError("file_not_found", "Not found");
      if ((await blobs.size(id)) === null) throw new AppError("file_content_not_found", "Not found");
      return { row, path: blobs.path(id) };
    },
  };
}

function isExpired(row: FileRow, clock: Clock): boolean {
  return row.expires_at !== null && row.expires_at <= clock.nowSeconds();
}

/** A full disk is an answer of its own, not an unexpected failure. */
async function storing<T>(work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (cause) {
    const code = (cause as { code?: unknown }).code;
    throw code === "ENOSPC" || code === "EDQUOT" ? diskFull(cause) : cause;
  }
}

function diskFull(cause?: unknown): AppError {
  return new AppError("insufficient_storage", "There is not enough free disk space on the server for this upload.", {
    cause,
  });
}
