import { describe, expect, test } from "bun:test";

import { chunkDocument } from "./chunk.ts";
import type { Chunk, ChunkStrategy } from "./chunk.ts";
import type { ParsedDocument } from "../parse/document.ts";
import { BREAK } from "../parse/document.ts";
import { countTokens } from "./tokens.ts";
import { seededRandom } from "../../test/helpers/random.ts";

function plain(text: string, more: Partial<ParsedDocument> = {}): ParsedDocument {
  return {
    text,
    pages: null,
    headings: [],
    breaks: { offsets: new Uint32Array(), ranks: new Uint8Array() },
    regions: [],
    kind: "text",
    title: null,
    metadata: {},
    warnings: [],
    scanned: [],
    ...more,
  };
}

const SCRIPTS: ((random: () => number) => string)[] = [
  (r) => word(r, 97, 122, 1 + r() * 10) + " ",
  (r) => word(r, 97, 122, 1 + r() * 10) + ". ",
  (r) => word(r, 0x430, 0x44f, 1 + r() * 9) + (r() < 0.1 ? "!\n" : " "),
  (r) => word(r, 0x4e00, 0x6e00, 1 + r() * 30) + (r() < 0.3 ? "。" : ""),
  (r) => word(r, 0x3041, 0x3096, 1 + r() * 20),
  (r) => word(r, 0xe01, 0xe30, 1 + r() * 20) + "\u0e34",
  (r) => word(r, 0x905, 0x939, 1 + r() * 6) + "\u093f ",
  (r) => word(r, 0x627, 0x64a, 1 + r() * 8) + " ",
  (r) => word(r, 0xac00, 0xd7a3, 1 + r() * 5) + " ",
  () => "👩‍👩‍👧‍👦",
  () => "🇩🇪",
  (r) => "e\u0301".repeat(1 + r() * 4),
  (r) => "\n".repeat(1 + r() * 3),
  (r) => " ".repeat(1 + r() * 20),
  (r) => word(r, 33, 47, 1 + r() * 6) + "\n",
  (r) => String(Math.floor(r() * 1e9)) + (r() < 0.5 ? "," : "\t"),
  (r) => word(r, 65, 90, 300 * r() * 10),
  () => "don't 's 'll ",
  () => "<|endoftext|>",
];

function word(random: () => number, low: number, high: number, length: number): string {
  let out = "";
  for (let i = 0; i < length; i++) {
    out += String.fromCodePoint(low + Math.floor(random() * (high - low + 1)));
  }
  return out;
}

function randomText(random: () => number, length: number): string {
  let out = "";
  let script = SCRIPTS[0]!;
  while (out.length < length) {
    if (random() < 0.1) script = SCRIPTS[Math.floor(random() * SCRIPTS.length)]!;
    out += script(random);
  }
  return out;
}

function check(doc: ParsedDocument, strategy: ChunkStrategy): Chunk[] {
  const chunks = chunkDocument(doc, strategy);
  const points = [...doc.text];
  const units = [0];
  for (const point of points) units.push(units.at(-1)! + point.length);
  const boundaries = new Set<number>([doc.text.length]);
  for (const { index } of new Intl.Segmenter(undefined, { granularity: "grapheme" }).segment(doc.text)) {
    boundaries.add(index);
  }
  const lines = [1];
  for (const point of points) lines.push(lines.at(-1)! + (point === "\n" ? 1 : 0));
  const covered = new Uint8Array(points.length);
  chunks.forEach((chunk, i) => {
    expect(chunk.index).toBe(i);
    expect(points.slice(chunk.start, chunk.end).join("")).toBe(chunk.text);
    expect(chunk.text.trim()).toBe(chunk.text);
    expect(chunk.text.length).toBeGreaterThan(0);
    expect(countTokens(chunk.text)).toBe(chunk.tokens);
    expect(chunk.tokens).toBeLessThanOrEqual(strategy.maxTokens);
    expect(boundaries.has(units[chunk.start]!)).toBe(true);
    expect(boundaries.has(units[chunk.end]!)).toBe(true);
    expect([chunk.line, chunk.lineEnd]).toEqual(
      doc.pages === null ? [lines[chunk.start]!, lines[chunk.end - 1]!] : [null, null],
    );
    covered.fill(1, chunk.start, chunk.end);
    const before = chunks[i - 1];
    if (before === undefined) return;
    expect(chunk.start).toBeGreaterThan(before.start);
    expect(chunk.end).toBeGreaterThan(before.end);
    const shared = points.slice(chunk.start, before.end).join("");
    expect(countTokens(shared)).toBeLessThanOrEqual(strategy.overlapTokens);
  });
  points.forEach((point, i) => {
    if (covered[i] === 0 && point.trim() !== "") throw new Error(`code point ${i} (${point}) is in no chunk`);
  });
  return chunks;
}

