import { describe, expect, test } from "bun:test";
import { loadOnnxRuntime } from "../../platform/native.ts";
import { TABLE_DIMENSIONS, TABLE_WINDOW, wordTableFolder } from "../testing/word-table.ts";
import { fitVectors } from "../vectors.ts";
import { characterDirection } from "./character-direction.ts";
import { memoryModelFiles } from "./model-files.ts";
import { createLocalModel } from "./session.ts";

const DIMENSIONS = 256;
const cosine = (a: string, b: string) => dot(characterDirection(a, DIMENSIONS), characterDirection(b, DIMENSIONS));
const dot = (a: Float32Array, b: Float32Array) => a.reduce((sum, x, i) => sum + x * (b[i] ?? 0), 0);

const TEXTS = [
  "退款政策",
  "שלום עולם",
  "ธนาคารกรุงเทพ",
  "مرحبا",
  "मुंबई में बारिश",
  "🎉",
  "👨‍👩‍👧",
  "...",
  "—",
  "\ud83d",
  "\u200b",
  "",
  "  \n",
];

describe("the direction of a text's characters", () => {
  test.each(TEXTS)("of %j has length 1, in every size", (text) => {
    for (const dimensions of [1, 2, 64, 256, 1024]) {
      const direction = characterDirection(text, dimensions);
      expect(Math.hypot(...direction)).toBeCloseTo(1, 5);
    }
    for (const kept of [1, 8, 64]) {
      expect(Math.hypot(...fitVectors(characterDirection(text, DIMENSIONS), DIMENSIONS, kept))).toBeCloseTo(1, 5);
    }
  });

  test("is the same for the same text, whatever blanks are around it, its case and its form", () => {
    for (const [a, b] of [
      ["退款政策", " 退款政策\n"],
      ["é", "e\u0301"],
      ["ПРИВЕТ", "привет"],
      ["Ａ", "a"],
      ["", " \t"],
      ["שלום  עולם", "שלום\nעולם"],
    ] as const)
      expect(cosine(a, b)).toBeCloseTo(1, 5);
  });

  test("is near where texts share stretches, and at a right angle where they share none", () => {
    expect(cosine("请问退款需要多长时间？退款政策规定三十天内可以退款。", "退款政策")).toBeGreaterThan(0.3);
    expect(cosine("ธนาคารกรุงเทพ", "ธนาคารแห่งประเทศไทย")).toBeGreaterThan(0.3);
    for (const [i, a] of TEXTS.slice(0, 10).entries())
      for (const b of TEXTS.slice(i + 1, 10)) expect([a, b, Math.abs(cosine(a, b)) < 0.3]).toEqual([a, b, true]);
  });

  test("tells the order of characters", () => {
    expect(cosine("上海", "海上")).toBeLessThan(0.9);
  });

  test("takes time in proportion to a bound, however long the text", () => {
    const long = Array.from({ length: 2_000_000 }, (_, i) => String.fromCharCode(0x4e00 + (i % 20_000))).join("");
    const started = performance.now();
    characterDirection(long, DIMENSIONS);
    characterDirection("\u0301".repeat(2_000_000), DIMENSIONS);
    expect(performance.now() - started).toBeLessThan(2000);
  });
});

describe("a model that knows nothing of a text", () => {
  const open = () =>
    createLocalModel(loadOnnxRuntime(), memoryModelFiles(wordTableFolder()), {
      id: "m",
      location: "local",
      threads: 1,
    });

  test("gives its characters' direction, the same in every window", async () => {
    const model = await open();
    const long = "退款政策".repeat(20);
    const [query] = await model.embed(["退款政策"], "query");
    const [short, blank, longer] = await model.embed([" 退款政策 ", "  ", long], "passage");
    await model.dispose();
    expect(short?.vectors).toEqual(characterDirection("退款政策", TABLE_DIMENSIONS));
    expect(query?.vectors).toEqual(short?.vectors as Float32Array);
    expect(blank?.vectors).toEqual(characterDirection("", TABLE_DIMENSIONS));
    expect(longer?.windows).toBe(80 / TABLE_WINDOW);
    for (let w = 0; w < 80 / TABLE_WINDOW; w++)
      expect(longer?.vectors.subarray(w * TABLE_DIMENSIONS, (w + 1) * TABLE_DIMENSIONS)).toEqual(
        characterDirection(long, TABLE_DIMENSIONS),
      );
  });

  test("leaves alone what it knows something of, windows of nothing included", async () => {
    const model = await open();
    const [text] = await model.embed([`the cat ${"退款政策".repeat(20)}`], "passage");
    await model.dispose();
    expect(text?.windows).toBeGreaterThan(2);
    expect(Math.hypot(...(text?.vectors.subarray(0, TABLE_DIMENSIONS) ?? []))).toBeCloseTo(1, 5);
    expect(text?.vectors.subarray(-TABLE_DIMENSIONS).every((x) => x === 0)).toBe(true);
  });
});
