import { existsSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { gzipSync } from "node:zlib";
import { expect, setDefaultTimeout, test } from "bun:test";
import { tempDir } from "../../test/helpers/temp-dir.ts";
import { knownLanguages, unpacked } from "../workers/ocr-languages.ts";
import { cellsOf, lectern } from "./testing/command.ts";

// The engine loads what is added.
setDefaultTimeout(60_000);

const english = async () => unpacked(await Bun.file(knownLanguages("/nowhere")[0]?.path ?? "").bytes());

test("a language is added packed or not, listed with where it is, and removed", async () => {
  using dir = tempDir();
  const data = ["--data", dir.join("data")];
  writeFileSync(dir.join("deu.traineddata.gz"), gzipSync(await english()));
  const added = await lectern(["ocr", "add", dir.join("deu.traineddata.gz"), ...data]);
  expect(added).toEqual({ status: 0, out: "Added deu\n", err: "" });
  expect(readdirSync(dir.join("data/ocr"))).toEqual(["deu.traineddata"]);
  const listed = await lectern(["ocr", "list", ...data]);
  expect(listed.err).toMatch(/^LANGUAGE +WHERE +MB\n$/);
  expect(cellsOf(listed.out).map(([name, where]) => [name, where])).toEqual([
    ["deu", "added"],
    ["eng", "inside"],
  ]);
  const { languages } = JSON.parse(
    (await lectern(["ocr", "list", "--json"], { env: { LECTERN_DATA: dir.join("data") } })).out,
  );
  expect(languages).toMatchObject([
    { name: "deu", built_in: false },
    { name: "eng", built_in: true },
  ]);
  expect(await lectern(["ocr", "remove", "deu", ...data])).toEqual({ status: 0, out: "Removed deu\n", err: "" });
  expect(readdirSync(dir.join("data/ocr"))).toEqual([]);
});

test("what is no language is refused with the reason, and nothing of it is kept", async () => {
  using dir = tempDir();
  mkdirSync(dir.join("ita.traineddata"));
  writeFileSync(dir.join("fra.traineddata"), "<!doctype html><title>404</title>");
  writeFileSync(dir.join("spa.traineddata.gz"), "not packed");
  writeFileSync(dir.join("notes.txt"), "");
  const cases: [file: string, why: string][] = [
    ["notes.txt", "is not named as a language's data is"],
    ["deu.traineddata", "does not exist"],
    ["ita.traineddata", "it is no file"],
    ["fra.traineddata", "it does not begin as one does"],
    ["spa.traineddata.gz", "is no language's data for OCR"],
  ];
  for (const [file, why] of cases) {
    const { status, err } = await lectern(["ocr", "add", dir.join(file), "--data", dir.join("data")]);
    expect([status, err]).toEqual([1, expect.stringContaining(why)]);
  }
  expect(existsSync(dir.join("data/ocr")) ? readdirSync(dir.join("data/ocr")) : []).toEqual([]);
});

test.each([
  ["eng", "eng is inside the program and cannot be removed."],
  ["deu", "There is no language deu"],
])("%s is not removed: %s", async (name, sentence) => {
  using dir = tempDir();
  const { status, err } = await lectern(["ocr", "remove", name, "--data", dir.path]);
  expect([status, err]).toEqual([1, expect.stringContaining(sentence)]);
});
