import { createReadStream, existsSync } from "node:fs";
import { join } from "node:path";
import type { Config } from "../config/config.ts";
import { messageOf } from "../errors.ts";
import { blobName, createBlobs } from "../storage/blob-directory.ts";
import { type BlobPlace, openPlace, parseBlobPlace } from "../storage/blob-place.ts";
import type { Blobs } from "../storage/blobs.ts";
import { type Check, counted, fail, ok } from "./doctor-check.ts";

export type BytesSettings = Pick<Config, "dataDir" | "blobs" | "blobsAccessKey" | "blobsSecretKey" | "offline">;

/** Where the bytes of uploads are looked for: in the data directory, and where `--blobs` says. */
export interface BytesPlace {
  /** What is to be told of the other place; null where there is none. */
  readonly check: Check | null;
  /** Ids of what lies in the data directory. */
  readonly here: readonly string[];
  /** Where a file's bytes are on this machine, or would be. */
  pathOf(id: string): string;
  /** Whether what is not at its path is gone: not where a bucket may have it, or nobody could be asked. */
  readonly isAll: boolean;
  /** The bytes; null where they cannot be looked for. Rejects where they are not there. */
  read(id: string): AsyncIterable<Uint8Array> | null;
}

/**
 * Why uploads are not looked for in the directory that `--blobs` names; null where they can be. A server makes what is
 * missing of it, so an empty place is more often a disk that is not mounted than a beginning.
 */
export function notMounted(place: BlobPlace): string | null {
  if (place.kind !== "directory" || existsSync(join(place.path, "blobs"))) return null;
  return "the directory that --blobs names has no uploads in it: mount it; a start would make it anew";
}

/** Asks the other place whether it is there, and changes nothing. `directory`: the data directory, absolute. */
export async function bytesPlace(directory: string, settings: BytesSettings): Promise<BytesPlace> {
  const own = createBlobs(directory);
  const here = own.list();
  const local = { here, pathOf: (id: string) => own.path(id), read: (id: string) => createReadStream(own.path(id)) };
  const refused = (reason: string): BytesPlace => ({
    ...local,
    check: fail("uploads", reason),
    isAll: false,
    read: (id) => (existsSync(own.path(id)) ? local.read(id) : null),
  });
  const waiting = here.length === 0 ? "" : `; ${counted(here.length, "upload")} in the data directory move at a start`;
  let place: BlobPlace;
  try {
    place = parseBlobPlace(settings.blobs);
  } catch (error) {
    return refused(`--blobs: ${messageOf(error)}`);
  }
  if (place.kind === "data") return { ...local, check: null, isAll: true };
  const unmounted = notMounted(place);
  if (unmounted !== null) return refused(unmounted);
  if (place.kind === "directory") {
    const { path: root } = place;
    const pathOf = (id: string) => (existsSync(own.path(id)) ? own.path(id) : join(root, blobName(id)));
    return {
      here,
      check: ok("uploads", `in the directory that --blobs names${waiting}`),
      isAll: true,
      pathOf,
      read: (id) => createReadStream(pathOf(id)),
    };
  }
  if (settings.offline) return refused("--offline refuses every outbound connection, so --blobs cannot be a bucket");
  let bucket: Blobs;
  try {
    bucket = openPlace(directory, place, { accessKey: settings.blobsAccessKey, secretKey: settings.blobsSecretKey });
    await bucket.check();
  } catch (error) {
    return refused(`the bucket that --blobs names cannot be used: ${messageOf(error)}`);
  }
  return {
    ...local,
    check: ok("uploads", `in the bucket that --blobs names, which answers${waiting}`),
    isAll: false,
    read: (id) => (existsSync(own.path(id)) ? local.read(id) : bucket.read(id)),
  };
}
