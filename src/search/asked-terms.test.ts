import { expect, test } from "bun:test";
import { queryTerms } from "../index/analyzer.ts";
import { AskedTerms } from "./asked-terms.ts";

test("a question's terms are those of the analyzer, and the same ones when it is asked again", () => {
  const asked = new AskedTerms();
  for (const question of ["", "wi-fi routers", "Überweisung 1.234,50", "東京の猫"]) {
    const terms = asked.of("a", question);
    expect(terms).toEqual(queryTerms(question));
    expect(asked.of("a", question)).toBe(terms);
    expect(asked.of("b", question)).not.toBe(terms);
  }
});

test("long questions are not remembered, and of others no more than five hundred, the latest", () => {
  const asked = new AskedTerms();
  const long = "word ".repeat(60);
  expect(asked.of("a", long)).not.toBe(asked.of("a", long));
  expect(asked.size).toBe(0);
  const first = asked.of("a", "question 0");
  const second = asked.of("a", "question 1");
  for (let i = 2; i < 500; i++) asked.of("a", `question ${i}`);
  expect(asked.of("a", "question 0")).toBe(first);
  asked.of("a", "question 500");
  expect(asked.size).toBe(500);
  expect(asked.of("a", "question 0")).toBe(first);
  expect(asked.of("a", "question 1")).not.toBe(second);
});
