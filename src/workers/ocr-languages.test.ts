import { mkdirSync, writeFileSync } from "node:fs";
import { gzipSync } from "node:zlib";
import { describe, expect, test } from "bun:test";
import { tempDir } from "../../test/helpers/temp-dir.ts";
import { faultOfLanguage, findLanguages, knownLanguages, languagePath, unpacked } from "./ocr-languages.ts";

const english = async () => unpacked(await Bun.file(knownLanguages("/nowhere")[0]?.path ?? "").bytes());

describe("languages", () => {
  test("are the one inside where none was added", () => {
    expect(knownLanguages("/nowhere").map(({ name, isBuiltIn }) => [name, isBuiltIn])).toEqual([["eng", true]]);
    expect(findLanguages("/nowhere", "deu+eng")).toMatchObject({ found: [{ name: "eng" }], missing: ["deu"] });
  });

  test("are found as soon as their files are there, in the order wanted", () => {
    using dir = tempDir();
    mkdirSync(dir.join("ocr"));
    const directory = dir.join("ocr");
    for (const name of ["deu", "eng", "chi_sim"]) writeFileSync(languagePath(directory, name), name);
    for (const other of ["fra.traineddata.7.tmp", "x.txt", "../deu"])
      writeFileSync(`${directory}/${other.replace("../", "..")}`, "");
    mkdirSync(languagePath(directory, "ita"));
    expect(knownLanguages(directory).map(({ name, isBuiltIn }) => [name, isBuiltIn])).toEqual([
      ["chi_sim", false],
      ["deu", false],
      ["eng", false],
    ]);
    const { found, missing } = findLanguages(directory, "deu+eng+deu++ita");
    expect([found.map((language) => language.path), missing]).toEqual([
      [languagePath(directory, "deu"), languagePath(directory, "eng")],
      ["ita"],
    ]);
  });
});

describe("faultOfLanguage", () => {
  test("finds none in the language inside", async () => {
    expect(faultOfLanguage(await english())).toBeNull();
  });

  test("refuses what is none", async () => {
    const whole = await english();
    const legacy = new Uint8Array(whole);
    new DataView(legacy.buffer).setBigInt64(4 + 8 * 17, -1n, true);
    const cases: [Uint8Array, string][] = [
      [new Uint8Array(), "it is too small to be one"],
      [new TextEncoder().encode("<!doctype html><title>404</title>"), "it does not begin as one does"],
      [whole.subarray(0, 100_000), "it is cut off or damaged"],
      [
        legacy,
        "it holds no neural network (LSTM), the only kind that is read; take one of tessdata_fast or tessdata_best",
      ],
    ];
    for (const [bytes, fault] of cases) expect(faultOfLanguage(bytes)).toBe(fault);
  });

  test("a packed file that unpacks to more than any has is not unpacked", () => {
    expect(() => unpacked(gzipSync(new Uint8Array(257 * 2 ** 20)))).toThrow();
  });
});
