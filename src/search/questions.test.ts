import { describe, expect, test } from "bun:test";
import { queriesOf, QUESTIONS, reducedQuestions, rewritten } from "./questions.ts";

describe("a reduced question", () => {
  const cases: [text: string, reduced: string[]][] = [
    ["How long do refunds take?", ["How long do refunds take?"]],
    ["Using the files you have available, what's Filip's favorite food?", ["what's Filip's favorite food?"]],
    ["According to the uploaded file, who signs? Answer in one sentence. Cite your sources.", ["who signs?"]],
    ["Be concise, and tell me 1 sentence about Shai-Hulud I might not know.", ["Shai-Hulud I might not know."]],
    ["Based on the documents: In one sentence, what is a tide?", ["what is a tide?"]],
    [
      "What is a tide? When is it largest? Who measures it? What for?",
      ["What is a tide?", "When is it largest?", "Who measures it?"],
    ],
    ["I lost my receipt. Can I still return the kettle? Thanks!", ["Can I still return the kettle?"]],
    ["Refunds of gift cards. Please answer briefly.", ["Refunds of gift cards."]],
    ["Cite your sources.", ["Cite your sources."]],
    [
      "Laut den hochgeladenen Dateien, wie lange dauert die Erstattung? Antworte in einem Satz.",
      ["wie lange dauert die Erstattung?"],
    ],
    ["Selon le document, combien de jours ? Réponds en une phrase.", ["combien de jours ?"]],
    ["Según el archivo, ¿cuántos días hay? Cita tus fuentes.", ["¿cuántos días hay?"]],
    ["In the file cabinet, who keeps the keys?", ["who keeps the keys?"]],
    ["What are the sources of income?", ["What are the sources of income?"]],
    ["", []],
  ];
  test.each(cases)("of %j", (text, reduced) => {
    expect(reducedQuestions(text)).toEqual(reduced);
  });

  test("never loses everything", () => {
    for (const text of ["and", "?", "In one sentence,", "According to the file, ", "Be brief."])
      expect(reducedQuestions(text)).toHaveLength(1);
  });
});

describe("the queries of a message", () => {
  test("are the text itself, its question, and that rewritten, each once", () => {
    expect(queriesOf("Using the files, can you tell me how refunds of gift cards are paid?", null)).toEqual([
      "Using the files, can you tell me how refunds of gift cards are paid?",
      "can you tell me how refunds of gift cards are paid?",
      "refunds gift cards paid",
    ]);
    expect(queriesOf("tides", null)).toEqual(["tides"]);
  });

  test.each([
    ["And for gift cards?"],
    ["It was damaged by water when the parcel came, what then?"],
    ["Und bei Gutscheinen, die jemand vor Jahren gekauft hat?"],
    ["How long?"],
  ])("of one that goes on (%j) have the one before", (message) => {
    expect(queriesOf(message, "How are refunds paid?")[1]).toBe(`How are refunds paid? ${message}`);
    expect(queriesOf(message, null).some((query) => query.includes("refunds"))).toBe(false);
  });

  test("of one that stands alone leave it out", () => {
    const message = "Which harbour authority publishes official tide tables?";
    expect(queriesOf(message, "How are refunds paid?").join()).not.toContain("refunds");
  });

  test("are six at most, of the last 300 words", () => {
    const many = Array.from({ length: 9 }, (_, i) => `Can you tell me about question ${i}?`).join(" ");
    expect(queriesOf(`And ${many}`, "before").length).toBe(QUESTIONS.queries);
    const long = `${"word ".repeat(5_000)}end. What is asked?`;
    expect(queriesOf(long, null)[0]?.split(" ")).toHaveLength(QUESTIONS.words);
    expect(queriesOf(long, null)).toContain("What is asked?");
  });

  test("are no longer together than a search may be, whatever is a word", () => {
    for (const text of ["x".repeat(1_000_000), "日".repeat(1_000_000), "😀".repeat(500_000), " x?".repeat(300_000)]) {
      const queries = queriesOf(text, text);
      expect(queries.reduce((sum, query) => sum + query.length, 0)).toBeLessThanOrEqual(65_536);
      expect(queries.every((query) => query.isWellFormed())).toBe(true);
    }
  });

  test("take linear time for hostile text", () => {
    const started = performance.now();
    for (const piece of ["in ", "(", "a,", "according to the file ", "answer in ", ". ", "and and ", "\n", "'’"])
      queriesOf(piece.repeat(100_000), piece.repeat(100_000));
    expect(performance.now() - started).toBeLessThan(4_000);
  });
});

test("a rewritten query has neither frames nor grammar", () => {
  expect(rewritten("According to the uploaded file, how long do refunds take? Cite your sources.")).toBe(
    "long refunds take",
  );
  expect(rewritten("Can you tell me how I reset my password?")).toBe("reset password");
  expect(rewritten("“tide table”")).toBe("tide table");
});
