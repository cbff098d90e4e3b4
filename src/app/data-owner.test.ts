import { expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { tempDir } from "../../test/helpers/temp-dir.ts";
import { ownDataDir, refuseOwned } from "./data-owner.ts";

const ONE = { id: "1", shown: "postgres://a@one/x" };

test("a directory belongs to the database that had it first, wherever that moves to", () => {
  using dir = tempDir();
  refuseOwned(dir.path);
  ownDataDir(dir.path, ONE);
  ownDataDir(dir.path, { ...ONE, shown: "postgres://a@moved/x" });
  expect(() => ownDataDir(dir.path, { id: "2", shown: "postgres://a@two/x" })).toThrow(
    /belongs to the database postgres:\/\/a@moved\/x, and postgres:\/\/a@two\/x is another/,
  );
  expect(() => refuseOwned(dir.path)).toThrow(
    /belongs to the database postgres:\/\/a@moved\/x; name it with --database/,
  );
});

test("a directory with a database in it is no other's", () => {
  using dir = tempDir();
  writeFileSync(dir.join("meta.sqlite"), "");
  expect(() => ownDataDir(dir.path, ONE)).toThrow(/holds a database of its own/);
  refuseOwned(dir.path);
});
