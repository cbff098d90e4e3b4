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
  blobs: { id: string; path: string; bytes: number }[];
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
  try {
    const frozen = await db.freeze(async () => {
      const ids = [...(await storage.files.allIds()), ...(await storage.uploads.allPartIds())];
      const present = ids.flatMap((id) => {
        const size = statSync(blobs.path(id), { throwIfNoEntry: false })?.size;
        return size === undefined ? [] : [{ id, path: blobs.path(id), bytes: size }];
      });
      return { database: { path, bytes: statSync(path).size }, blobs: present };
    });
    if (frozen === null) {
      await release();
      return null;
    }
    const end = async () => {
      await frozen.thaw();
      await release();
    };
    return { ...frozen.seen, end };
  } catch (error) {
    await release();
    throw error;
  }
}
