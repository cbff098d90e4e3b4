import { expect, test } from "bun:test";
import { encodeTerms, queryTerms } from "./analyzer.ts";
import { Bitset } from "./bitset.ts";
import { KeywordIndex } from "./keyword.ts";
import { FEW_CHUNKS } from "./share-found.ts";

const blobOf = (text: string) => encodeTerms({ text, heading: [], title: "" });

/** An index of a store about one thing, of which the chunk in place 3 says what happens when it is away. */
function indexOf(chunks: number): KeywordIndex {
  const index = new KeywordIndex();
  for (let i = 0; i < chunks; i++)
    index.add(
      i,
      blobOf(i === 3 ? "While the database is away, requests wait." : `The database has table ${i + 1000}.`),
    );
  return index;
}

const QUESTION = queryTerms("What happens when the database is away?");
const shares = (index: KeywordIndex, allowed: Bitset | null = null, question = QUESTION) => {
  const pass = index.search(question, 1);
  return { few: index.shareFound(pass, allowed), plain: (pass.top.scores[0] ?? 0) / pass.attainable };
};

test("in a few chunks what all of them are about counts for what was found of a question", () => {
  const { few, plain } = shares(indexOf(9), null, queryTerms("restore the database table"));
  expect(plain).toBeLessThan(0.2);
  expect(few).toBeGreaterThan(2 * plain);
});

test("what no chunk has is missed, and what none was asked for is nothing", () => {
  const index = indexOf(9);
  const shareOf = (question: string) => index.shareFound(index.search(queryTerms(question), 1), null) ?? -1;
  expect(shareOf("Which hops are in an India pale ale?")).toBeLessThan(0.1);
  expect(shareOf("database glaciers")).toBeLessThan(shareOf("database away"));
  expect(shareOf("")).toBe(0);
});

test("the more chunks, the nearer it is to the share by the rarities that they have, and from so many on it is not asked for", () => {
  const { few, plain } = shares(indexOf(FEW_CHUNKS - 1));
  expect(few).toBeCloseTo(plain, 2);
  expect(shares(indexOf(FEW_CHUNKS)).few).toBeNull();
});

test("only chunks that a filter keeps count", () => {
  const allowed = new Bitset();
  allowed.add(4);
  const index = indexOf(9);
  const [all, kept] = [shares(index).few ?? 0, shares(index, allowed).few ?? 0];
  expect(kept).toBeGreaterThan(0);
  expect(kept).toBeLessThan(all * 0.7);
});

test("chunks that were removed count no more", () => {
  const index = indexOf(9);
  const before = shares(index).few ?? 0;
  index.remove(3);
  expect(shares(index).few ?? 0).toBeLessThan(before * 0.7);
});
