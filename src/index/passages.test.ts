import { expect, test } from "bun:test";
import { encodeTerms, queryTerms } from "./analyzer.ts";
import { seededRandom } from "../../test/helpers/random.ts";
import { StoreIndex } from "./store-index.ts";
import { WindowCounter } from "./term-blob.ts";

const random = seededRandom(12);
const FILLER = Array.from({ length: 300 }, (_, i) => `w${String.fromCharCode(97 + (i % 26), 97 + Math.floor(i / 26))}`);
const filler = (words: number): string => Array.from({ length: words }, () => random.pick(FILLER)).join(" ");

function search(texts: readonly string[], query: string, withBlobs = true, byWindows = true) {
  const blobs = texts.map((text) => encodeTerms({ text, heading: [], title: "" }));
  const asked: number[] = [];
  const fetchTerms = (ids: readonly number[]) => {
    asked.push(...ids);
    return ids.map((id) => (id === 999 ? null : blobs[id]!));
  };
  const index = new StoreIndex({ dimensions: 1, fetchVectors: () => [], ...(withBlobs ? { fetchTerms } : {}) });
  const chunks = blobs.map((terms, chunkId) => ({ chunkId, terms, vectors: new Float32Array(0) }));
  index.addFile({ fileKey: 1, fileId: "f", filename: "f", attributes: {}, chunks });
  return { asked, ...index.search({ vector: null, terms: queryTerms(query), filter: null, depth: 200, byWindows }) };
}

const scattered = `${filler(250)} zebra ${filler(250)} quagga ${filler(100)}`;
const together = `${filler(400)} zebra quagga ${filler(200)}`;

test("of two long chunks with the same words, the one that has them together is better", () => {
  const texts = [scattered, together, ...Array.from({ length: 20 }, () => filler(600))];
  const whole = search(texts, "zebra quagga", false).keyword;
  expect(Math.abs(whole[0]!.score - whole[1]!.score)).toBeLessThan(0.1);
  const refined = search(texts, "zebra quagga");
  expect(refined.keyword.map((hit) => hit.chunkId)).toEqual([1, 0]);
  expect(refined.keyword[0]!.score).toBeGreaterThan(refined.keyword[1]!.score * 1.2);
  expect(refined.keyword[0]!.score).toBeLessThanOrEqual(refined.maxKeywordScore);
});

test("short chunks are scored as they are, without reading them", () => {
  const texts = ["zebra quagga", "zebra and a quagga", ...Array.from({ length: 20 }, () => filler(40))];
  const refined = search(texts, "zebra quagga");
  expect(refined.asked).toEqual([]);
  expect(refined.keyword).toEqual(search(texts, "zebra quagga", false).keyword);
});

test("whoever asks for whole chunks only gets those scores, and nothing is read for it", () => {
  const texts = [scattered, together, ...Array.from({ length: 20 }, () => filler(600))];
  const { asked, keyword } = search(texts, "zebra quagga", true, false);
  expect(asked).toEqual([]);
  expect(keyword).toEqual(search(texts, "zebra quagga", false).keyword);
});

test.each([
  ["English words", "the keeper of the lighthouse ".repeat(32), 2],
  ["words in two forms", "der Leuchtturm und die Wächter ".repeat(32), 2],
  ["characters", "市民图书馆在河边开放到晚上".repeat(22), 2],
  ["clusters", "ห้องสมุดประชาชนเปิดทุกวัน".repeat(32), 2],
])("windows hold about as much in %s", (_name, text, windows) => {
  expect(new WindowCounter([]).count(encodeTerms({ text, heading: [], title: "" })).windows).toBe(windows);
});

test("no more than fifty chunks are read, and the others stay in proportion below them", () => {
  const texts = Array.from({ length: 120 }, (_, i) => `${filler(500)}${" zebra".repeat(1 + (i % 7))}`);
  const { asked, keyword } = search(texts, "zebra");
  expect(asked.length).toBe(50);
  expect(keyword.length).toBe(120);
  for (let i = 1; i < keyword.length; i++) expect(keyword[i]!.score).toBeLessThanOrEqual(keyword[i - 1]!.score);
});

test("counts by window add up to the text, and a title counts in every window", () => {
  const blob = encodeTerms({ text: `zebra ${filler(300)} zebra`, heading: [], title: "Quagga" });
  const hashes = queryTerms("zebra quagga absent").map((term) => term.hash);
  const { windows, windowLength, counts } = new WindowCounter(hashes).count(blob);
  expect(windows).toBe(4);
  expect(windowLength).toBeCloseTo(302 / 4, 0);
  const rows = Array.from({ length: windows }, (_, w) => [
    ...counts.subarray(w * hashes.length, (w + 1) * hashes.length),
  ]);
  const sums = hashes.map((_, i) => rows.reduce((sum, row) => sum + row[i]!, 0));
  const zebra = queryTerms("zebra")[0]!.hash;
  const quagga = queryTerms("quagga")[0]!.hash;
  expect(sums[hashes.indexOf(zebra)]).toBe(2);
  expect(rows.map((row) => row[hashes.indexOf(quagga)])).toEqual([1, 1, 1, 1]);
  expect(sums.filter((sum) => sum > 0).length).toBe(2);
});
