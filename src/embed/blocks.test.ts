import { expect, test } from "bun:test";
import { blocksOf } from "./blocks.ts";

const sentence = (i: number) => `Sentence number ${i} of this text says something of its own, at some length. `;
/** As code points, which astral characters make other than UTF-16 units. */
const documentOf = (mark: string) => [...Array.from({ length: 100 }, (_, i) => mark + sentence(i)).join("")];
const at = (characters: readonly string[], start: number, end: number) => ({
  text: characters.slice(start, end).join(""),
  start,
  end,
});

test.each(["", "🦉"])("what chunks share is one block, and together the blocks are the chunk (mark %p)", (mark) => {
  const characters = documentOf(mark);
  const chunks = [at(characters, 0, 1600), at(characters, 800, 2500), at(characters, 1700, 3200)];
  const places = chunks.flatMap(({ start, end }) => [end, start]);
  const blocks = chunks.map((chunk) => blocksOf(chunk, places));
  expect(blocks.map((list) => list.length)).toEqual([2, 3, 2]);
  expect(blocks[1]?.[0]).toBe(blocks[0]?.[1] ?? "");
  expect(blocks[1]?.[2]).toBe(blocks[2]?.[0] ?? "");
  for (const [i, chunk] of chunks.entries()) {
    const squeezed = (text: string) => text.replaceAll(/\s/g, "");
    // The block in the middle is short here, and takes words from before it.
    expect(squeezed((blocks[i] ?? []).join(" ")).length).toBeGreaterThanOrEqual(squeezed(chunk.text).length);
    for (const block of blocks[i] ?? []) expect(chunk.text).toContain(block);
  }
});

test("a short block takes whole words from before it, the first one from behind it", () => {
  const characters = documentOf("");
  const chunk = at(characters, 0, 1500);
  const [first, , last] = blocksOf(chunk, [20, 1480]);
  expect([first?.startsWith("Sentence number 0"), (first?.length ?? 0) > 180]).toEqual([true, true]);
  expect([chunk.text.trimEnd().endsWith(last ?? "?"), (last?.length ?? 0) > 180]).toEqual([true, true]);
  for (const block of [first, last]) expect(` ${chunk.text} `).toMatch(new RegExp(`\\s${block}\\s`));
});

test("a chunk that no other reaches into stays whole, and so does one whose places do not fit its text", () => {
  const chunk = at(documentOf(""), 100, 900);
  expect(blocksOf(chunk, [100, 900, 901, 5000])).toEqual([chunk.text]);
  expect(blocksOf({ ...chunk, end: 4000 }, [300])).toEqual([chunk.text]);
});
