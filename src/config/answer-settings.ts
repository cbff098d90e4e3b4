import { Type } from "@sinclair/typebox";
import { ANSWER, LEAD, NOTHING, WEAK } from "../answers/limits.ts";
import { choice, integer, key, keyFile, number, setting, text, textOrNone } from "./setting.ts";

/** Rows of the table of settings about answers from documents. */
export const ANSWER_SETTINGS = {
  chatAddress: setting(
    "Answers",
    "chat-address",
    textOrNone(),
    null,
    "base address of the language model that answers, up to the version, such as http://127.0.0.1:11434/v1",
  ),
  chatModel: setting("Answers", "chat-model", textOrNone(), null, "the model there, as its server calls it"),
  chatApiKey: key("Answers", "chat-api-key", "key for chat-address, where it wants one"),
  chatApiKeyFile: keyFile("Answers", "chat-api-key"),
  chatContextTokens: setting(
    "Answers",
    "chat-context-tokens",
    integer(512, 10_000_000),
    8192,
    "tokens that the model at chat-address really takes at once: local servers cut what is longer silently",
  ),
  defaultChatModel: setting(
    "Answers",
    "default-chat-model",
    textOrNone(),
    null,
    "chat model of requests that name none, or one that is not here; the first unless set",
  ),
  chatTimeoutSeconds: setting(
    "Answers",
    "chat-timeout",
    number(0.1, 600),
    60,
    "seconds to a chat model's first byte, and between two; ten minutes in all",
    { reload: true },
  ),
  answerFallback: setting(
    "Answers",
    "answer-fallback",
    choice(["none", "extractive"]),
    "none",
    "what happens if a chat model fails before its first word: the request fails, or is answered by quoting",
    { reload: true },
  ),
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
};
