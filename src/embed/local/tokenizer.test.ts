import { describe, expect, test } from "bun:test";
import reference from "../../../test/fixtures/tokenizers/reference-tokens.json" with { type: "json" };
import { SMALL_WORDS, smallTokenizer } from "../testing/model-folders.ts";
import { WORD_PIECES } from "../testing/word-pieces.ts";
import type { ModelTokenizer } from "./tokenizer.ts";
import { createTokenizer, libraryTokenizer } from "./tokenizer.ts";

function withSpecial(tokenizer: ModelTokenizer, text: string): number[] {
  return [...tokenizer.special.before, ...tokenizer.encode(text), ...tokenizer.special.after];
}

const wordIds = (words: string): number[] => words.split(" ").map((word) => SMALL_WORDS.indexOf(word));

describe.each(WORD_PIECES.map((one) => [one.name, one] as const))("a WordPiece tokenizer: %s", (_, word) => {
  const { json } = word;

  test("gives the reference's tokens for multilingual text, on the fast path", () => {
    const tokenizer = createTokenizer(json, {});
    expect(tokenizer.fast).toBe(true);
    for (const [i, text] of reference.texts.entries()) {
      expect({ text, ids: withSpecial(tokenizer, text) }).toEqual({ text, ids: [...(word.ids[i] ?? [])] });
    }
  });

  test("the fast path equals the library except for final sigma and CJK outside the basic plane", () => {
    const [fast, library] = [createTokenizer(json, {}), libraryTokenizer(json, {})];
    expect(fast.special).toEqual(library.special);
    const alike = reference.texts.filter((text) => !/[Σ\u{20000}-\u{2FFFF}]/u.test(text));
    expect(alike.length).toBeGreaterThan(25);
    for (const text of alike)
      expect({ text, ids: [...fast.encode(text)] }).toEqual({ text, ids: [...library.encode(text)] });
  });

  test("a word seen before, in other company, gives the same tokens again", () => {
    const tokenizer = createTokenizer(json, {});
    const all = reference.texts.join("\n");
    const first = tokenizer.encode(all);
    expect(tokenizer.encode(all)).toEqual(first);
    const parts = reference.texts.flatMap((text) => [...tokenizer.encode(text)]);
    expect([...first]).toEqual(parts);
  });

  test("encoded by sentences, a text has the same tokens, and sentences begin where they should", () => {
    const tokenizer = createTokenizer(json, {});
    for (const text of [...reference.texts, reference.texts.join("\n"), reference.texts.join(". ")]) {
      expect([...tokenizer.encodeSentences(text).ids]).toEqual([...tokenizer.encode(text)]);
    }
    const { ids, sentences } = tokenizer.encodeSentences("One two. Three v1.2 four!  Five?\n\n六七。八");
    const words = [0, ...sentences].map((at) => ids[at]);
    const first = ["one", "three", "five", "六", "八"].map((word) => tokenizer.encode(word)[0]);
    expect(words).toEqual(first);
    expect(new Set(words).size).toBe(5);
  });

  test("a million characters without a blank are one unknown word, quickly", () => {
    const tokenizer = createTokenizer(json, {});
    const start = performance.now();
    expect([...tokenizer.encode("x".repeat(1_000_000))]).toEqual([word.unknown]);
    expect(tokenizer.encode("é".repeat(300_000)).length).toBe(1);
    expect(performance.now() - start).toBeLessThan(15_000);
  });
});

describe("tokenizers of other kinds", () => {
  for (const kind of ["byteLevelBpe", "unigram"] as const) {
    test(`${kind} gives the reference's tokens for multilingual text`, () => {
      const tokenizer = createTokenizer(reference[kind].tokenizer, {});
      expect(tokenizer.fast).toBe(false);
      for (const [i, text] of reference.texts.entries()) {
        expect({ text, ids: withSpecial(tokenizer, text) }).toEqual({ text, ids: reference[kind].ids[i] ?? [] });
      }
    });
  }
});

describe("a small WordPiece tokenizer", () => {
  const cases: [what: string, text: string, words: string][] = [
    ["words, pieces and punctuation", "The cats, sitting!", "the cat ##s , sit ##ting !"],
    ["accents and case", "THÉ Càt", "the cat"],
    ["a word that does not fit as one unknown token", "catx dog", "[UNK] dog"],
    ["special tokens in the text", "a[SEP]b [sep]", "a [SEP] [UNK] [UNK] [UNK] [UNK]"],
    ["control characters as nothing", "c\u0001at do\u200bg", "cat dog"],
    ["every kind of blank", "a\u00a0cat\u3000sat\ton\nmat", "a cat sat on mat"],
  ];
  for (const [what, text, words] of cases) {
    test(`reads ${what}`, () => {
      const expected = wordIds(words.replace("sit ##ting", "[UNK]"));
      expect([...createTokenizer(smallTokenizer(), {}).encode(text)]).toEqual(expected);
    });
  }

  test("sets camelCase apart where the model's normalizer does", () => {
    const bert = smallTokenizer()["normalizer"];
    const camel = { type: "Replace", pattern: { Regex: "(?<=[a-z])(?=[A-Z])" }, content: " " };
    const json = { ...smallTokenizer(), normalizer: { type: "Sequence", normalizers: [camel, bert] } };
    const tokenizer = createTokenizer(json, {});
    expect(tokenizer.fast).toBe(true);
    for (const text of ["redCat", "RedCAT", "bigRed houseTree", "écatDog"]) {
      expect([...tokenizer.encode(text)]).toEqual([...libraryTokenizer(json, {}).encode(text)]);
    }
    expect([...tokenizer.encode("redCat")]).toEqual(wordIds("red cat"));
  });

  test("takes token types and several special tokens from the template", () => {
    const single = [
      { SpecialToken: { id: "[CLS]", type_id: 1 } },
      { SpecialToken: { id: "[CLS]", type_id: 0 } },
      { Sequence: { id: "A", type_id: 1 } },
      { SpecialToken: { id: "[SEP]", type_id: 0 } },
    ];
    const json = smallTokenizer();
    const tokenizer = createTokenizer(
      { ...json, post_processor: { ...(json["post_processor"] as object), single } },
      {},
    );
    expect(tokenizer.special).toEqual({
      before: [2, 2],
      after: [3],
      beforeTypes: [1, 0],
      afterTypes: [0],
      textType: 1,
    });
  });

  test("on the library too, tells where sentences begin", () => {
    const tokenizer = libraryTokenizer(smallTokenizer(), {});
    const { ids, sentences } = tokenizer.encodeSentences("The cat sat. A dog! Run");
    expect([...ids]).toEqual([...tokenizer.encode("The cat sat. A dog! Run")]);
    expect(sentences).toEqual([4, 7]);
  });

  test("leaves what the fast path does not compute to the library", () => {
    const odd = [
      { normalizer: { type: "NFKC" } },
      { pre_tokenizer: { type: "Whitespace" } },
      { added_tokens: [{ id: 1, content: "[UNK]", normalized: true, special: true }] },
      { normalizer: { type: "BertNormalizer", clean_text: false, handle_chinese_chars: true, lowercase: true } },
    ];
    for (const change of odd) expect(createTokenizer({ ...smallTokenizer(), ...change }, {}).fast).toBe(false);
  });
});
