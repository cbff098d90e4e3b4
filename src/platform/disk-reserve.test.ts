import { expect, test } from "bun:test";
import { existsSync, mkdirSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { tempDir } from "../../test/helpers/temp-dir.ts";
import { holdDiskSpace, roomError } from "./disk-reserve.ts";

test("space is held until it is given away, and where there is none that is no failure", () => {
  const temp = tempDir();
  const dir = temp.path;
  try {
    const path = join(dir, "reserve");
    {
      using reserve = holdDiskSpace(path);
      expect(statSync(path).size).toBe(8 * 1024 * 1024);
      reserve.release();
      expect(existsSync(path)).toBe(false);
    }
    {
      using _reserve = holdDiskSpace(path);
      expect(existsSync(path)).toBe(true);
    }
    expect(existsSync(path)).toBe(false);
    using _nowhere = holdDiskSpace(join(dir, "nowhere", "reserve"));
  } finally {
    temp[Symbol.dispose]();
  }
});

test("where there is room, and where a directory refuses for another reason, nothing is said to be full, or left", () => {
  using temp = tempDir();
  expect(roomError(temp.path)).toBeNull();
  mkdirSync(temp.join("tmp"));
  expect(roomError(temp.path)).toBeNull();
  expect(roomError(temp.join("nowhere"))).toBeNull();
  expect(readdirSync(temp.path, { recursive: true })).toEqual(["tmp"]);
});
