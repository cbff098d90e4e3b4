import { expect, test } from "bun:test";
import { openSealed, seal } from "./sealed.ts";

const content = new TextEncoder().encode("what was parsed");

test.each([0, 1, 15, 16, 1000])("%d bytes come out as they went in", (length) => {
  const bytes = new Uint8Array(length).map((_, i) => i * 7);
  expect(openSealed(seal(bytes, 3), 3)).toEqual(bytes);
});

test("a frame is opened wherever in a buffer it lies", () => {
  const sealed = seal(content, 3);
  const buffer = new Uint8Array(sealed.length + 10).fill(1);
  buffer.set(sealed, 5);
  expect(openSealed(buffer.subarray(5, 5 + sealed.length), 3)).toEqual(content);
});

test("a frame of another version is not opened", () => {
  const sealed = seal(content, 3);
  expect([openSealed(sealed, 2), openSealed(sealed, 4)]).toEqual([null, null]);
});

test("no flipped bit anywhere is missed", () => {
  const sealed = seal(content, 3);
  for (let bit = 0; bit < 8 * sealed.length; bit++) {
    const flipped = sealed.slice();
    flipped[bit >> 3] = (flipped[bit >> 3] ?? 0) ^ (1 << (bit & 7));
    expect(openSealed(flipped, 3)).toBeNull();
  }
});

test("a frame that is cut, empty, or has something after it is not opened", () => {
  const sealed = seal(content, 3);
  for (let length = 0; length < sealed.length; length++) expect(openSealed(sealed.subarray(0, length), 3)).toBeNull();
  expect(openSealed(new Uint8Array([...sealed, 0]), 3)).toBeNull();
  expect(openSealed(new Uint8Array(64), 0)).toBeNull();
});
