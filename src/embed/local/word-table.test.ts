import { expect, test } from "bun:test";
import { seededRandom } from "../../../test/helpers/random.ts";
import { HASH_START, hashStep, MISSING, WordTable } from "./word-table.ts";

function hashOf(word: string): number {
  let hash = HASH_START;
  for (let i = 0; i < word.length; i++) hash = hashStep(hash, word.charCodeAt(i));
  return hash;
}

test("finds every word that was added, wherever it stands, and no other", () => {
  const random = seededRandom(4);
  const table = new WordTable(5000);
  const known = new Map<string, number>();
  for (let i = 0; known.size < 5000; i++) {
    const word = Array.from(
      { length: 1 + Math.floor(random() * 30) },
      () => "abcé漢🤗Z9"[Math.floor(random() * 8)] ?? "",
    ).join("");
    if (known.has(word)) continue;
    known.set(word, i - 2500);
    expect(table.add(`<${word}>`, 1, 1 + word.length, hashOf(word), i - 2500)).toBe(true);
  }
  for (const [word, value] of known) {
    expect(table.find(`.. ${word} ..`, 3, 3 + word.length, hashOf(word))).toBe(value);
    const other = `${word}x`;
    expect(table.find(other, 0, other.length, hashOf(other))).toBe(MISSING);
  }
});

test("words of the same hash are told apart", () => {
  const table = new WordTable(10);
  for (const [i, word] of ["one", "two", "six", "seven"].entries()) table.add(word, 0, word.length, 7, i);
  expect(["one", "two", "six", "seven", "ten"].map((word) => table.find(word, 0, word.length, 7))).toEqual([
    0,
    1,
    2,
    3,
    MISSING,
  ]);
});

test("says when it is full, and is empty after clearing", () => {
  const table = new WordTable(2);
  expect([table.add("a", 0, 1, 1, 1), table.add("b", 0, 1, 2, 2), table.add("c", 0, 1, 3, 3)]).toEqual([
    true,
    true,
    false,
  ]);
  table.clear();
  expect(table.find("a", 0, 1, 1)).toBe(MISSING);
  expect(table.add("c", 0, 1, 3, 3)).toBe(true);
  expect(table.find("c", 0, 1, 3)).toBe(3);
});
