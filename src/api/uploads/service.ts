import { AppError } from "../../errors.ts";
import { type Clock, HOUR_SECONDS } from "../../platform/clock.ts";
import { newId } from "../../platform/ids.ts";
import type { Blobs } from "../../storage/blobs.ts";
import type { FileRow } from "../../storage/files.ts";
import type { Storage, Tables } from "../../storage/storage.ts";
import type { UploadPartRow, UploadRow } from "../../storage/uploads.ts";
import type { Incoming } from "../stored-files/incoming.ts";
import type { FileStoring } from "../stored-files/storing.ts";
import type { Space } from "../stored-files/space.ts";
import type { Caller } from "../../http/caller.ts";
import type { Locks } from "../locks.ts";
import { notFound } from "../../http/not-found.ts";

/**
 * Uploads in parts. Parts are blobs of their own, in any order and in parallel; completing copies them, in the order
 * asked for, into one file and removes them. An upload ends once: completed, cancelled, or expired an hour after it began.
 */
export interface UploadsDeps {
  storage: Storage;
  blobs: Blobs;
  clock: Clock;
  space: Space;
  files: FileStoring;
  locks: Locks;
}

export interface NewUpload {
  filename: string;
  purpose: string;
  bytes: number;
  mime: string;
  fileExpiresAfterSeconds: number | null;
}

export interface Completion {
  partIds: readonly string[];
  /** Of the whole file, as the client says; null: it does not. */
  md5: string | null;
}

/** A key that is restricted to some stores knows of no other uploads than its own. */
export type Uploader = Pick<Caller, "tenantId" | "keyId" | "storeIds">;

export interface UploadsService {
  /** @throws AppError `upload_not_found`, `upload_not_pending` */
  findPending(caller: Uploader, id: string): Promise<UploadRow>;
  create(caller: Uploader, upload: NewUpload): Promise<UploadRow>;
  /** Makes the written bytes a part; the upload may have ended while they arrived. */
  addPart(caller: Uploader, uploadId: string, incoming: Incoming): Promise<UploadPartRow>;
  /** @throws AppError `invalid_value` for parts that are unknown, repeated, or do not add up; the upload stays pending then. */
  complete(caller: Uploader, id: string, completion: Completion): Promise<{ upload: UploadRow; file: FileRow }>;
  cancel(caller: Uploader, id: string): Promise<UploadRow>;
}

const LIFETIME_SECONDS = HOUR_SECONDS;

type UploadsTable = Pick<Tables, "uploads" | "held">;

export function uploadsService(deps: UploadsDeps): UploadsService {
  return new Uploads(deps);
}

class Uploads implements UploadsService {
  readonly #deps: UploadsDeps;

  constructor(deps: UploadsDeps) {
    this.#deps = deps;
  }

  async findPending(caller: Uploader, id: string, from: UploadsTable = this.#deps.storage): Promise<UploadRow> {
    const row = await this.#find(caller, id, from);
    // One that is put together: a second completion or a cancel must not take the parts away meanwhile.
    const isTaken = await this.#deps.locks.isTaken(from, caller.tenantId, lockOf(id));
    if (row.status !== "pending" || isTaken) throw notPending(row);
    return row;
  }

  async create({ tenantId, keyId }: Uploader, upload: NewUpload): Promise<UploadRow> {
    const { clock, space, storage } = this.#deps;
    const createdAt = clock.nowSeconds();
    const row = {
      id: newId("upload_"),
      tenant_id: tenantId,
      key_id: keyId,
      filename: upload.filename,
      bytes: upload.bytes,
      purpose: upload.purpose,
      mime: upload.mime,
      created_at: createdAt,
      expires_at: createdAt + LIFETIME_SECONDS,
      file_expires_s: upload.fileExpiresAfterSeconds,
    };
    return await storage.transaction(async (tables) => {
      await space.assertMayKeep(tables, { owner: { tenantId, keyId }, bytes: 0, areNew: false });
      return await tables.uploads.insert(row);
    });
  }

  async addPart(caller: Uploader, uploadId: string, incoming: Incoming): Promise<UploadPartRow> {
    const { storage, blobs, clock, space } = this.#deps;
    const { tenantId } = caller;
    await this.findPending(caller, uploadId);
    const id = newId("part_");
    const { bytes } = await incoming.commit(id);
    try {
      const part: UploadPartRow = {
        id,
        tenant_id: tenantId,
        upload_id: uploadId,
        bytes,
        created_at: clock.nowSeconds(),
      };
      await storage.transaction(async (tables) => {
        await this.findPending(caller, uploadId, tables);
        await space.assertMayKeep(tables, { owner: caller, bytes, areNew: true });
        await tables.uploads.addPart(part);
      });
      return part;
    } catch (error) {
      await blobs.remove(id);
      throw error;
    }
  }

