import { describe, expect, test } from "bun:test";
import { libraryTokenizer } from "./tokenizer.ts";
import { byWords, type Encode } from "./word-cache.ts";

/** Pieces of one to three letters of several scripts; what is longer or unknown is put together from them. */
function unigram(more: object = {}) {
  const pieces: [string, number][] = [
    ["<unk>", 0],
    ["▁", -4],
  ];
  for (const letters of ["abcdefghijklmnopqrstuvwxyz", "привет", "退款政策", "한국어", ".,!?'"])
    for (const letter of letters) pieces.push([letter, -6], [`▁${letter}`, -5.5]);
  for (const [i, piece] of ["th", "the", "▁the", "▁cat", "ing", "退款", "▁국어"].entries())
    pieces.push([piece, -3 - i / 10]);
  return {
    version: "1.0",
    added_tokens: [],
    normalizer: {
      type: "Sequence",
      normalizers: [
        { type: "NFKC" },
        { type: "Replace", pattern: { Regex: "\\s+" }, content: " " },
        { type: "Strip", strip_left: true, strip_right: true },
      ],
    },
    pre_tokenizer: { type: "Metaspace", replacement: "▁", prepend_scheme: "always", split: true },
    post_processor: null,
    decoder: null,
    model: { type: "Unigram", unk_id: 0, vocab: pieces },
    ...more,
  };
}

const encodeWith = (json: object): Encode => {
  const tokenizer = libraryTokenizer(json as never, {});
  return (text) => tokenizer.encode(text);
};

const TEXTS = [
  "",
  "  ",
  "the cat",
  "the cat ".repeat(200),
  " the\ncat\t sat \r\n\r\n the",
  "退款政策 退款 政策退款 한국어 привет, привет!",
  "unknown ﾊﾟ ﬁ ½ ´b a´ ¨x",
  "nbsp\u00a0here \u3000there\u2003and\u2028so",
  "zero\u200bwidth \u200b alone \ufeff bom",
  "half \ud83d a character",
  "e\u0301 e\u0301 \u0301 alone",
  "x".repeat(500),
];

describe("a tokenizer that cuts at blanks", () => {
  test("has the same tokens word by word", () => {
    const whole = encodeWith(unigram());
    const quicker = byWords(whole);
    // Twice: the second time from memory.
    for (const text of [...TEXTS, ...TEXTS]) expect([text, quicker?.(text)]).toEqual([text, whole(text)]);
  });

  test("asks for each word once", () => {
    const whole = encodeWith(unigram());
    let asked = 0;
    const quicker = byWords((text) => {
      asked += 1;
      return whole(text);
    });
    quicker?.("the cat sat");
    const before = asked;
    for (let i = 0; i < 10; i++) quicker?.("the cat sat the cat");
    expect(asked).toBe(before);
  });

  test("forgets, when it has many words, and still has the same tokens", () => {
    const whole = encodeWith(unigram());
    const quicker = byWords(whole);
    const text = Array.from({ length: 60_000 }, (_, i) => i.toString(36)).join(" ");
    expect(quicker?.(text)).toEqual(whole(text));
  }, 60_000);
});

test("a tokenizer for which blanks count is left as it is", () => {
  // Two blanks are two pieces where nothing makes one of them.
  expect(byWords(encodeWith(unigram({ normalizer: null })))).toBeNull();
  // A blank belongs to the word after it.
  const pre_tokenizer = { type: "ByteLevel", add_prefix_space: false, trim_offsets: true, use_regex: true };
  const vocab = Object.fromEntries(["<unk>", "Ġ", "a", "b", "Ġa", "Ġb", "t", "h", "e"].map((piece, id) => [piece, id]));
  const bpe = { type: "BPE", vocab, merges: ["Ġ a", "Ġ b"], unk_token: "<unk>" };
  expect(byWords(encodeWith(unigram({ normalizer: null, pre_tokenizer, model: bpe })))).toBeNull();
});
