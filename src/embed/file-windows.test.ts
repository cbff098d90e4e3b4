import { describe, expect, test } from "bun:test";
import { seededRandom } from "../../test/helpers/random.ts";
import { type ChunkPlace, type WindowedChunk, windowsOf } from "./file-windows.ts";

const SENTENCES: Record<string, (i: number) => string> = {
  English: (i) => `Sentence number ${i} of this text says something of its own, at some length. `,
  "astral characters": (i) => `🦉🦉 ${i} owls are seen here, and 🦉 more of them there. `,
  Chinese: (i) => `这是第${i}句话，它说的是自己的事情，而且说得相当长。`,
  "one long word": (i) => "abcdefghij"[i % 10]?.repeat(60) ?? "",
};

/** Chunks of some characters each that share some with the next one, as cut by place. */
function chunksOf(text: string, size: number, overlap: number) {
  const characters = [...text];
  const chunks: { idx: number; text: string; start: number; end: number }[] = [];
  for (let start = 0; ; start += size - overlap) {
    const end = Math.min(characters.length, start + size);
    chunks.push({ idx: chunks.length, text: characters.slice(start, end).join(""), start, end });
    if (end === characters.length) return chunks;
  }
}

type Chunk = ReturnType<typeof chunksOf>[number];

const placesOf = (chunks: readonly Chunk[]): ChunkPlace[] =>
  chunks.map(({ idx, text, start, end }) => ({ idx, start, end, length: [...text].length }));
const squeezed = (text: string) => text.replaceAll(/\s/g, "");

/** What each chunk has in the end: its own and those that it shares, of all that were brought before. */
function runsOf(cut: readonly WindowedChunk[]): string[][] {
  const brought: string[] = [];
  return cut.map(({ own, shared }) => {
    const from = brought.length - shared;
    brought.push(...own);
    return brought.slice(from);
  });
}

describe.each(Object.entries(SENTENCES))("%s", (_, sentence) => {
  const text = Array.from({ length: 200 }, (__, i) => sentence(i)).join("");

  test.each([
    [1600, 800],
    [1600, 0],
    [1500, 400],
    [400, 200],
    [900, 600],
    [5000, 2500],
  ])("chunks of %d characters that share %d are runs of windows, and no text is embedded twice", (size, overlap) => {
    const chunks = chunksOf(text, size, overlap);
    const places = placesOf(chunks);
    const cut = chunks.map((chunk) => windowsOf(chunk, places, 128));
    runsOf(cut).forEach((run, i) => {
      // Widened windows say more than once what little stands in them.
      expect(squeezed(run.join("")).length).toBeGreaterThanOrEqual(squeezed(chunks[i]?.text ?? "").length);
      for (const window of run) expect(chunks[i]?.text).toContain(window);
    });
    const embedded = cut.flatMap(({ own }) => own).join("").length;
    expect(embedded / text.length).toBeLessThan(size > 1000 ? 1.1 : 1.3);
    expect(embedded).toBeGreaterThanOrEqual(squeezed(text).length);
  });

  test("windows are of about the length that is asked for", () => {
    const chunks = chunksOf(text, 1600, 800);
    const windows = chunks.flatMap((chunk) => windowsOf(chunk, placesOf(chunks), 128).own);
    const bytes = windows.map((window) => Buffer.byteLength(window)).sort((a, b) => a - b);
    expect(bytes[Math.floor(bytes.length / 2)]).toBeWithin(128 * 4 * 0.6, 128 * 4 * 1.4);
    expect(bytes.at(-1)).toBeLessThan(128 * 4 * 2);
  });
});

test("a chunk is cut alike whatever else is known of the file, so it can be cut again by itself", () => {
  const random = seededRandom(3);
  const text = Array.from({ length: 300 }, (_, i) => SENTENCES["English"]?.(i)).join("");
  const chunks: Chunk[] = [];
  for (let start = 0, end = 0; end < text.length;) {
    start = Math.max(start, end - random.below(900));
    end = Math.min(text.length, Math.max(end + 1, start + 200 + random.below(1500)));
    chunks.push({ idx: chunks.length, text: text.slice(start, end), start, end });
  }
  const places = placesOf(chunks);
  const cut = chunks.map((chunk) => windowsOf(chunk, places, 64));
  chunks.forEach((chunk, i) => {
    const reaching = places.filter(({ start, end }) => start < chunk.end && end > chunk.start);
    expect(windowsOf(chunk, reaching, 64)).toEqual(cut[i] ?? { own: [], shared: 0 });
  });
  runsOf(cut).forEach((run, i) => {
    // One that says too little alone has words from before it, which another chunk that has it may lack.
    const near = text.slice(Math.max(0, (chunks[i]?.start ?? 0) - 200), chunks[i]?.end);
    for (const window of run) expect(near).toContain(window);
    expect(squeezed(run.join("")).length).toBeGreaterThanOrEqual(squeezed(chunks[i]?.text ?? "").length);
  });
});

test("nothing is shared with a text that is not what stands at its place, nor with one that does not reach in", () => {
  const text = Array.from({ length: 60 }, (_, i) => SENTENCES["English"]?.(i)).join("");
  const [first, second, third] = chunksOf(text, 1600, 800);
  if (first === undefined || second === undefined || third === undefined) throw new Error("too short");
  const other = { ...second, text: "Another text than that of the file." };
  const beside = { idx: 3, text: "Put in beside the file.", start: text.length + 1, end: text.length + 24 };
  const places = placesOf([first, other, third, beside]);
  expect(windowsOf(other, places, 128)).toEqual({ own: [other.text], shared: 0 });
  expect(windowsOf(third, places, 128)).toMatchObject({ shared: 0 });
  expect(windowsOf(third, places, 128).own.join("").length).toBeGreaterThan(1500);
  expect(windowsOf(beside, places, 128)).toEqual({ own: [beside.text], shared: 0 });
  const blank = { idx: 0, text: " \n ", start: 0, end: 3 };
  expect(windowsOf(blank, placesOf([blank]), 128)).toEqual({ own: [" \n "], shared: 0 });
});

test("a short text is one window, and sentences stay whole where they can", () => {
  const text = Array.from({ length: 10 }, (_, i) => SENTENCES["English"]?.(i)).join("");
  const [chunk] = chunksOf(text, 10_000, 0);
  if (chunk === undefined) throw new Error("no chunk");
  expect(windowsOf(chunk, placesOf([chunk]), 256).own).toEqual([text.trim()]);
  const { own } = windowsOf(chunk, placesOf([chunk]), 64);
  expect(own.length).toBeGreaterThan(2);
  for (const window of own) expect(window).toMatch(/^Sentence.*length\.$/s);
});

test("the work is linear in the text", () => {
  const text = "a".repeat(1_000_000);
  const startedAt = performance.now();
  const chunk = { idx: 0, text, start: 0, end: text.length };
  expect(windowsOf(chunk, placesOf([chunk]), 16).own.length).toBeGreaterThan(10_000);
  expect(performance.now() - startedAt).toBeLessThan(5000);
});
