import { statSync } from "node:fs";
import type { Blobs } from "./blobs.ts";
import { CHECKPOINT_PAGES, type Db } from "./db.ts";
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
export function takeSnapshot(db: Db, storage: Storage, blobs: Blobs, path: string): Snapshot | null {
  const release = blobs.holdRemovals();
  if (release === null) return null;
  const end = async () => {
    db.raw.run(`PRAGMA wal_autocheckpoint = ${CHECKPOINT_PAGES}`);
    await release();
  };
  try {
    db.raw.run("PRAGMA wal_autocheckpoint = 0");
    const checkpoint = db.raw
      .query<{ busy: number; log: number; checkpointed: number }, []>("PRAGMA wal_checkpoint(TRUNCATE)")
      .get();
    if (checkpoint === null || checkpoint.busy !== 0) {
      void end();
      return null;
    }
    const ids = [...storage.files.allIds(), ...storage.uploads.allPartIds()];
    const present = ids.flatMap((id) => {
      const size = statSync(blobs.path(id), { throwIfNoEntry: false })?.size;
      return size === undefined ? [] : [{ id, path: blobs.path(id), bytes: size }];
    });
    return { database: { path, bytes: statSync(path).size }, blobs: present, end };
  } catch (error) {
    void end();
    throw error;
  }
}
