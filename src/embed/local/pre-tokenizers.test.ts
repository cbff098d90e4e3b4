import { describe, expect, test } from "bun:test";
import { memoryModelFiles } from "./model-files.ts";
import { withRustSteps } from "./pre-tokenizers.ts";
import { modelRevision } from "./revision.ts";
import { createTokenizer } from "./tokenizer.ts";

/** A WordPiece tokenizer that knows these words; id 0 is every other. */
function tokenizer(words: string[], pre_tokenizer: object): Record<string, unknown> {
  const vocab = Object.fromEntries(["[UNK]", ...words].map((word, id) => [word, id]));
  const model = { type: "WordPiece", unk_token: "[UNK]", continuing_subword_prefix: "##", vocab };
  return { added_tokens: [], normalizer: null, pre_tokenizer, post_processor: null, decoder: null, model };
}

const WHITESPACE = { type: "Whitespace" };
const PUNCTUATION = { type: "Punctuation", behavior: "Isolated" };
const SEQUENCE = {
  type: "Sequence",
  pretokenizers: [WHITESPACE, PUNCTUATION, { type: "Digits", individual_digits: true }],
};

describe("words and marks are told as Hugging Face's own tokenizers tell them", () => {
  const cases: [step: object, text: string, words: string[]][] = [
    [WHITESPACE, "Straßenbahn größer", ["Straßenbahn", "größer"]],
    [WHITESPACE, "ещё мягких, да", ["ещё", "мягких", ",", "да"]],
    [WHITESPACE, "भाषा हिन्दी", ["भाषा", "हिन्दी"]],
    [WHITESPACE, "a_b c12", ["a_b", "c12"]],
    [WHITESPACE, "x.) — y", ["x", ".)", "—", "y"]],
    [WHITESPACE, "漢字\u3000かな", ["漢字", "かな"]],
    [PUNCTUATION, "a.)b", ["a", ".", ")", "b"]],
    [PUNCTUATION, "a$+b", ["a", "$", "+", "b"]],
    [SEQUENCE, "größer: (12)", ["größer", ":", "(", "1", "2", ")"]],
  ];
  test.each(cases)("%j %s", (step, text, words) => {
    const own = [...new Set(words)];
    expect([...createTokenizer(tokenizer(own, step), {}).encode(text)]).toEqual(
      words.map((word) => own.indexOf(word) + 1),
    );
  });

  test("other steps stay as they are", () => {
    for (const step of [
      { type: "Metaspace" },
      { type: "Punctuation", behavior: "Removed" },
      { type: "Sequence", pretokenizers: [] },
    ]) {
      const json = tokenizer([], step);
      expect(withRustSteps(json)).toBe(json);
    }
    const none = { model: {} };
    expect(withRustSteps(none)).toBe(none);
  });
});

test("a model with such a step is another revision than when it was computed otherwise; all others stay what they were", async () => {
  const files = memoryModelFiles({ "config.json": "{}" });
  const spec = {
    graph: "g",
    maxTokens: 8,
    queryPrefix: "",
    passagePrefix: "",
    truncateTo: null,
    files: ["config.json"],
  };
  const of = (step: object) => modelRevision(files, { ...spec, tokenizer: tokenizer([], step) });
  expect(await of({ type: "BertPreTokenizer" })).toBe("dbe89d569bcede19");
  expect(await of(WHITESPACE)).not.toBe(await of({ type: "BertPreTokenizer" }));
});
