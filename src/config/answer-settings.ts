import { Type } from "@sinclair/typebox";
import { ANSWER, LEAD, NOTHING, WEAK } from "../answers/limits.ts";
import { choice, integer, integerOrNone, number, setting, text } from "./setting.ts";

/** Rows of the table of settings about answers from documents. */
export const ANSWER_SETTINGS = {
  answerMinScore: setting(
    "Answers",
    "answer-min-score",
    number(0, 1),
    ANSWER.minScore,
    "score from which on a passage is quoted as an answer",
  ),
  answerWeakScore: setting(
    "Answers",
    "answer-weak-score",
    number(0, 1),
    ANSWER.weakScore,
    "score from which on the nearest passage is shown where none answers",
  ),
  answerLead: setting("Answers", "answer-lead", text(), LEAD, "sentence before what is quoted; empty for none"),
  answerWeak: setting("Answers", "answer-weak", text(), WEAK, "sentence before the nearest passage where none answers"),
  answerNothing: setting("Answers", "answer-nothing", text(), NOTHING, "sentence where nothing fits"),
  strictModels: setting(
    "Answers",
    "strict-models",
    Type.Boolean(),
    false,
    "answer 404 where a request names a model that is not here, instead of answering without it",
  ),
  unsupportedTools: setting(
    "Answers",
    "unsupported-tools",
    choice(["refuse", "ignore"]),
    "refuse",
    "what becomes of a request with a tool that is not here: 400, or an answer without it",
  ),
  responseDays: setting(
    "Answers",
    "response-days",
    integer(0, 36_500),
    30,
    "days that answers are kept; 0 keeps none",
    { reload: true },
  ),
  threadDays: setting(
    "Answers",
    "thread-days",
    integerOrNone(1, 36_500),
    null,
    "days without use after which a thread goes, with its messages and runs; none keeps them",
    { reload: true },
  ),
  runSeconds: setting(
    "Answers",
    "run-seconds",
    integer(1, 86_400),
    600,
    "seconds after which a run of a thread that has not ended expires",
    { reload: true },
  ),
  citationMarkers: setting(
    "Answers",
    "citation-markers",
    choice(["on", "off"]),
    "on",
    "whether the text of a thread's messages has a marker where a citation stands",
    { reload: true },
  ),
};
