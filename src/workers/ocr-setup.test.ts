import { expect, test } from "bun:test";
import { tempDir } from "../../test/helpers/temp-dir.ts";
import { createOcr } from "./ocr-setup.ts";

const BOUNDS = { maxPages: 10, maxSeconds: 5, slots: 1, memoryBytes: 2 ** 30 };

test.each<[mode: "auto" | "off", languages: string, available: boolean]>([
  ["auto", "eng", true],
  // Better some of the languages than none.
  ["auto", "eng+xyz", true],
  ["off", "eng", false],
])("with --ocr %s and the languages %s scans can be read: %p", async (mode, languages, available) => {
  using dir = tempDir();
  await using ocr = createOcr({ mode, languages, dataDir: dir.path, ...BOUNDS });
  expect(ocr.isAvailable()).toBe(available);
  expect(ocr.limits).toMatchObject({ maxPages: 10, maxSeconds: 5, slots: 1 });
});
