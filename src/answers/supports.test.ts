import { expect, test } from "bun:test";
import { supportOf, citationsByOverlap } from "./supports.ts";
import { passage } from "./testing/passages.ts";

const TEXT =
  "The shop opens at nine. Refunds are paid within 14 days of the return. Gift cards are not refunded at all. Parking is free.";

const quoted = (said: string, question = "") =>
  supportOf(passage(TEXT, { start_offset: 100 }), said, { index: 7, citedBy: "model", question });

test("a citation quotes the sentences that a statement rests on, as a slice of the file", () => {
  const one = quoted("Hello. Refunds take 14 days after the return.");
  expect(one).toMatchObject({ quote: "Refunds are paid within 14 days of the return.", index: 7, start_offset: 124 });
  expect(one.end_offset).toBe(124 + one.quote.length);
  expect(quoted("Refunds take 14 days, gift cards are never refunded.").quote).toBe(
    "Refunds are paid within 14 days of the return. Gift cards are not refunded at all.",
  );
});

test("without a word in common the question decides, else the beginning", () => {
  expect(quoted("Ja.", "Where is parking?").quote).toBe("Parking is free.");
  expect(quoted("", "").quote).toBe("The shop opens at nine.");
});

test("a sentence without markers is cited by its words and all of its numbers, and nothing by less", () => {
  const by = (text: string) =>
    citationsByOverlap(text, [passage(TEXT), passage("Other words.", { file_id: "file-b" })], "").map(
      ({ index }) => index,
    );
  expect(by("Refunds are paid within 14 days of return.")).toEqual([42]);
  expect(by("😀 Refunds are paid within 14 days of return! Yes.")).toEqual([44]);
  expect(by("Refunds are paid within 15 days of return.")).toEqual([]);
  expect(by("Refunds days.")).toEqual([]);
  expect(by("Trains and long walks along rivers please everybody.")).toEqual([]);
});

test("numbers are the same with their thousands separated", () => {
  const text = "It weighs 1,200 tonnes in total when loaded fully.";
  expect(citationsByOverlap("Loaded fully it weighs 1200 tonnes in total.", [passage(text)], "")).toHaveLength(1);
});
