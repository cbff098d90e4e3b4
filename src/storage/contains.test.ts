import { Database } from "bun:sqlite";
import { expect, test } from "bun:test";
import { containsPattern } from "./contains.ts";

const database = new Database(":memory:");
const statement = database.query<{ found: number }, [string, string]>("SELECT ?1 GLOB ?2 AS found");
const contains = (text: string, part: string) => statement.get(text, containsPattern(part))?.found === 1;

test.each([
  ["Report 2026.PDF", "report", true],
  ["report.pdf", "PDF", true],
  ["ÜBERSICHT.txt", "übersicht", true],
  ["übersicht.txt", "BERS", true],
  ["Приказ.docx", "приказ", true],
  ["straße", "ß", true],
  ["a*b", "*", true],
  ["ab", "*", false],
  ["ab", "a?", false],
  ["a?b", "?", true],
  ["a[1]b", "[1]", true],
  ["a1b", "[1]", false],
  ["a]b", "]", true],
  ["a^b-c", "^B-C", true],
  ["anything", "", true],
  ["😀 notes", "😀 N", true],
  ["notes", "note5", false],
])("%j contains %j: %p", (text, part, expected) => {
  expect(contains(text, part)).toBe(expected);
});
