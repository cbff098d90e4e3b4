import { AppError } from "../../errors.ts";
import type { Clock } from "../../platform/clock.ts";
import { newId } from "../../platform/ids.ts";
import type { Blobs, BlobWriter } from "../../storage/blobs.ts";
import type { FileRow } from "../../storage/files.ts";
import type { Storage } from "../../storage/storage.ts";
import type { UploadPartRow, UploadRow } from "../../storage/uploads.ts";
import type { FilesService, Owner } from "../files/service.ts";

/**
 * Uploads in parts. Parts are blobs of their own, in any order and in parallel; completing copies them, in the order
 * asked for, into one file and removes them. An upload ends once: completed, cancelled, or expired an hour after it began.
 */
export interface UploadsDeps {
  storage: Storage;
  blobs: Blobs;
  clock: Clock;
  files: FilesService;
}

export interface NewUpload {
  filename: string;
  purpose: string;
  bytes: number;
  mime: string;
  fileExpiresAfterSeconds: number | null;
}

export type UploadsService = ReturnType<typeof uploadsService>;

const LIFETIME_SECONDS = 3600;

export function uploadsService({ storage, blobs, clock, files }: UploadsDeps) {
  // Uploads being put together: a second completion or a cancel must not take the parts away meanwhile.
  const completing = new Set<string>();

  const find = (tenantId: string, id: string): UploadRow => {
    const row = storage.uploads.get(tenantId, id);
    if (row === null)
      throw new AppError("upload_not_found", `No upload found with id '${id.slice(0, 100)}'`, { param: "upload_id" });
    return row.status === "pending" && row.expires_at <= clock.nowSeconds() ? { ...row, status: "expired" } : row;
  };

  const findPending = (tenantId: string, id: string): UploadRow => {
    const row = find(tenantId, id);
    if (row.status !== "pending" || completing.has(id)) {
      const state = row.status === "pending" ? "being completed" : row.status;
      throw new AppError("upload_not_pending", `Upload '${id}' is ${state}; only a pending upload can be changed.`, {
        param: "upload_id",
      });
    }
    return row;
  };

  const dropParts = async (tenantId: string, uploadId: string) => {
    const parts = storage.uploads.parts(tenantId, uploadId);
    storage.uploads.removeParts(tenantId, uploadId);
    for (const part of parts) await blobs.remove(part.id);
  };

  return {
    find,
    findPending,

    create(tenantId: string, upload: NewUpload): UploadRow {
      const createdAt = clock.nowSeconds();
      return storage.uploads.insert({
        id: newId("upload_"),
        tenant_id: tenantId,
        filename: upload.filename,
        bytes: upload.bytes,
        purpose: upload.purpose,
        mime: upload.mime,
        created_at: createdAt,
        expires_at: createdAt + LIFETIME_SECONDS,
        file_expires_s: upload.fileExpiresAfterSeconds,
      });
    },

    /** Makes the written bytes a part; the upload may have ended while they arrived. */
    async addPart(tenantId: string, uploadId: string, writer: BlobWriter): Promise<UploadPartRow> {
      findPending(tenantId, uploadId);
      const id = newId("part_");
      const { bytes } = await writer.commit(id);
      try {
        findPending(tenantId, uploadId);
        const part: UploadPartRow = {
          id,
          tenant_id: tenantId,
          upload_id: uploadId,
          bytes,
          created_at: clock.nowSeconds(),
        };
        storage.uploads.addPart(part);
        return part;
      } catch (error) {
        await blobs.remove(id);
        throw error;
      }
    },

    /** @throws AppError `invalid_value` for parts that are unknown, repeated, or do not add up; the upload stays pending then. */
    async complete(
      owner: Owner,
      id: string,
      partIds: readonly string[],
      md5: string | null,
    ): Promise<{ upload: UploadRow; file: FileRow }> {
      const { tenantId } = owner;
      const upload = findPending(tenantId, id);
      const parts = inOrder(storage.uploads.parts(tenantId, id), partIds);
      const total = parts.reduce((sum, part) => sum + part.bytes, 0);
      if (total !== upload.bytes) {
        throw new AppError(
          "invalid_value",
          `The parts have ${total} bytes in all, but the upload was announced with ${upload.bytes} bytes.`,
          { param: "part_ids" },
        );
      }
      completing.add(id);
      try {
        const writer = await files.begin(total);
        try {
          for (const part of parts) {
            for await (const chunk of Bun.file(blobs.path(part.id)).stream()) await files.write(writer, chunk);
          }
          const file = await files.commit(
            writer,
            {
              owner,
              filename: upload.filename,
              mime: upload.mime,
              purpose: upload.purpose,
              expiresAfterSeconds: upload.file_expires_s,
            },
            {
              verify: (stored) => verify(stored, upload, md5),
              alongside: (row) => void storage.uploads.end(tenantId, id, "completed", row.id),
            },
          );
          await dropParts(tenantId, id);
          return { upload: find(tenantId, id), file };
        } finally {
          await writer.discard();
        }
      } finally {
        completing.delete(id);
      }
    },

    async cancel(tenantId: string, id: string): Promise<UploadRow> {
      findPending(tenantId, id);
      storage.uploads.end(tenantId, id, "cancelled", null);
      await dropParts(tenantId, id);
      return find(tenantId, id);
    },
  };
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
