import { statfs } from "node:fs/promises";
import { AppError } from "../../errors.ts";
import type { Clock } from "../../platform/clock.ts";
import { newId } from "../../platform/ids.ts";
import type { Blobs, BlobWriter } from "../../storage/blobs.ts";
import type { FileRow } from "../../storage/files.ts";
import type { Page } from "../../storage/page.ts";
import { deleteFile } from "../../storage/removal.ts";
import type { Detached } from "../../storage/removal.ts";
import type { Storage, Tables } from "../../storage/storage.ts";
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
  byteLimits: (owner: Owner) => Promise<ByteLimits>;
  /**
   * Takes a detached file out of the index in memory, stops its ingest, wakes who waits for it. Called in the turn of the
   * commit.
   */
  afterDetach: (detached: Detached) => void;
}

export interface ByteLimits {
  perTenant: number | null;
  perKey: number | null;
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
  alongside?: (file: FileRow, tables: Tables) => Promise<void>;
}

/** Files of this purpose expire by themselves unless told otherwise. */
const BATCH_EXPIRY_SECONDS = 30 * 86_400;

export interface FilesService {
  /** @throws AppError `file_not_found` */
  find(caller: Caller, id: string): Promise<FileRow>;
  /**
   * Refuses bytes that are about to come, if they would not fit beside what is stored and what waits in uploads.
   * @throws AppError `storage_limit_reached`
   */
  refuseAboveQuota(owner: Owner, moreBytes: number): Promise<void>;
  /**
   * Begins to store bytes, if there is room for `expectedBytes` more.
   * @throws AppError `insufficient_storage`
   */
  begin(expectedBytes: number): Promise<BlobWriter>;
  write(writer: BlobWriter, chunk: Uint8Array): Promise<void>;
  /**
   * Makes the written bytes a file: bytes first, then the row. `verify` may refuse the bytes by throwing, `alongside`
   * the whole; it runs in the row's transaction. Nothing is left after either.
   */
  commit(writer: BlobWriter, file: NewFile, options?: CommitOptions): Promise<FileRow>;
  /** @throws AppError `invalid_value` for a cursor that never was a file of this tenant. */
  list(caller: Caller, cursor: Cursor, purpose: string | null): Promise<Page<FileRow>>;
  /** Deletes the file and takes it out of every store; when this resolves no search finds it any more. */
  remove(caller: Caller, id: string): Promise<void>;
  /** Where the file's bytes are. @throws AppError `file_not_found`, `file_content_not_found`. */
  content(caller: Caller, id: string): Promise<{ row: FileRow; path: string }>;
}

export function filesService(deps: FilesDeps): FilesService {
  return new Files(deps);
}

class Files implements FilesService {
  readonly #deps: FilesDeps;

  constructor(deps: FilesDeps) {
    this.#deps = deps;
  }

  async find(caller: Caller, id: string): Promise<FileRow> {
    const row = await this.#visible(caller, id);
    if (row === null) throw new AppError("file_not_found", `No such File object: ${id.slice(0, 100)}`, { param: "id" });
    return row;
  }

  async refuseAboveQuota(owner: Owner, moreBytes: number): Promise<void> {
    const { storage, byteLimits } = this.#deps;
    const pending = await storage.uploads.pendingBytes(owner.tenantId);
    await refuseAbove(storage, owner, { ...(await byteLimits(owner)), more: moreBytes, pending });
  }

  async begin(expectedBytes: number): Promise<BlobWriter> {
    const { blobs, dataDir, minFreeBytes } = this.#deps;
    const { bavail, bsize } = await statfs(dataDir);
    if (bavail * bsize - expectedBytes < minFreeBytes) throw diskFull();
    return await storing(blobs.writer());
  }

  async write(writer: BlobWriter, chunk: Uint8Array): Promise<void> {
    await storing(writer.write(chunk));
  }

  async commit(writer: BlobWriter, file: NewFile, options: CommitOptions = {}): Promise<FileRow> {
    const { storage, blobs, clock, byteLimits } = this.#deps;
    const id = newId("file-");
    const stored = await storing(writer.commit(id));
    try {
      options.verify?.(stored);
      const createdAt = clock.nowSeconds();
      const seconds = file.expiresAfterSeconds ?? (file.purpose === "batch" ? BATCH_EXPIRY_SECONDS : null);
      const limits = await byteLimits(file.owner);
      return await storage.transaction(async (tables) => {
        await refuseAbove(tables, file.owner, { ...limits, more: stored.bytes, pending: 0 });
        const row = await tables.files.insert({
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
        await options.alongside?.(row, tables);
        return row;
      });
    } catch (error) {
      await blobs.remove(id);
      throw error;
    }
  }

  async list(caller: Caller, cursor: Cursor, purpose: string | null): Promise<Page<FileRow>> {
    const { storage, clock, cursors } = this.#deps;
    const { tenantId } = caller;
    const after =
      cursor.after === null
        ? undefined
        : ((await this.#visible(caller, cursor.after))?.seq ?? cursors.find(tenantId, cursor.after));
    if (cursor.after !== null && after === undefined) {
      throw new AppError("invalid_value", `Invalid 'after': no file found with id '${cursor.after.slice(0, 100)}'.`, {
        param: "after",
      });
    }
    const page = await storage.files.list(
      tenantId,
      { limit: cursor.limit, order: cursor.order, after },
      purpose ?? undefined,
      scopeOf(caller),
    );
    cursors.remember(tenantId, page.rows);
    return { ...page, rows: page.rows.filter((row) => !isExpired(row, clock)) };
  }

  async remove(caller: Caller, id: string): Promise<void> {
    const { storage, blobs, clock, afterDetach } = this.#deps;
    const { tenantId } = caller;
    await this.find(caller, id);
    await storage.transaction(async (tables, tx) => {
      const attached = await tables.storeFiles.ofFile(tenantId, id);
      if (attached.some(({ store_id }) => !mayUseStore(caller, store_id)))
        throw new AppError("permission_denied", "This file is in vector stores that this key may not use.");
      const removed = await deleteFile(tables, tenantId, id, clock.nowSeconds());
      for (const detached of removed?.detached ?? []) tx.onCommit(() => afterDetach(detached));
    });
    await blobs.remove(id);
  }

  async content(caller: Caller, id: string): Promise<{ row: FileRow; path: string }> {
    const { blobs } = this.#deps;
    const row = await this.#visible(caller, id);
    if (row === null) throw new AppError("file_not_found", "Not found");
    if ((await blobs.size(id)) === null) throw new AppError("file_content_not_found", "Not found");
    return { row, path: blobs.path(id) };
  }

  async #visible(caller: Caller, id: string): Promise<FileRow | null> {
    const { storage, clock } = this.#deps;
    const row = await storage.files.get(caller.tenantId, id);
    return row === null || isExpired(row, clock) || !(await mayUseFile(storage, caller, id)) ? null : row;
  }
}

/** `more` bytes are about to come; `pending` ones wait in uploads, which count for the tenant alone. */
async function refuseAbove(
  { files }: Pick<Tables, "files">,
  owner: Owner,
  { perTenant, perKey, more, pending }: ByteLimits & { more: number; pending: number },
): Promise<void> {
  const refuse = (whose: string, most: number) =>
    new AppError("storage_limit_reached", `${whose} may store ${most} bytes at most; delete files first.`);
  const used = async (id: string) => (await files.usage(id)).bytes + more;
  if (perTenant !== null && (await used(owner.tenantId)) + pending > perTenant)
    throw refuse("This organisation", perTenant);
  if (perKey !== null && (await used(owner.keyId)) > perKey) throw refuse("This key", perKey);
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
