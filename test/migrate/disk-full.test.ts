/** A migration that fills the disk fails cleanly: the store serves on, and the space is given back. */
import { Database } from "bun:sqlite";
import { expect, test } from "bun:test";
import { closeSync, openSync, statfsSync, writeSync } from "node:fs";
import { join } from "node:path";
import { json, upload } from "../helpers/api.ts";
import { lacks } from "../helpers/lacks.ts";
import { startServer } from "../helpers/server.ts";
import { tempDir } from "../helpers/temp-dir.ts";
import { waitFor } from "../helpers/wait.ts";
import { addSecondModel, ask, buildStore, migrationEnd, startMigration } from "./corpus.ts";

const MB = 1024 * 1024;
const DISK_MB = 400;
const PIECE = new Uint8Array(64 * 1024);

/** Mounts a small file system in memory; false where that is not allowed. */
function mountSmallDisk(path: string): boolean {
  if (process.platform !== "linux" || process.getuid?.() !== 0) return false;
  const mount = ["mount", "-t", "tmpfs", "-o", `size=${DISK_MB}m,mode=700`, "tmpfs", path];
  return Bun.spawnSync(mount, { stdout: "ignore", stderr: "ignore" }).exitCode === 0;
}

const isPossible = (() => {
  using dir = tempDir();
  if (!mountSmallDisk(dir.path)) return false;
  Bun.spawnSync(["umount", dir.path]);
  return true;
})();

function freeBytes(path: string): number {
  const { bavail, bsize } = statfsSync(path);
  return bavail * bsize;
}

interface Holdings {
  vectors: number;
  generations: number;
  pages: number;
}

/** What the database holds; `pages` are those in use. */
function holdings(dataDir: string): Holdings {
  using db = new Database(join(dataDir, "meta.sqlite"), { readonly: true });
  const one = (sql: string) => Object.values(db.query<Record<string, number>, []>(sql).get() ?? {})[0] ?? Number.NaN;
  return {
    vectors: one("SELECT count(*) FROM vector"),
    generations: one("SELECT count(*) FROM generation WHERE state <> 'retired'"),
    pages: one("PRAGMA page_count") - one("PRAGMA freelist_count"),
  };
}

function sameAs(before: Holdings, now: Holdings): boolean {
  const { pages, ...rows } = now;
  return rows.vectors === before.vectors && rows.generations === before.generations && pages <= before.pages * 1.1;
}

test.skipIf(lacks("mount as root", isPossible))(
  "a migration that fills the disk fails, leaves the store as it was, and gives the space back",
  async () => {
    using dir = tempDir();
    expect(mountSmallDisk(dir.path)).toBe(true);
    try {
      const dataDir = dir.join("data");
      await addSecondModel(dataDir);
      await using server = await startServer({ dataDir, args: ["--log-level", "warn", "--min-free-disk-mb", "0"] });
      const storeId = await buildStore(server, { files: 4, chunksEach: 2000 });
      const before = await ask(server, storeId, "which river carries water");
      const held = holdings(dataDir);

      // Too little room from the beginning: refused before anything is written.
      const hoard = dir.join("hoard");
      const fill = (leave: number) => {
        const file = openSync(hoard, "w");
        try {
          while (freeBytes(dir.path) > leave)
            writeSync(file, PIECE, 0, Math.min(PIECE.length, freeBytes(dir.path) - leave));
        } catch (error) {
          // Others write to it as well.
          if ((error as NodeJS.ErrnoException).code !== "ENOSPC") throw error;
        } finally {
          closeSync(file);
        }
      };
      fill(0.5 * MB);
      const early = await startMigration(server, storeId);
      expect((await migrationEnd(server, storeId, early.id)).last_error?.code).toBe("insufficient_storage");
      expect(await ask(server, storeId, "which river carries water")).toEqual(before);
      await Bun.file(hoard).delete();

      // Room at the beginning that is gone in the middle.
      await waitFor("the first attempt is reclaimed", () => (freeBytes(dir.path) > 20 * MB ? true : undefined));
      const late = await startMigration(server, storeId);
      await waitFor("vectors are written", async () => {
        const { progress } = await json<{ progress: { chunks_done: number } }>(
          server,
          "GET",
          `/v1/vector_stores/${storeId}/migrations/${late.id}`,
        );
        return progress.chunks_done > 0 ? true : undefined;
      });
      fill(0);
      const failed = await migrationEnd(server, storeId, late.id);
      expect([failed.status, failed.last_error?.code]).toEqual(["failed", "insufficient_storage"]);
      expect(await ask(server, storeId, "which river carries water")).toEqual(before);

      await Bun.file(hoard).delete();
      // Nothing of either attempt is left: as many vectors and generations as before, in as much space.
      await waitFor("the rest of the attempts is reclaimed", () =>
        sameAs(held, holdings(dataDir)) ? true : undefined,
      );
      const again = await startMigration(server, storeId);
      expect((await migrationEnd(server, storeId, again.id)).status).toBe("completed");
      await upload(server, "after.txt", "still taken in");
    } finally {
      Bun.spawnSync(["umount", "-l", join(dir.path)]);
    }
  },
);
