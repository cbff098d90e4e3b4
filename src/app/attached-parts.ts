import { rm } from "node:fs/promises";
import { join } from "node:path";
import type { AttachedParts } from "../answers/chat-messages.ts";
import { messageOf } from "../errors.ts";
import type { TextAsker } from "../index/text-analysis.ts";
import { randomText } from "../platform/ids.ts";
import type { Log } from "../platform/log.ts";
import { containerOf } from "../parse/detect.ts";
import type { ParseLane } from "../workers/parse-lane.ts";
import type { Blobs } from "../storage/blobs.ts";
import { dropUnowned } from "../storage/deletion-check.ts";
import type { OpenStorage } from "./open-storage.ts";

export interface AttachedDeps extends Pick<OpenStorage, "storage" | "blobs" | "parsed"> {
  parse: Pick<ParseLane, "text">;
  dataDir: string;
  log: Log;
}

/** A picture that is sent on is at most so large. */
const MOST_IMAGE_BYTES = 20 * 1024 * 1024;
/** Of a longer text the beginning is taken: more than a model reads. */
const MOST_CHARACTERS = 4 * 1024 * 1024;
const DATA_URL = /^data:([^;,]{0,200})[^,]{0,200},/;

/** What a message's files and pictures are to a language model. Which of them a key may use was decided before. */
export function attachedParts({ storage, blobs, parsed, parse, dataDir, log }: AttachedDeps) {
  return ({ tenant, signal }: TextAsker): AttachedParts => {
    const textOf = async (source: {
      path: string;
      filename: string;
      contentType: string | null;
      cachePath: string;
    }) => {
      try {
        const parts = await parse.text({ tenantId: tenant, ...source }, signal);
        return parts?.join("").slice(0, MOST_CHARACTERS).toWellFormed() ?? null;
      } catch (error) {
        signal.throwIfAborted();
        log.warn("an attached file cannot be read", { error: messageOf(error) });
        return null;
      }
    };
    return {
      async image(fileId) {
        const file = await storage.files.get(tenant, fileId);
        if (file === null || file.bytes > MOST_IMAGE_BYTES) return null;
        const type = file.mime ?? Bun.file(file.filename).type;
        if (!type.startsWith("image/")) return null;
        const bytes = await Bun.readableStreamToArrayBuffer(blobs.read(fileId));
        return `data:${type};base64,${Buffer.from(bytes).toString("base64")}`;
      },
      async text({ file_id: fileId, file_data: data, filename }) {
        if (fileId !== undefined) {
          const file = await storage.files.get(tenant, fileId);
          if (file === null) return null;
          const { sha256, filename: name, mime: contentType } = file;
          const subject = { tenantId: tenant, sha256, filename: name };
          await using copy = await blobs.localCopy(fileId, signal);
          try {
            return await textOf({ path: copy.path, filename: name, contentType, cachePath: parsed.path(subject) });
          } finally {
            await dropUnowned({ storage, parsed }, subject);
          }
        }
        const path = join(dataDir, "tmp", `attached-${randomText(16)}`);
        const type = DATA_URL.exec(data ?? "");
        try {
          await Bun.write(path, Buffer.from((data ?? "").slice(type?.[0].length ?? 0), "base64"));
          const contentType = type?.[1] || null;
          return await textOf({ path, filename: filename ?? "file", contentType, cachePath: `${path}.parsed` });
        } finally {
          await Promise.all([rm(path, { force: true }), rm(`${path}.parsed`, { force: true })]);
        }
      },
    };
  };
}

/** As much of a file's beginning as tells what it is. */
const HEAD_BYTES = 128 * 1024;

/** Whether a file is of a kind that can hold text, as far as its beginning tells; one that is not there is left to others. */
export async function canHoldText(blobs: Pick<Blobs, "read" | "size">, id: string): Promise<boolean> {
  if ((await blobs.size(id)) === null) return true;
  const head = new Uint8Array(await Bun.readableStreamToArrayBuffer(blobs.read(id, 0, HEAD_BYTES)));
  return head.length === 0 || containerOf(head) !== "binary";
}
