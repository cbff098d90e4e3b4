import { AppError } from "../../errors.ts";
import { type Clock, DAY_SECONDS } from "../../platform/clock.ts";
import { newId } from "../../platform/ids.ts";
import type { Blobs } from "../../storage/blobs.ts";
import type { FileRow } from "../../storage/files.ts";
import type { Page } from "../../storage/page.ts";
import { deleteFile } from "../../storage/removal.ts";
import type { Detached } from "../../storage/removal.ts";
import type { Storage } from "../../storage/storage.ts";
import { mayUseStore } from "../../http/caller.ts";
import type { Caller } from "../../http/caller.ts";
import type { Cursors } from "../../http/cursors.ts";
import type { Cursor } from "../../http/openai.ts";
import { Incoming, storing } from "../stored-files/incoming.ts";
import type { CommitOptions, FileStoring, NewFile } from "../stored-files/storing.ts";
import { cursorOwner, mayUseFile, scopeOf } from "../stored-files/scope.ts";
import type { Space, Wanted } from "../stored-files/space.ts";

/**
 * Uploaded files. Bytes are streamed to disk before their purpose is known (the order of a form's parts is free);
 * a row exists only once the bytes are durable, and bytes without a row are swept away.
 */
export interface FilesDeps {
  storage: Storage;
  blobs: Blobs;
  clock: Clock;
  cursors: Cursors;
  space: Space;
  /**
   * Takes a detached file out of the index in memory, stops its ingest, wakes who waits for it. Called in the turn of the
   * commit.
   */
  afterDetach: (detached: Detached) => void;
}

/** Files of this purpose expire by themselves unless told otherwise. */
const BATCH_EXPIRY_SECONDS = 30 * DAY_SECONDS;

export interface FilesService extends FileStoring {
  /** @throws AppError `file_not_found` */
  find(caller: Caller, id: string): Promise<FileRow>;
  /** @throws AppError `invalid_value` for a cursor that never was a file of this tenant. */
  list(caller: Caller, cursor: Cursor, purpose: string | null): Promise<Page<FileRow>>;
  /** Deletes the file and takes it out of every store; when this resolves no search finds it any more. */
  remove(caller: Caller, id: string): Promise<void>;
  /** Where the file's bytes are. @throws AppError `file_not_found`, `file_content_not_found`. */
  content(caller: Caller, id: string): Promise<{ row: FileRow; blobs: Pick<Blobs, "read"> }>;
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

  async begin(wanted: Wanted): Promise<Incoming> {
    const { blobs, space } = this.#deps;
    const room = await space.reserve(wanted);
    try {
      return new Incoming(await storing(blobs.writer()), room);
    } catch (error) {
      room.release();
      throw error;
    }
  }

  async commit(incoming: Incoming, file: NewFile, options: CommitOptions = {}): Promise<FileRow> {
    const { storage, blobs, clock, space } = this.#deps;
    const id = newId("file-");
    const stored = await incoming.commit(id);
    try {
      options.verify?.(stored);
      const createdAt = clock.nowSeconds();
      const seconds = file.expiresAfterSeconds ?? (file.purpose === "batch" ? BATCH_EXPIRY_SECONDS : null);
      return await storage.transaction(async (tables) => {
        await space.assertMayKeep(tables, { owner: file.owner, bytes: stored.bytes, areNew: options.areNew ?? true });
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
        : ((await this.#visible(caller, cursor.after))?.seq ?? (await cursors.find(cursorOwner(caller), cursor.after)));
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
    cursors.remember(cursorOwner(caller), page.rows);
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

  async content(caller: Caller, id: string): Promise<{ row: FileRow; blobs: Pick<Blobs, "read"> }> {
    const { blobs } = this.#deps;
    const row = await this.#visible(caller, id);
    if (row === null) throw new AppError("file_not_found", "Not found");
    if ((await storing(blobs.size(id))) === null) throw new AppError("file_content_not_found", "Not found");
    return { row, blobs };
  }

  async #visible(caller: Caller, id: string): Promise<FileRow | null> {
    const { storage, clock } = this.#deps;
    const row = await storage.files.get(caller.tenantId, id);
    return row === null || isExpired(row, clock) || !(await mayUseFile(storage, caller, id)) ? null : row;
  }
}

function isExpired(row: FileRow, clock: Clock): boolean {
  return row.expires_at !== null && row.expires_at <= clock.nowSeconds();
}