describe("chunkDocument over random multilingual text", () => {
  const strategies: ChunkStrategy[] = [
    { maxTokens: 800, overlapTokens: 400 },
    { maxTokens: 100, overlapTokens: 50 },
    { maxTokens: 100, overlapTokens: 0 },
    { maxTokens: 257, overlapTokens: 20 },
    { maxTokens: 4096, overlapTokens: 2048 },
  ];
  for (const strategy of strategies) {
    test(`keeps its invariants at ${strategy.maxTokens}/${strategy.overlapTokens}`, () => {
      for (let seed = 1; seed <= 6; seed++) {
        const random = seededRandom(seed * 7919 + strategy.maxTokens);
        const text = randomText(random, 3000 + random() * 20_000);
        const first = check(plain(text), strategy);
        expect(chunkDocument(plain(text), strategy)).toEqual(first);
      }
    }, 180_000);
  }

  test("keeps its invariants with breaks and regions anywhere", () => {
    for (let seed = 1; seed <= 6; seed++) {
      const random = seededRandom(seed);
      const text = Array.from({ length: 400 }, () => word(random, 97, 122, 8 * random())).join(" | ");
      const offsets: number[] = [];
      const ranks: number[] = [];
      for (let at = 0; at < text.length; at += 1 + Math.floor(random() * 90)) {
        offsets.push(at);
        ranks.push([BREAK.row, BREAK.unit, BREAK.section][Math.floor(random() * 3)]!);
      }
      const breaks = { offsets: Uint32Array.from(offsets), ranks: Uint8Array.from(ranks) };
      const regions = [{ start: 100, end: Math.floor(text.length / 2), header: "Name | Age" }];
      check(plain(text, { breaks, regions }), { maxTokens: 120, overlapTokens: 60 });
    }
  });
});

