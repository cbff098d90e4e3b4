import { expect, test } from "bun:test";
import { longList } from "./long-list.ts";

test.each([0, 1, 3, 5000])("a list of %i is written as JSON.stringify writes it", async (count) => {
  const data = Array.from({ length: count }, (_, i) => ({
    id: `chunk_${i}`,
    text: 'é "quoted" \u2028'.repeat(20),
    at: null,
  }));
  const answer = longList({ object: "list", first: 1 }, data, { created_at: 7, more: false });
  expect(answer.headers.get("content-type")).toBe("application/json");
  expect(await answer.text()).toBe(JSON.stringify({ object: "list", first: 1, data, created_at: 7, more: false }));
});

test("others have their turns while it is written", async () => {
  const data = Array.from({ length: 4000 }, () => "x".repeat(1000));
  const reader = longList({}, data, {}).body!.getReader();
  let turns = 0;
  let isOver = false;
  const count = () => {
    turns++;
    if (!isOver) setImmediate(count);
  };
  setImmediate(count);
  for (let read = await reader.read(); !read.done; read = await reader.read());
  isOver = true;
  expect(turns).toBeGreaterThan(10);
});
