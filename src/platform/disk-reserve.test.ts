import { expect, test } from "bun:test";
import { existsSync, statSync } from "node:fs";
import { join } from "node:path";
import { tempDir } from "../../test/helpers/temp-dir.ts";
import { holdDiskSpace } from "./disk-reserve.ts";

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
