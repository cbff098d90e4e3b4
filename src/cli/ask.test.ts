import { expect, test } from "bun:test";
import { Sources } from "./ask.ts";

const citation = (text: string, before: string, more: object) => ({
  index: [...text.slice(0, text.indexOf(before) + before.length)].length,
  filename: "handbook.pdf",
  file_id: "file-1",
  page: null,
  ...more,
});

test("what an answer quotes is said once, its file, page and lines under its number", () => {
  const sources = new Sources();
  const text =
    "These fit: 😀\n\n“Refunds are paid — within 14 days.” — handbook.pdf, page 12\n\n“A refund needs the receipt.” — terms.md, lines 3–4";
  const shown = sources.numbered(text, [
    citation(text, "page 12", { quote: "Refunds are paid —\n within 14 days.", page: 12, cited_by: "quote" }),
    citation(text, "lines 3–4", { quote: "A refund needs the receipt.", filename: "terms.md", cited_by: "quote" }),
  ]);
  expect(shown).toBe("These fit: 😀\n\n“Refunds are paid — within 14 days.” [1]\n\n“A refund needs the receipt.” [2]");
  expect(sources.list()).toBe("[1] handbook.pdf, page 12\n[2] terms.md, lines 3–4");
});

test("what a model says has the words of its source under its number", () => {
  const sources = new Sources();
  const text = "Two weeks. With a receipt. Two weeks.";
  const quote = { quote: "Refunds are paid\nwithin 14 days.", page: 12, cited_by: "model" };
  const shown = sources.numbered(text, [
    { ...citation(text, "", quote), index: 10 },
    { ...citation(text, "receipt", { filename: "a\u001B[2J.md", quote: "", cited_by: "model" }) },
    { ...citation(text, "", quote), index: text.length },
  ]);
  expect(shown).toBe("Two weeks. [1] With a receipt [2]. Two weeks. [1]");
  expect(sources.list().split("\n")[0]).toBe("[1] handbook.pdf, page 12: “Refunds are paid within 14 days.”");
  expect(sources.list()).not.toContain("\u001B");
});
