import { expect, test } from "bun:test";
import { passage } from "./passage.ts";

const plain = { lines: 2, columns: 40, color: false };

test("the lines with most of the query's words are shown", () => {
  const text = `${"Nothing of interest stands here. ".repeat(8)}Refunds are paid within thirty days. ${"More filler follows it. ".repeat(8)}`;
  const rows = passage(text, "how are refunds paid", plain);
  expect(rows.join(" ")).toContain("Refunds are paid");
  expect(rows[0]).toStartWith("… ");
  expect(rows.at(-1)).toEndWith(" …");
});

test("words are marked with their endings, filler words are not", () => {
  expect(passage("The refunded order is paid.", "the refunds", { ...plain, color: true })).toEqual([
    "The \x1b[1;33mrefunded\x1b[0m order is paid.",
  ]);
});

test("words of scripts without spaces are marked inside a run", () => {
  expect(passage("东京的天气很好", "天气", { ...plain, color: true }).join("")).toContain("\x1b[1;33m天气\x1b[0m");
});

test("no colour is written unless asked for, and none comes through from the document", () => {
  expect(passage("red \x1b[31malert", "red alert", plain)).toEqual(["red [31malert"]);
});

test("a query of signs only shows the beginning", () => {
  expect(passage("one two", "?!", plain)).toEqual(["one two"]);
  expect(passage("", "x", plain)).toEqual([]);
});
