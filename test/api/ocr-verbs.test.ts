/** `lectern ocr`: languages are files of the data directory, whether a server runs on it or not. */
import { existsSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "bun:test";
import { runLectern, startServer } from "../helpers/server.ts";
import { tempDir } from "../helpers/temp-dir.ts";
import { ROOT } from "../helpers/server.ts";

const ENGLISH = join(ROOT, "node_modules/@tesseract.js-data/eng/4.0.0_best_int/eng.traineddata.gz");
const packed = () => Bun.file(ENGLISH).bytes();

test("a language is tried, added, listed and removed without a server", async () => {
  using dir = tempDir();
  const run = (...args: string[]) => runLectern(["ocr", ...args, "--data", dir.join("data")]);
  expect((await run("list")).out).toMatch(/^eng +inside +\d+\.\d\n$/);
  // English under another name stands for any language.
  writeFileSync(dir.join("deu.traineddata.gz"), await packed());
  writeFileSync(dir.join("fra.traineddata"), Bun.gunzipSync(await packed()));
  expect(await run("add", dir.join("deu.traineddata.gz"), dir.join("fra.traineddata"))).toMatchObject({
    status: 0,
    out: "Added deu\nAdded fra\n",
  });
  expect(readdirSync(dir.join("data/ocr")).sort()).toEqual(["deu.traineddata", "fra.traineddata"]);
  const { languages } = JSON.parse((await run("list", "--json")).out) as { languages: { name: string }[] };
  expect(languages.map((language) => language.name)).toEqual(["deu", "eng", "fra"]);
  expect((await run("remove", "deu")).out).toBe("Removed deu\n");
  expect((await run("remove", "deu")).err).toContain("There is no language deu");
  expect((await run("remove", "eng")).err).toContain("inside the program");
});

test("what is no language is refused in one line, and nothing is left of it", async () => {
  using dir = tempDir();
  const whole = Bun.gunzipSync(await packed());
  const files: [string, Uint8Array, string][] = [
    ["deu.txt", whole, "is not named as a language's data is"],
    ["de-u.traineddata", whole, "is not named as a language's data is"],
    ["deu.traineddata", whole.subarray(0, 500_000), "it is cut off or damaged"],
    ["fra.traineddata", new TextEncoder().encode("<html>404 Not Found</html>"), "it does not begin as one does"],
    ["ita.traineddata", new Uint8Array(whole).fill(7, 2000, 400_000), "the engine cannot load it"],
    ["spa.traineddata.gz", Uint8Array.of(0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3), "it cannot be read"],
  ];
  for (const [name, bytes, message] of files) {
    writeFileSync(dir.join(name), bytes);
    const refused = await runLectern(["ocr", "add", dir.join(name), "--data", dir.join("data")]);
    expect([name, refused.status, refused.err.trim().split("\n").length]).toEqual([name, 1, 1]);
    expect(refused.err).toContain(message);
  }
  expect((await runLectern(["ocr", "add", dir.join("none.traineddata")])).err).toContain("does not exist");
  expect((await runLectern(["ocr", "add"])).err).toContain("Say what to do: lectern ocr list, add FILE");
  expect(existsSync(dir.join("data/ocr")) ? readdirSync(dir.join("data/ocr")) : []).toEqual([]);
});

test("help names the files and the setting", async () => {
  const { out } = await runLectern(["help", "ocr"]);
  expect(out).toContain("lectern ocr list | add FILE... | remove LANGUAGE...");
  expect(out).toContain("--ocr-languages");
});

test("a running server reads scans in a language that is added while it runs", async () => {
  await using server = await startServer({ env: { LECTERN_OCR_LANGUAGES: "deu", PATH: "/nowhere" } });
  using dir = tempDir();
  writeFileSync(dir.join("deu.traineddata.gz"), await packed());
  const { makeScanTiff, SCAN_TEXT } = await import("../fixtures/parse/scan.ts");
  const store = await server.client.vectorStores.create({ name: "scans" });
  const index = async (name: string) =>
    await server.client.vectorStores.files.uploadAndPoll(store.id, new File([new Uint8Array(makeScanTiff(1))], name));
  expect((await index("before.tif")).last_error?.code).toBe("unsupported_file");
  expect((await runLectern(["ocr", "add", dir.join("deu.traineddata.gz"), "--data", server.dataDir])).status).toBe(0);
  const file = await index("after.tif");
  expect(file.status).toBe("completed");
  const content = await server.client.vectorStores.files.content(file.id, { vector_store_id: store.id });
  expect(
    content.data
      .map((part) => part.text)
      .join("")
      .replace(/\s+/g, " "),
  ).toBe(SCAN_TEXT);
}, 240_000);
