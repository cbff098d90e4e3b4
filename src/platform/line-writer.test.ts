import { expect, test } from "bun:test";
import { LineWriter } from "./line-writer.ts";

function writer() {
  const writes: string[] = [];
  let wake = () => {};
  const lines = new LineWriter((text) => {
    writes.push(text);
    wake();
  });
  const next = () => new Promise<void>((resolve) => (wake = resolve));
  return { writes, lines, next };
}

test("a line that comes alone is written at once, those right after it together", async () => {
  const { writes, lines, next } = writer();
  lines.line("a\n", false);
  expect(writes).toEqual(["a\n"]);
  const written = next();
  lines.line("b\n", false);
  lines.line("c\n", false);
  expect(writes).toEqual(["a\n"]);
  await written;
  expect(writes).toEqual(["a\n", "b\nc\n"]);
});

test("an urgent line takes along what waits before it", () => {
  const { writes, lines } = writer();
  lines.line("a\n", false);
  lines.line("b\n", false);
  lines.line("bad\n", true);
  expect(writes).toEqual(["a\n", "b\nbad\n"]);
});

test("what waits can be written before its time", () => {
  const { writes, lines } = writer();
  lines.line("a\n", false);
  lines.line("b\n", false);
  lines.flush();
  lines.flush();
  expect(writes).toEqual(["a\n", "b\n"]);
});

test("nothing is lost at the end, and nothing waits after it", () => {
  const { writes, lines } = writer();
  lines.line("a\n", false);
  lines.line("b\n", false);
  lines[Symbol.dispose]();
  lines.line("c\n", false);
  lines.line("d\n", false);
  expect(writes).toEqual(["a\n", "b\n", "c\n", "d\n"]);
});