  async complete(
    caller: Uploader,
    id: string,
    { partIds, md5 }: Completion,
  ): Promise<{ upload: UploadRow; file: FileRow }> {
    const { tenantId } = caller;
    const upload = await this.findPending(caller, id);
    const parts = inOrder(await this.#deps.storage.uploads.parts(tenantId, id), partIds);
    refuseOtherSize(parts, upload);
    // Another completion may have begun since the row was read; a cancel that ended it shows in the row.
    await using held = await this.#deps.locks.take(tenantId, lockOf(id));
    if (held === null) throw notPending(upload);
    const now = await this.#find(caller, id);
    if (now.status !== "pending") throw notPending(now);
    const file = await this.#join(caller, upload, { parts, md5 });
    await this.#dropParts(tenantId, id);
    return { upload: await this.#find(caller, id), file };
  }

  async cancel(caller: Uploader, id: string): Promise<UploadRow> {
    const { tenantId } = caller;
    await this.#deps.storage.transaction(async (tables) => {
      await this.findPending(caller, id, tables);
      await tables.uploads.end(tenantId, id, "cancelled", null);
    });
    await this.#dropParts(tenantId, id);
    return await this.#find(caller, id);
  }

  /** One past its time shows as expired, whether or not the janitor has come by. */
  async #find(
    { tenantId, keyId, storeIds }: Uploader,
    id: string,
    { uploads }: UploadsTable = this.#deps.storage,
  ): Promise<UploadRow> {
    const row = await uploads.get(tenantId, id);
    if (row === null || (storeIds !== null && row.key_id !== keyId))
      throw notFound("upload", id, { param: "upload_id" });
    const isExpired = row.status === "pending" && row.expires_at <= this.#deps.clock.nowSeconds();
    return isExpired ? { ...row, status: "expired" } : row;
  }

  /** Copies the parts into one file and ends the upload in the transaction of the file's row. */
  async #join(
    caller: Uploader,
    upload: UploadRow,
    { parts, md5 }: { parts: readonly UploadPartRow[]; md5: string | null },
  ): Promise<FileRow> {
    const { files, blobs } = this.#deps;
    const { id, filename, mime, purpose, file_expires_s: expiresAfterSeconds } = upload;
    const incoming = await files.begin({ owner: caller, bytes: upload.bytes, areNew: false });
    try {
      for (const part of parts) {
        for await (const chunk of blobs.read(part.id)) await incoming.write(chunk);
      }
      const file = { owner: caller, filename, mime, purpose, expiresAfterSeconds };
      return await files.commit(incoming, file, {
        areNew: false,
        verify: (stored) => verify(stored, upload, md5),
        alongside: async (row, tables) => {
          // Past its time, and ended by the janitor meanwhile.
          if (!(await tables.uploads.end(caller.tenantId, id, "completed", row.id)))
            throw notPending(await this.#find(caller, id, tables));
        },
      });
    } finally {
      await incoming.discard();
    }
  }

  async #dropParts(tenantId: string, uploadId: string): Promise<void> {
    const { storage, blobs } = this.#deps;
    const parts = await storage.transaction(async ({ uploads }) => {
      const there = await uploads.parts(tenantId, uploadId);
      await uploads.removeParts(tenantId, uploadId);
      return there;
    });
    for (const part of parts) await blobs.remove(part.id);
  }
}

function lockOf(id: string): string {
  return `upload ${id}`;
}

function refuseOtherSize(parts: readonly UploadPartRow[], { bytes }: UploadRow): void {
  const total = parts.reduce((sum, part) => sum + part.bytes, 0);
  if (total === bytes) return;
  throw new AppError(
    "invalid_value",
    `The parts have ${total} bytes in all, but the upload was announced with ${bytes} bytes.`,
    { param: "part_ids" },
  );
}

function notPending({ id, status }: UploadRow): AppError {
  const state = status === "pending" ? "being completed" : status;
  return new AppError("upload_not_pending", `Upload '${id}' is ${state}; only a pending upload can be changed.`, {
    param: "upload_id",
  });
}

function inOrder(parts: UploadPartRow[], ids: readonly string[]): UploadPartRow[] {
  const byId = new Map(parts.map((part) => [part.id, part]));
  return ids.map((id, i) => {
    const part = byId.get(id);
    if (part === undefined) {
      const why = ids.indexOf(id) < i ? "is listed twice" : "is no part of this upload";
      throw new AppError("invalid_value", `Invalid 'part_ids[${i}]': '${id.slice(0, 64)}' ${why}.`, {
        param: `part_ids[${i}]`,
      });
    }
    byId.delete(id);
    return part;
  });
}

function verify(stored: { bytes: number; md5: string }, upload: UploadRow, md5: string | null): void {
  if (md5 !== null && md5.toLowerCase() !== stored.md5) {
    throw new AppError("invalid_value", "The MD5 of the uploaded bytes differs from the one given.", { param: "md5" });
  }
  if (stored.bytes !== upload.bytes) throw new AppError("internal_error", "The stored parts are damaged.");
}
