import { Database } from "bun:sqlite";
import { existsSync, mkdirSync } from "node:fs";
import { expect, test } from "bun:test";
import { tempDir, type TempDir } from "../../test/helpers/temp-dir.ts";
import { MIGRATIONS } from "./migrations/index.ts";
import { migrate } from "./migrations/runner.ts";
import { openSqlite } from "./sqlite.ts";
import { COPY_DAYS, keepUpgradeCopy, pendingUpgrade, putUpgradeCopyBack } from "./upgrade-copy.ts";
import { readUpgradeNote, removeOldUpgradeCopy, UNDONE, upgradeCopyPath } from "./upgrade-copy.ts";

const NEWEST = MIGRATIONS.at(-1)?.version ?? 0;
const ROOM = 2 ** 30;

/** A data directory whose database was left open in the middle, at a schema version, with a tenant in its journal. */
function madeAt(dir: TempDir, version: number): string {
  const data = dir.join("data");
  mkdirSync(data, { mode: 0o700 });
  const db = new Database(`${data}/meta.sqlite`);
  db.run("PRAGMA journal_mode = WAL");
  migrate(
    db,
    MIGRATIONS.filter((one) => one.version <= version),
  );
  db.run("INSERT INTO tenant (id, name, status, created_at) VALUES ('ten_a', 'a', 'active', 1)");
  db.close();
  return data;
}

function versionIn(path: string): number | undefined {
  using db = new Database(path);
  return db.query<{ version: number }, []>("SELECT version FROM schema_version").get()?.version;
}

const note = (from: number, at = 1000) => ({ from, to: NEWEST, lectern: "0.1.0", at });

test("an upgrade is due of every earlier version, and of nothing else", async () => {
  for (const version of [1, NEWEST - 1, NEWEST]) {
    using dir = tempDir();
    const due = pendingUpgrade(madeAt(dir, version));
    expect(due).toEqual(version === NEWEST ? null : { from: version, to: NEWEST, bytes: expect.any(Number) });
  }
  using dir = tempDir();
  expect(pendingUpgrade(dir.path)).toBeNull();
  await Bun.write(dir.join("meta.sqlite"), "no database at all, and longer than a header of sixteen bytes");
  expect(pendingUpgrade(dir.path)).toBeNull();
});

test("the database is kept whole, put back, and what was undone is kept beside it", async () => {
  using dir = tempDir();
  const data = madeAt(dir, 3);
  expect(keepUpgradeCopy(data, note(3), ROOM)).toEqual({ result: "kept" });
  expect([readUpgradeNote(data), versionIn(upgradeCopyPath(data))]).toEqual([note(3), 3]);
  const db = openSqlite(`${data}/meta.sqlite`);
  db.raw.run("INSERT INTO tenant (id, name, status, created_at) VALUES ('ten_b', 'b', 'active', 1)");
  await db.close();
  putUpgradeCopyBack(data);
  const tenants = (path: string) => {
    using read = new Database(path);
    return read
      .query<{ id: string }, []>("SELECT id FROM tenant ORDER BY id")
      .all()
      .map(({ id }) => id);
  };
  expect([versionIn(`${data}/meta.sqlite`), tenants(`${data}/meta.sqlite`)]).toEqual([3, ["ten_a"]]);
  expect(tenants(`${data}/${UNDONE}/meta.sqlite`)).toEqual(["ten_a", "ten_b"]);
  // Upgraded once more, it is kept once more.
  expect(keepUpgradeCopy(data, note(3, 2000), ROOM)).toEqual({ result: "kept" });
  expect(readUpgradeNote(data)?.at).toBe(2000);
});

test("an upgrade that was interrupted keeps the copy from before its first step", () => {
  using dir = tempDir();
  const data = madeAt(dir, 5);
  keepUpgradeCopy(data, note(3), ROOM);
  expect(keepUpgradeCopy(data, note(5, 2000), ROOM)).toEqual({ result: "there" });
  expect(readUpgradeNote(data)).toEqual(note(3));
});

test("where there is no room nothing is kept and nothing left behind, unless the file system shares the bytes", () => {
  using dir = tempDir();
  const data = madeAt(dir, 3);
  const { result } = keepUpgradeCopy(data, note(3), 0);
  expect(["lacking", "kept"]).toContain(result);
  expect(existsSync(`${data}/before-upgrade`)).toBe(result === "kept");
  expect(existsSync(`${data}/before-upgrade.partial`)).toBe(false);
});

test("the copy goes after its days", () => {
  using dir = tempDir();
  const data = madeAt(dir, 3);
  keepUpgradeCopy(data, note(3), ROOM);
  const end = 1000 + COPY_DAYS * 86_400;
  expect([removeOldUpgradeCopy(data, end - 1), removeOldUpgradeCopy(data, end)]).toEqual([false, true]);
  expect([existsSync(`${data}/before-upgrade`), removeOldUpgradeCopy(data, end)]).toEqual([false, false]);
});
