import { type Blobs, BlobsAwayError, type LocalCopy } from "../storage/blobs.ts";

/** A file's bytes for a parser; null where the place that keeps them is away, which is a matter of time. */
export async function blobSource(
  blobs: Pick<Blobs, "localCopy">,
  id: string,
  signal: AbortSignal,
): Promise<LocalCopy | null> {
  try {
    return await blobs.localCopy(id, signal);
  } catch (error) {
    if (error instanceof BlobsAwayError) return null;
    throw error;
  }
}
