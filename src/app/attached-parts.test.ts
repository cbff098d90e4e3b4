import { expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { TENANT, Workshop } from "../jobs/testing/workshop.ts";
import { silentLog } from "../platform/log.ts";
import { deleteFile } from "../storage/removal.ts";
import { type AttachedDeps, attachedParts } from "./attached-parts.ts";

test("a file that is deleted while it is read leaves nothing of its text", async () => {
  await using shop = new Workshop();
  await shop.store();
  await shop.attach("file-1", "some words");
  const { storage, blobs, parsed, dir: dataDir } = shop;
  const written: string[] = [];
  const text: AttachedDeps["parse"]["text"] = async ({ cachePath }) => {
    await storage.transaction((tables) => deleteFile(tables, TENANT, "file-1", 5));
    // Its deletion has looked for it by now.
    written.push(cachePath);
    await Bun.write(cachePath, "parsed");
    return ["some words"];
  };
  const parts = attachedParts({ storage, blobs, parsed, parse: { text }, dataDir, log: silentLog });
  const asker = { tenant: TENANT, signal: new AbortController().signal };
  expect(await parts(asker).text({ type: "input_file", file_id: "file-1" })).toBe("some words");
  expect(written.map((path) => existsSync(path))).toEqual([false]);
});
