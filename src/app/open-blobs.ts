import { messageOf } from "../errors.ts";
import type { Config } from "../config/config.ts";
import { StartError } from "../platform/data-dir.ts";
import type { DiskTrust } from "../platform/disk-trust.ts";
import type { Log } from "../platform/log.ts";
import { createBlobs } from "../storage/blob-directory.ts";
import { type BlobPlace, BlobPlaceError, openPlace, parseBlobPlace } from "../storage/blob-place.ts";
import { type Blobs, BlobsAwayError } from "../storage/blobs.ts";
import { MovingBlobs } from "../storage/blobs-moving.ts";

export interface OpenBlobs extends AsyncDisposable {
  readonly blobs: Blobs;
}

export type BlobSettings = Pick<Config, "blobs" | "blobsAccessKey" | "blobsSecretKey" | "offline">;

/** The place does not answer while blobs move to it: after so long again. */
const AGAIN_MS = 30_000;

/**
 * Opens the place that `--blobs` names, and begins to move there what the data directory still holds. A {@link StartError}
 * where the place cannot be meant, or does not let this server in.
 */
export async function openBlobs(
  settings: BlobSettings,
  { dataDir, log, trust }: { dataDir: string; log: Log; trust: DiskTrust },
): Promise<OpenBlobs> {
  const own = createBlobs(dataDir, trust);
  const remote = await openBlobPlace(settings, dataDir);
  if (remote === null) return { blobs: own, [Symbol.asyncDispose]: async () => {} };
  const blobs = new MovingBlobs(own, remote, trust);
  const stopping = new AbortController();
  const moved = blobs.left === 0 ? Promise.resolve() : moveAll(blobs, log, stopping.signal);
  return {
    blobs,
    async [Symbol.asyncDispose]() {
      stopping.abort();
      await moved;
    },
  };
}

/**
 * The place that `--blobs` names, which has answered; null where it names none. A {@link StartError} where it cannot be
 * meant, or does not let this server in.
 */
export async function openBlobPlace(settings: BlobSettings, dataDir: string): Promise<Blobs | null> {
  const place = placeOf(settings);
  if (place.kind === "data") return null;
  const keys = { accessKey: settings.blobsAccessKey, secretKey: settings.blobsSecretKey };
  const blobs = open(dataDir, place, keys);
  try {
    await blobs.check();
  } catch (cause) {
    if (!(cause instanceof BlobsAwayError)) throw cause;
    throw new StartError(`the bytes of uploads cannot be kept at ${settings.blobs}: ${cause.message}`, { cause });
  }
  return blobs;
}

function placeOf({ blobs, offline }: BlobSettings): BlobPlace {
  try {
    const place = parseBlobPlace(blobs);
    if (place.kind === "bucket" && offline)
      throw new StartError("--offline refuses every outbound connection, so --blobs cannot be a bucket");
    return place;
  } catch (cause) {
    if (cause instanceof BlobPlaceError) throw new StartError(`--blobs: ${cause.message}`, { cause });
    throw cause;
  }
}

function open(...of: Parameters<typeof openPlace>): Blobs {
  try {
    return openPlace(...of);
  } catch (cause) {
    throw new StartError(`the bytes of uploads cannot be kept there: ${messageOf(cause)}`, { cause });
  }
}

async function moveAll(blobs: MovingBlobs, log: Log, signal: AbortSignal): Promise<void> {
  log.info("uploaded bytes move out of the data directory", { files: blobs.left });
  while (!signal.aborted) {
    try {
      await blobs.move(signal);
      if (!signal.aborted) log.info("no uploaded bytes are left in the data directory");
      return;
    } catch (error) {
      log.warn("uploaded bytes wait in the data directory", { files: blobs.left, error: messageOf(error) });
      await paused(AGAIN_MS, signal);
    }
  }
}

/** Resolves after the time, or when it is over. */
async function paused(ms: number, signal: AbortSignal): Promise<void> {
  const over = Promise.withResolvers<void>();
  const timer = setTimeout(over.resolve, ms);
  signal.addEventListener("abort", () => over.resolve(), { once: true });
  await over.promise;
  clearTimeout(timer);
}