describe("chunkDocument", () => {
  test("gives no chunk for text of white space only", () => {
    expect(chunkDocument(plain(" \n\t\u3000 "), { maxTokens: 800, overlapTokens: 400 })).toEqual([]);
  });

  test("gives one whole chunk for a short text", () => {
    expect(chunkDocument(plain("  Héllo 😀 world \n"), { maxTokens: 800, overlapTokens: 400 })).toEqual([
      {
        index: 0,
        text: "Héllo 😀 world",
        tokens: 5,
        start: 2,
        end: 15,
        page: null,
        pageEnd: null,
        line: 1,
        lineEnd: 1,
        heading: [],
      },
    ]);
  });

  test("overlaps consecutive chunks by about what was asked", () => {
    const text = Array.from({ length: 4000 }, (_, i) => `This is sentence number ${i}.`).join(" ");
    const chunks = check(plain(text), { maxTokens: 800, overlapTokens: 400 });
    for (let i = 1; i < chunks.length; i++) {
      const shared = countTokens([...text].slice(chunks[i]!.start, chunks[i - 1]!.end).join(""));
      expect(shared).toBeGreaterThan(350);
      expect(chunks[i]!.text).toStartWith("This is sentence");
      expect(chunks[i - 1]!.text).toEndWith(".");
    }
  });

  test("ends at a section where one begins in the second half of the chunk", () => {
    const text = `${"alpha beta gamma. ".repeat(24).trim()}\n\n${"delta epsilon zeta. ".repeat(90)}`;
    const at = text.indexOf("delta");
    const doc = plain(text, {
      breaks: { offsets: Uint32Array.of(at), ranks: Uint8Array.of(BREAK.section) },
      headings: [{ level: 1, text: "Two", start: at }],
    });
    const chunks = check(doc, { maxTokens: 120, overlapTokens: 0 });
    expect(chunks[0]!.text).toEndWith("gamma.");
    expect(chunks[0]!.heading).toEqual([]);
    expect(chunks[1]!.text).toStartWith("delta");
    expect(chunks[1]!.heading).toEqual(["Two"]);
  });

  test("never cuts inside a row that fits, and names the table's header", () => {
    const rows = Array.from({ length: 200 }, (_, i) => `item ${i} | some longer description. With a stop. | ${i * 7}`);
    const text = ["Name | Description | Price", ...rows].join("\n");
    const offsets: number[] = [];
    for (let at = 0; at >= 0 && at < text.length; at = text.indexOf("\n", at) + 1 || text.length) offsets.push(at);
    const doc = plain(text, {
      breaks: { offsets: Uint32Array.from(offsets), ranks: new Uint8Array(offsets.length).fill(BREAK.row) },
      regions: [{ start: 0, end: text.length, header: "Name | Description | Price" }],
    });
    const chunks = check(doc, { maxTokens: 130, overlapTokens: 60 });
    for (const chunk of chunks.slice(1)) {
      expect(chunk.text).toMatch(/^item \d+ \|[^]*\| \d+$/);
      expect(chunk.heading).toEqual(["Name | Description | Price"]);
    }
  });

  test("cites the pages a chunk begins and ends on", () => {
    const text = "one two three. ".repeat(40) + "four five six. ".repeat(40);
    const middle = text.indexOf("four");
    const pages = [
      { number: 1, start: 0, end: middle },
      { number: 2, start: middle, end: text.length },
    ];
    const chunks = check(plain(text, { pages }), { maxTokens: 200, overlapTokens: 20 });
    expect(chunks[0]).toMatchObject({ page: 1, pageEnd: 2 });
    expect(chunks.at(-1)).toMatchObject({ page: 2, pageEnd: 2 });
  });

  test("keeps the path of headings in force", () => {
    const text = `A\n\nB\n\n${"word ".repeat(150)}\n\nC\n\n${"more ".repeat(150)}`;
    const doc = plain(text, {
      headings: [
        { level: 1, text: "A", start: 0 },
        { level: 2, text: "B", start: 3 },
        { level: 2, text: "C", start: text.indexOf("C") },
      ],
    });
    const chunks = check(doc, { maxTokens: 100, overlapTokens: 0 });
    expect(chunks[1]!.heading).toEqual(["A", "B"]);
    expect(chunks.at(-1)!.heading).toEqual(["A", "C"]);
  });

  for (const [name, text] of [
    ["a million letters without a space", "abcdefghij".repeat(100_000)],
    ["a million ideographs", "漢字仮名交文".repeat(166_667)],
    ["a million spaces between two words", `a${" ".repeat(1_000_000)}b`],
    ["a million line ends", `a${"\n".repeat(1_000_000)}b`],
    ["half a million emoji", "😀".repeat(500_000)],
  ] as const) {
    test(`takes ${name} in linear time`, () => {
      const started = performance.now();
      const chunks = chunkDocument(plain(text), { maxTokens: 800, overlapTokens: 400 });
      expect(performance.now() - started).toBeLessThan(15_000);
      expect(chunks.at(-1)!.end).toBe([...text].length);
    }, 180_000);
  }
});
