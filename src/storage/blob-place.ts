import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { BlobBucket } from "./blob-bucket.ts";
import { BlobDirectory } from "./blob-directory.ts";
import type { Blobs } from "./blobs.ts";

/** Where `--blobs` says that uploaded bytes are kept. */
export type BlobPlace =
  | { readonly kind: "data" }
  | { readonly kind: "directory"; readonly path: string }
  | {
      readonly kind: "bucket";
      readonly bucket: string;
      readonly prefix: string;
      readonly endpoint: string | null;
      readonly region: string | null;
    };

/** A place that cannot be meant; the message is for the operator. */
export class BlobPlaceError extends Error {}

const FORMS = "s3://bucket/prefix?endpoint=https://…&region=…, or file:///directory";
const BUCKET = /^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/;

/** Reads the value of `--blobs`. Throws {@link BlobPlaceError}. */
export function parseBlobPlace(value: string | null): BlobPlace {
  if (value === null) return { kind: "data" };
  const url = URL.parse(value);
  if (url?.protocol === "file:") {
    if (url.host !== "" || url.pathname === "/")
      throw new BlobPlaceError(`a directory is file:///directory, not ${value}`);
    return { kind: "directory", path: fileURLToPath(url) };
  }
  if (url?.protocol !== "s3:") throw new BlobPlaceError(`the forms are ${FORMS}`);
  if (url.username !== "" || url.password !== "")
    throw new BlobPlaceError("keys do not belong into the address: use --blobs-access-key and --blobs-secret-key-file");
  if (!BUCKET.test(url.host)) throw new BlobPlaceError(`"${url.host}" is no name of a bucket`);
  const unknown = [...url.searchParams.keys()].filter((name) => name !== "endpoint" && name !== "region");
  if (unknown.length > 0) throw new BlobPlaceError(`unknown parameter "${unknown[0]}"; there are endpoint and region`);
  const endpoint = url.searchParams.get("endpoint");
  if (endpoint !== null && !/^https?:$/.test(URL.parse(endpoint)?.protocol ?? ""))
    throw new BlobPlaceError(`endpoint must be an address such as https://s3.example, not "${endpoint}"`);
  const path = decodeURIComponent(url.pathname).replace(/^\/+|\/+$/g, "");
  const prefix = path === "" ? "" : `${path}/`;
  return { kind: "bucket", bucket: url.host, prefix, endpoint, region: url.searchParams.get("region") };
}

export interface BlobKeys {
  readonly accessKey: string | null;
  readonly secretKey: string | null;
}

/** Opens a place other than the data directory; `dataDir` holds what is on its way. */
export function openPlace(dataDir: string, place: Exclude<BlobPlace, { kind: "data" }>, keys: BlobKeys): Blobs {
  if (place.kind === "directory") {
    const { path } = place;
    return new BlobDirectory({ root: join(path, "blobs"), tmp: join(path, "tmp"), shared: true });
  }
  const { bucket, prefix, endpoint, region } = place;
  return new BlobBucket({ bucket, prefix, endpoint, region, ...keys, tmp: join(dataDir, "tmp") });
}
