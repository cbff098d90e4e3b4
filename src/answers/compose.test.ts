import { describe, expect, test } from "bun:test";
import { countTokens } from "../chunk/tokens.ts";
import { compose } from "./compose.ts";
import { LEAD, NOTHING, WEAK } from "./limits.ts";
import { type Choice, quotationOf } from "./quotations.ts";
import { passage } from "./testing/passages.ts";

const SENTENCES = { lead: LEAD, weak: WEAK, nothing: NOTHING };
const whole = (text: string, more: Parameters<typeof passage>[1] = {}) =>
  quotationOf(passage(text, more), 0, text.length);

const REFUNDS = whole("Refunds are paid\n within 14 days 😀 of the return.", { start_offset: 7 });
const RECEIPT = whole("A refund needs the receipt.", {
  file_id: "file-b",
  filename: "terms.pdf",
  page: 3,
  page_end: 4,
});
const ANSWER: Choice = { kind: "answer", quotations: [REFUNDS, RECEIPT] };

describe("the text of an answer", () => {
  test("says what it is, then quotes, each with its source and its citation", () => {
    const { text, citations, isCut, tokens } = compose(ANSWER, SENTENCES, null);
    expect(text).toBe(
      `${LEAD}\n\n“Refunds are paid within 14 days 😀 of the return.” — handbook.pdf, page 12\n\n“A refund needs the receipt.” — terms.pdf, pages 3–4`,
    );
    expect([isCut, tokens]).toEqual([false, countTokens(text)]);
    const [first, second] = citations;
    expect([...text].slice(0, first?.index).join("")).toEndWith("page 12");
    expect([...text].slice(0, second?.index).join("")).toBe(text);
    expect(first).toEqual({
      type: "file_citation",
      index: [...text].length - [..."\n\n“A refund needs the receipt.” — terms.pdf, pages 3–4"].length,
      file_id: "file-a",
      filename: "handbook.pdf",
      quote: "Refunds are paid\n within 14 days 😀 of the return.",
      start_offset: 7,
      end_offset: 7 + 49,
      vector_store_id: "vs_a",
      chunk_id: "chunk_1",
      page: 12,
      cited_by: "quote",
    });
  });

  test.each<[more: Parameters<typeof passage>[1], source: string]>([
    [{ page: null, line: 3 }, "handbook.pdf, line 3"],
    [{ page: null, heading: ["A", "B\nC"] }, "handbook.pdf, B C"],
    [{ page: null }, "handbook.pdf"],
    [{ filename: "a\n\nb.txt", page: null }, "a b.txt"],
  ])("names the source by what is known: %j", (more, source) => {
    const choice: Choice = { kind: "answer", quotations: [whole("Quoted.", more)] };
    expect(compose(choice, SENTENCES, null).text).toBe(`${LEAD}\n\n“Quoted.” — ${source}`);
  });

  test("names a range of lines", () => {
    const text = "One\ntwo.";
    const choice: Choice = { kind: "answer", quotations: [whole(text, { page: null, line: 3 })] };
    expect(compose(choice, SENTENCES, null).text).toEndWith("lines 3–4");
  });

  test("says when it is uncertain, and when there is nothing", () => {
    expect(compose({ kind: "weak", quotations: [RECEIPT] }, SENTENCES, null).text).toStartWith(`${WEAK}\n\n“`);
    expect(compose({ kind: "nothing" }, SENTENCES, null)).toMatchObject({ text: NOTHING, citations: [] });
  });

  test("leaves a sentence out that the operator emptied, and keeps one in one paragraph", () => {
    const { text, citations } = compose(ANSWER, { ...SENTENCES, lead: "" }, null);
    expect(text).toStartWith("“Refunds");
    expect(citations).toHaveLength(2);
    expect(compose(ANSWER, { ...SENTENCES, lead: "a\n\nb" }, null).text).toStartWith("a b\n\n“");
  });
});

describe("a bound on its tokens", () => {
  const long = whole(Array.from({ length: 4 }, (_, i) => `Sentence ${i} of this passage is about refunds.`).join(" "));
  const choice: Choice = { kind: "answer", quotations: [long, RECEIPT] };

  test.each([16, 20, 25, 30, 40, 50, 60, 80])("of %d is kept, with one passage at least", (most) => {
    const { text, citations, tokens, isCut } = compose(choice, SENTENCES, most);
    expect(tokens).toBeLessThanOrEqual(most);
    expect(tokens).toBe(countTokens(text));
    expect([citations.length >= 1, isCut]).toEqual([true, true]);
    for (const { quote, end_offset: end, start_offset: start } of citations)
      expect([...quote].length).toBe(end - start);
  });

  test("that is enough changes nothing", () => {
    expect(compose(choice, SENTENCES, 1_000)).toEqual(compose(choice, SENTENCES, null));
  });

  test("cuts at a sentence where it can", () => {
    expect(compose(choice, SENTENCES, 50).citations.map(({ quote }) => quote)).toEqual([
      expect.stringMatching(/refunds\.$/),
    ]);
  });
});
