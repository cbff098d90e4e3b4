import { statSync } from "node:fs";
import type { Blobs } from "./blobs.ts";
import type { SqliteDatabase } from "./sqlite.ts";
import type { Storage } from "./storage.ts";

/**
 * A consistent view of everything that cannot be rebuilt, held still while it is copied and while work goes on.
 *
 * In WAL mode only a checkpoint writes to the database file. So one full checkpoint, and none until the copy is done,
 * makes the file itself the snapshot: as of that instant, whatever is written to the log meanwhile. Blobs never change;
 * those deleted meanwhile are kept until the end.
 */
export interface Snapshot {
  database: { path: string; bytes: number };
  blobs: { id: string; bytes: number }[];
  /** Lets checkpoints and removals go on. Must be called, whatever happened. */
  end(): Promise<void>;
}

/** Null while another snapshot is held, or when the log cannot be checkpointed now. */
export async function takeSnapshot(
  db: Pick<SqliteDatabase, "freeze">,
  storage: Pick<Storage, "files" | "uploads">,
  blobs: Blobs,
  path: string,
): Promise<Snapshot | null> {
  const release = blobs.holdRemovals();
  if (release === null) return null;
  let thaw = async (): Promise<void> => {};
  try {
    const frozen = await db.freeze(async () => {
      const ids = [...(await storage.files.allIds()), ...(await storage.uploads.allPartIds())];
      return { database: { path, bytes: statSync(path).size }, blobIds: ids };
    });
    if (frozen === null) {
      await release();
      return null;
    }
    ({ thaw } = frozen);
    const end = async () => {
      await thaw();
      await release();
    };
    const { database, blobIds } = frozen.seen;
    return { database, blobs: await presentOf(blobs, blobIds), end };
  } catch (error) {
    await thaw();
    await release();
    throw error;
  }
}

/** Of these the ones whose bytes are there, with their sizes. */
async function presentOf(blobs: Blobs, ids: readonly string[]): Promise<Snapshot["blobs"]> {
  const present: Snapshot["blobs"] = [];
  for (const id of ids) {
    const bytes = await blobs.size(id);
    if (bytes !== null) present.push({ id, bytes });
  }
  return present;
}
