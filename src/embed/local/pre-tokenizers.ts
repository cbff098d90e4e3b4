/**
 * Two steps of tokenizers that the library computes otherwise than Hugging Face's Rust `tokenizers`, which models are
 * trained with: its `Whitespace` takes letters beyond ASCII for marks, its `Punctuation` leaves marks that follow one
 * another together. Both are said to it as splits by what Rust's expressions mean.
 */
import type { JsonObject } from "./json-files.ts";
import { objectOf } from "./json-files.ts";

/** Rust's `\w`. */
const WORD = "\\p{Alphabetic}\\p{M}\\p{Nd}\\p{Pc}\\u200C\\u200D";
const WHITESPACE = {
  type: "Split",
  pattern: { Regex: `[${WORD}]+|[^${WORD}\\p{White_Space}]+` },
  behavior: "Removed",
  invert: true,
};
const PUNCTUATION = {
  type: "Split",
  pattern: { Regex: "[\\p{P}!-\\/:-@\\[-`{-~]" },
  behavior: "Isolated",
  invert: false,
};

/** tokenizer.json with those steps replaced; the same object where it has none. */
export function withRustSteps(json: JsonObject): JsonObject {
  const step = objectOf(json["pre_tokenizer"]);
  const replaced = step === null ? null : replacement(step);
  return replaced === null ? json : { ...json, pre_tokenizer: replaced };
}

/** null where nothing is to be replaced. Sequences are not nested. */
function replacement(step: JsonObject): JsonObject | null {
  const steps = step["pretokenizers"];
  if (step["type"] !== "Sequence" || !Array.isArray(steps)) return single(step);
  let isChanged = false;
  const pretokenizers = steps.map((inner: unknown) => {
    const object = objectOf(inner);
    const replaced = object === null ? null : single(object);
    isChanged ||= replaced !== null;
    return replaced ?? inner;
  });
  return isChanged ? { ...step, pretokenizers } : null;
}

function single({ type, behavior }: JsonObject): JsonObject | null {
  if (type === "Whitespace") return WHITESPACE;
  return type === "Punctuation" && (behavior === undefined || behavior === "Isolated") ? PUNCTUATION : null;
}
