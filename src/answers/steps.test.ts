import { expect, test } from "bun:test";
import type { KeptCitation, KeptResult } from "../storage/response-items.ts";
import { type AnswerStep, AnswerWriter, stepsOf } from "./steps.ts";

const CITATION = { type: "file_citation", index: 3, cited_by: "model" } as KeptCitation;
const RESULT = { file_id: "file-1", text: "found" } as KeptResult;

/** What answers do, one after the other. */
const SCRIPT: ((writer: AnswerWriter) => void)[] = [
  (writer) => writer.search(),
  (writer) => writer.searched(["q"], [RESULT]),
  (writer) => writer.text("One"),
  (writer) => writer.cite(CITATION),
  (writer) => writer.text(" and two. 😀"),
  (writer) => writer.endMessage("completed"),
  (writer) => writer.call("stock", "{}"),
  (writer) => writer.search(),
  (writer) => writer.searched([], []),
  (writer) => writer.openMessage(),
  (writer) => writer.text("The rest"),
  (writer) => writer.endMessage("incomplete"),
];

test("an answer that is broken off by its steps is what it would be if its writer broke it off", () => {
  for (let done = 0; done <= SCRIPT.length; done++) {
    const steps: AnswerStep[] = [];
    const writer = new AnswerWriter((step) => steps.push(step));
    for (const act of SCRIPT.slice(0, done)) act(writer);
    const other = AnswerWriter.of(steps);
    writer.breakOff();
    other.breakOff();
    expect([done, other.items, other.cuts]).toEqual([done, writer.items, writer.cuts]);
    // And what is told of it then begins with what was told before.
    const told = [...stepsOf(other.items, other.cuts)];
    expect(told.slice(0, steps.length)).toEqual(steps.slice(0, told.length));
  }
});
