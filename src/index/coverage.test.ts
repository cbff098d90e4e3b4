import { describe, expect, test } from "bun:test";
import { encodeTerms, queryTerms } from "./analyzer.ts";
import { Bitset } from "./bitset.ts";
import { KeywordIndex } from "./keyword.ts";

const FILLER = "system valve pressure report customer order delivery service manual engine filter error".split(" ");

/** Sixty chunks of common words, a file each, and those given; answers the evidence of each of the given. */
function evidence(texts: readonly string[], query: string, fileOf = (ordinal: number) => ordinal): number[] {
  const index = new KeywordIndex();
  for (let i = 0; i < 60; i++) {
    const text = Array.from({ length: 30 }, (_, at) => FILLER[(i * 7 + at * (1 + (i % 5))) % FILLER.length]).join(" ");
    index.add(i, encodeTerms({ text: `The ${text}`, heading: [], title: "" }));
  }
  texts.forEach((text, i) => index.add(60 + i, encodeTerms({ text, heading: [], title: "" })));
  const files = new Set(Array.from({ length: 60 + texts.length }, (_, i) => fileOf(i)));
  const found = index.evidence(index.search(queryTerms(query), 1), { count: files.size, of: fileOf });
  return texts.map((_, i) => found.get(60 + i) ?? 0);
}

describe("there is evidence where a chunk alone has", () => {
  test.each([
    ["a code", "the order ORA-00942 failed", "ORA-00942"],
    ["a code in a question", "the order ORA-00942 failed", "error ORA-00942 when inserting"],
    ["a name", "Ms Kowalczyk signed the order", "Kowalczyk"],
    ["a name in a question", "Ms Kowalczyk signed the order", "what is the phone number of Kowalczyk?"],
    ["a name without its accents", "the order of Mr Kovács", "Kovacs"],
    ["a number", "part 7100013 of the order", "7100013"],
    ["a number in groups", "account DE89 3704 0044 0532 0130 00", "DE89370400440532013000"],
    ["a version in a file's name", "the file log4j-core-2.17.1.jar", "log4j-core-2.17.1.jar"],
    ["an identifier in another spelling", "call maxRetryCount twice", "max_retry_count"],
    ["a word of Chinese", "系统中的猫", "猫"],
    ["a letter with a sign", "written in C++ for the customer", "C++"],
    ["a letter with a sign and a number", "written in C++17 for the customer", "C++17"],
    ["the address of a network card", "the card 00:1A:2B:3C:4D:5E of the system", "001A2B3C4D5E"],
  ])("%s", (_, text, query) => expect(evidence([text], query)[0]).toBeGreaterThan(0.6));
});

describe("there is none where a chunk has", () => {
  test.each([
    ["another code with a part in common", "the order ORA-00942 failed", "ORA-99999"],
    ["another code with most parts in common", "the order SN-88213-Q failed", "SN-88213-R"],
    ["the letter without its sign", "vitamin C for the customer", "C#"],
    ["another version", "the file log4j-core-2.17.1.jar", "log4j-core-2.17.2.jar"],
    ["the same beginning of a word", "Verteidigung der Stadt und nicht mit der", "Verteidiger"],
    ["common words only", "the customer order of the delivery service", "customer order delivery service"],
    ["the common word beside a name that is nowhere", "the customer order", "Zzyzxov customer"],
    ["a part of a question about something else", "the order ORA-00942 failed", "ORA penguins glacier antarctica"],
  ])("%s", (_, text, query) => expect(evidence([text], query)[0]).toBe(0));

  test("nothing of it, whatever another has", () => {
    expect(evidence(["Ms Kowalczyk signed", "the customer order report"], "Kowalczyk")[1]).toBe(0);
  });
});

test("a name in every chunk of one file is as rare as in one chunk", () => {
  const chunks = Array.from({ length: 20 }, (_, i) => `page ${i} about Kowalczyk and the order`);
  const together = evidence(chunks, "Kowalczyk", (ordinal) => Math.min(ordinal, 60));
  expect(Math.min(...together)).toBeGreaterThan(0.9);
  expect(Math.max(...evidence(chunks, "Kowalczyk"))).toBeLessThan(0.5);
});

test("a question of many units, and an empty one, are answered at once", () => {
  expect(evidence(["word"], Array.from({ length: 400 }, (_, i) => `word${i}x`).join(" "))).toEqual([0]);
  expect(evidence(["word"], "")).toEqual([0]);
  const index = new KeywordIndex();
  expect(index.evidence(index.search(queryTerms("word"), 1), { count: 0, of: () => 0 }).size).toBe(0);
});

test("a name in every chunk of one long file is rare, one in as many chunks of many files is not", () => {
  const index = new KeywordIndex();
  const add = (i: number, text: string) => index.add(i, encodeTerms({ text, heading: [], title: "" }));
  for (let i = 0; i < 3000; i++) {
    const names = `${i < 600 ? "Kowalczyk" : ""} ${i % 5 === 4 ? "Abernathy" : ""}`;
    add(i, `the order of ${FILLER[i % FILLER.length]} ${names}`);
  }
  const ofFile = (ordinal: number) => (ordinal < 600 ? 0 : Math.floor(ordinal / 10));
  const files = { count: new Set(Array.from({ length: 3000 }, (_, i) => ofFile(i))).size, of: ofFile };
  expect(index.evidence(index.search(queryTerms("Kowalczyk"), 1), files).size).toBe(600);
  expect(index.evidence(index.search(queryTerms("Abernathy"), 1), files).size).toBe(0);
});

test("under a filter those that it keeps have what they have without one, and nobody else has any", () => {
  const index = new KeywordIndex();
  const names = ["Kowalczyk", "ORA-00942", "max_retry_count", "Abernathy 7100013"];
  for (let i = 0; i < 600; i++) {
    const text = `the order of ${FILLER[i % FILLER.length]} ${i % 50 === 7 ? (names[((i / 50) % 4) | 0] ?? "") : ""}`;
    index.add(i, encodeTerms({ text, heading: [], title: "" }));
  }
  const files = { count: 600, of: (ordinal: number) => ordinal };
  const kept = new Bitset(600);
  for (let i = 0; i < 600; i += 3) kept.add(i);
  let found = 0;
  for (const question of [...names, "order of Kowalczyk", "error ORA-00942 of the customer", "maxRetryCount 7100013"]) {
    const pass = index.search(queryTerms(question), 1);
    const all = index.evidence(pass, files);
    const some = index.evidence(pass, files, kept);
    expect([...some]).toEqual([...all].filter(([ordinal]) => kept.has(ordinal)));
    expect([...index.evidence(pass, files)]).toEqual([...all]);
    found += some.size;
  }
  expect(found).toBeGreaterThan(3);
});
