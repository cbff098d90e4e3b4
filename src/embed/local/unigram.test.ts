import { expect, test } from "bun:test";
import { join } from "node:path";
import { Unigram } from "@huggingface/tokenizers";
import reference from "../../../test/fixtures/tokenizers/reference-tokens.json" with { type: "json" };
import { seededRandom } from "../../../test/helpers/random.ts";
import type { JsonObject } from "./json-files.ts";
import { objectOf } from "./json-files.ts";
import { PieceTrie, piecesFromBytes, piecesToBytes } from "./piece-trie.ts";
import { createTokenizer, libraryTokenizer } from "./tokenizer.ts";
import { UnigramModel, unigramPieces } from "./unigram.ts";
import { byWords } from "./word-cache.ts";

const bundled = (await Bun.file(
  join(import.meta.dir, "../../../models/lectern-embed/tokenizer.json"),
).json()) as JsonObject;

const AWKWARD = [
  "",
  " ",
  "  leading, trailing\t\r\n and  many   blanks  ",
  "<s> a <mask> b </s><pad>",
  "half \ud83d a character \udc00",
  "😀😃 👩‍👩‍👧 🇩🇪 𠮷野家 𝒳",
  "e\u0301 \u0301 a\u0308\u0323 ﬁ ½ Ａ ﾊﾟ ´b",
  "nbsp\u00a0here \u3000there\u200b\u200d\ufeff\u00ad\u2028so",
  "x".repeat(500),
  "退款政策".repeat(60),
  "กรุงเทพมหานคร".repeat(20),
  "▁ ▁▁a Ġb",
];

/** Characters of all planes and scripts, with some that come often. */
function randomText(random: ReturnType<typeof seededRandom>): string {
  const ranges = [
    [0x20, 0x7f],
    [0x20, 0x7f],
    [0x80, 0x24f],
    [0x370, 0x52f],
    [0x590, 0x6ff],
    [0x900, 0xdff],
    [0xe00, 0xe7f],
    [0x2000, 0x206f],
    [0x3040, 0x30ff],
    [0x4e00, 0x9fff],
    [0xac00, 0xd7a3],
    [0xd800, 0xdfff],
    [0xfe00, 0xffff],
    [0x1f300, 0x1faff],
    [0, 0x10ffff],
  ] as const;
  return Array.from({ length: 1 + random.below(12) }, () => {
    const [low, high] = ranges[random.below(ranges.length)] ?? [0x20, 0x7f];
    return Array.from({ length: 1 + random.below(8) }, () =>
      String.fromCodePoint(low + random.below(high - low + 1)),
    ).join("");
  }).join(random.below(3) === 0 ? "" : " ");
}

test("the bundled encoder's tokens, sentences and words are those of the library", () => {
  const pieces = unigramPieces(bundled);
  if (pieces === null) return expect.unreachable();
  // As the executable has them.
  const bare = { ...bundled, model: { ...objectOf(bundled["model"]), vocab: [] } };
  const ours = createTokenizer(bare, {}, piecesFromBytes(piecesToBytes(pieces)));
  const library = libraryTokenizer(bundled, {}, byWords);
  expect(ours.special).toEqual(library.special);
  const random = seededRandom(11);
  const texts = [
    ...reference.texts,
    ...AWKWARD,
    reference.texts.join(". "),
    ...Array.from({ length: 1500 }, () => randomText(random)),
  ];
  for (const text of texts) expect([text, ours.encodeSentences(text)]).toEqual([text, library.encodeSentences(text)]);
  const ids = Array.from({ length: 150_000 }, (_, id) => id);
  expect(ids.filter((id) => ours.continuesWord(id) !== library.continuesWord(id))).toEqual([]);
}, 120_000);

test("cuts of the same score, or of one that rounding makes the same, are told apart as by the library", () => {
  const random = seededRandom(5);
  for (let round = 0; round < 40; round++) {
    const seen = new Set(["<unk>"]);
    for (let i = 0; i < 60; i++)
      seen.add(
        Array.from({ length: 1 + random.below(4) }, () => "ab😀cé"[random.below(4)] ?? "a")
          .join("")
          .toWellFormed(),
      );
    // Tenths do not add up exactly, and are often equal.
    const vocab = [...seen].map((piece) => [piece, -(1 + random.below(9)) / 10] as [string, number]);
    const pieces = unigramPieces({ model: { type: "Unigram", unk_id: 0, vocab } });
    if (pieces === null) return expect.unreachable();
    const [ours, library] = [
      new UnigramModel(pieces, 0),
      new Unigram({ type: "Unigram", unk_id: 0, vocab } as never, ""),
    ];
    for (let i = 0; i < 60; i++) {
      const text = Array.from({ length: random.below(30) }, () => [..."ab😀céz"][random.below(6)]).join("");
      expect([text, ours([text])]).toEqual([text, library([text])]);
    }
  }
});

test("pieces are found whole, and what begins or goes on with one is none", () => {
  const pieces = ["b", "abc", "a", "▁", "abd", "😀", "zz"];
  const trie = PieceTrie.of(pieces);
  expect(pieces.map((piece) => trie.idOf(piece))).toEqual([0, 1, 2, 3, 4, 5, 6]);
  expect(["", "ab", "abcd", "z", "zzz", "\ud83d", "c"].map((piece) => trie.idOf(piece))).toEqual(
    Array.from({ length: 7 }, () => undefined),
  );
});

const model = (more: object) => ({
  model: {
    type: "Unigram",
    unk_id: 0,
    vocab: [
      ["<unk>", 0],
      ["a", -1],
    ],
    ...more,
  },
});
const LEFT: [string, JsonObject][] = [
  ["another model", model({ type: "BPE" })],
  [
    "a piece twice",
    model({
      vocab: [
        ["<unk>", 0],
        ["a", -1],
        ["a", -2],
      ],
    }),
  ],
  [
    "an empty piece",
    model({
      vocab: [
        ["<unk>", 0],
        ["", -1],
      ],
    }),
  ],
  [
    "half a character",
    model({
      vocab: [
        ["<unk>", 0],
        ["\ud83d", -1],
      ],
    }),
  ],
  ["no score", model({ vocab: [["<unk>", 0], ["a"]] })],
  ["an unknown piece that is not there", model({ unk_id: 2 })],
  ["an added token that is a piece by another id", { ...model({}), added_tokens: [{ id: 5, content: "a" }] }],
];
test.each(LEFT)("is left to the library: %s", (_, json) => {
  expect(unigramPieces(model({}))).not.toBeNull();
  expect(unigramPieces(json)).toBeNull();
});

test("a file of pieces that is cut off, or is none, is refused", () => {
  const pieces = unigramPieces(model({}));
  if (pieces === null) return expect.unreachable();
  const bytes = piecesToBytes(pieces);
  for (const damaged of [bytes.subarray(0, bytes.length - 1), bytes.subarray(0, 8), new Uint8Array(64)])
    expect(() => piecesFromBytes(damaged)).toThrow("damaged");
  const shifted = new Uint8Array(bytes.length + 3);
  shifted.set(bytes, 3);
  expect(piecesFromBytes(shifted.subarray(3)).trie.idOf("a")).toBe(1);
});
