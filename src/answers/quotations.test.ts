import { describe, expect, test } from "bun:test";
import type { KeptResult } from "../storage/response-items.ts";
import { ANSWER } from "./limits.ts";
import { type Choice, chooseQuotations } from "./quotations.ts";
import { passage, wordFit } from "./testing/passages.ts";

const BOUNDS = { minScore: 0.2, weakScore: 0.12 };
const choose = (passages: readonly KeptResult[], question: string) =>
  chooseQuotations(passages, question, BOUNDS, wordFit(question));
const quotes = (choice: Choice) => (choice.kind === "nothing" ? [] : choice.quotations.map(({ quote }) => quote));

const REFUNDS = "Returns are free. Refunds are paid within 14 days of the return. The shop is closed on Sundays.";

describe("what is quoted", () => {
  test("is the sentence that fits best, as an exact slice with its place in the file", async () => {
    const one = passage(`😀 ${REFUNDS}`, { start_offset: 100 });
    const choice = await choose([one], "when are refunds paid");
    expect(choice).toMatchObject({ kind: "answer", quotations: [{ start: 120, end: 166, line: null, lineEnd: null }] });
    const [quote = ""] = quotes(choice);
    expect(quote).toBe("Refunds are paid within 14 days of the return.");
    expect([...one.text].slice(20, 66).join("")).toBe(quote);
  });

  test("has neighbours that fit nearly as well, at most four sentences and 600 characters", async () => {
    const text = Array.from({ length: 9 }, (_, i) => `Tide number ${i} is high.`).join(" ");
    const [quote = ""] = quotes(await choose([passage(text)], "tide is high"));
    expect(quote.match(/\./g)).toHaveLength(ANSWER.sentences);
    const long = Array.from({ length: 4 }, (_, i) => `Tide ${i} ${"very ".repeat(50)}high.`).join(" ");
    expect(quotes(await choose([passage(long)], "tide high"))[0]?.length).toBeLessThanOrEqual(ANSWER.characters);
  });

  test("goes on after a heading, and begins before what refers back", async () => {
    expect(quotes(await choose([passage("# Refunds\nPaid in 14 days.\n\nElse.")], "refunds"))).toEqual([
      "# Refunds\nPaid in 14 days.",
    ]);
    expect(
      quotes(await choose([passage("A kettle was bought. It needs a receipt for refunds.")], "refunds receipt")),
    ).toEqual(["A kettle was bought. It needs a receipt for refunds."]);
  });

  test("is a whole line of a table or of code", async () => {
    const text = "| item | price |\n| kettle | 20 |\n| lamp | 30 |";
    expect(quotes(await choose([passage(text)], "kettle"))).toEqual(["| kettle | 20 |"]);
  });

  test("tells the lines on which it stands", async () => {
    const one = passage("First.\n\nSecond line\nof refunds.\n\nThird.", {
      page: null,
      page_end: null,
      line: 10,
      line_end: 15,
    });
    expect(await choose([one], "refunds")).toMatchObject({ quotations: [{ line: 12, lineEnd: 13 }] });
  });
});

describe("of several passages", () => {
  test("up to three are quoted, best first", async () => {
    const passages = [0.9, 0.8, 0.7, 0.6].map((score, i) =>
      passage(`Refunds of kind ${i}.`, { score, file_id: `file-${i}`, chunk_id: `chunk_${i}` }),
    );
    expect(quotes(await choose(passages, "refunds"))).toEqual([0, 1, 2].map((i) => `Refunds of kind ${i}.`));
  });

  test("what says the same is left out, and the next has its place", async () => {
    const said = "Refunds  are paid.";
    const passages = ["Refunds are paid.", said, "REFUNDS ARE PAID.", "Refunds need a receipt."].map((text, i) =>
      passage(text, { file_id: `file-${i}` }),
    );
    expect(quotes(await choose(passages, "refunds"))).toEqual(["Refunds are paid.", "Refunds need a receipt."]);
  });

  test("windows of one file that overlap are joined, of other files not", async () => {
    const text = "Tides are high. Tides are low. Tides are late.";
    const first = passage(text.slice(0, 30), { start_offset: 0 });
    const second = passage(text.slice(16), { start_offset: 16, chunk_id: "chunk_2" });
    const choice = await choose([first, second], "tides are");
    expect(choice).toMatchObject({ kind: "answer", quotations: [{ quote: text, start: 0, end: 46 }] });
    const other = { ...second, file_id: "file-b" };
    expect(quotes(await choose([first, other], "tides are"))).toHaveLength(2);
  });
});

describe("how certain it is", () => {
  test.each<[score: number, kind: Choice["kind"]]>([
    [1, "answer"],
    [0.2, "answer"],
    [0.199, "weak"],
    [0.12, "weak"],
    [0.119, "nothing"],
    [0, "nothing"],
  ])("a best score of %d: %s", async (score, kind) => {
    const choice = await choose([passage(REFUNDS, { score }), passage("Other.", { score: 0.05 })], "refunds");
    expect([choice.kind, quotes(choice).length]).toEqual([kind, kind === "nothing" ? 0 : 1]);
  });

  test("nothing is nothing", async () => {
    expect(await choose([], "refunds")).toEqual({ kind: "nothing" });
    expect(await choose([passage(" \n ")], "refunds")).toEqual({ kind: "nothing" });
  });
});
