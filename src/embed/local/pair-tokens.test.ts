import { describe, expect, test } from "bun:test";
import pairs from "../../../test/fixtures/tokenizers/reference-pairs.json" with { type: "json" };
import reference from "../../../test/fixtures/tokenizers/reference-tokens.json" with { type: "json" };
import { WORD_PIECES } from "../testing/word-pieces.ts";
import type { ReferencePair } from "../testing/word-pieces.ts";
import type { JsonObject } from "./json-files.ts";
import { pairLengths, pairRow, readPairTemplate, templateLength } from "./pair-tokens.ts";
import { createTokenizer } from "./tokenizer.ts";

function templateOf(json: JsonObject) {
  const read = readPairTemplate(json["post_processor"]);
  if (!read.ok) throw new Error(read.problem);
  return read.template;
}

/** Ids and types of every pair, as they go into the graph. */
function expectPairs(json: JsonObject, expected: readonly ReferencePair[]): void {
  const tokenizer = createTokenizer(json, {});
  const template = templateOf(json);
  for (const { a, b, max, ids, types } of expected) {
    const [query, document] = [a, b].map((i) => tokenizer.encode(reference.texts[i] ?? ""));
    if (query === undefined || document === undefined) throw new Error("no text");
    const kept = pairLengths(query.length, document.length, (max ?? 10_000) - templateLength(template));
    const row = pairRow(template, query.subarray(0, kept.query), document, 0, kept.document);
    const text = [...row.ids.subarray(row.start, row.end)];
    const { before, after, beforeTypes, afterTypes, textType } = row.special;
    const given = {
      ids: [...before, ...text, ...after],
      types: [...beforeTypes, ...text.map(() => textType), ...afterTypes],
    };
    expect({ a, b, max, ...given }).toEqual({ a, b, max, ids, types });
  }
}

describe("a pair has the reference's tokens and types, cut and uncut", () => {
  for (const { name, json, pairs } of WORD_PIECES) {
    test(`${name}: one separator, two types`, () => expectPairs(json, pairs));

    test(`${name}: the same through BertProcessing, which names no template`, () => {
      const ids = json["model"] as { vocab: Record<string, number> };
      const post_processor = {
        type: "BertProcessing",
        sep: ["[SEP]", ids.vocab["[SEP]"]],
        cls: ["[CLS]", ids.vocab["[CLS]"]],
      };
      expectPairs({ ...json, post_processor }, pairs);
    });
  }

  test("RobertaProcessing: two separators, one type", () => {
    expectPairs(reference.byteLevelBpe.tokenizer, pairs.byteLevelBpe);
    const sequence = {
      type: "Sequence",
      processors: [{ type: "ByteLevel", trim_offsets: true }, reference.byteLevelBpe.tokenizer.post_processor],
    };
    expectPairs({ ...reference.byteLevelBpe.tokenizer, post_processor: sequence }, pairs.byteLevelBpe);
  });

  test("a template as XLM-RoBERTa has it", () => {
    expectPairs(reference.unigram.tokenizer, pairs.unigram);
  });
});

describe("a post_processor without a usable pair is named", () => {
  const token = (id: string) => ({ SpecialToken: { id, type_id: 0 } });
  const [a, b] = ["A", "B"].map((id) => ({ Sequence: { id, type_id: 0 } }));
  const special_tokens = { "[SEP]": { id: "[SEP]", ids: [3], tokens: ["[SEP]"] } };
  const cases: [what: string, processor: unknown, words: string][] = [
    ["none", null, "says nothing of pairs"],
    ["ByteLevel alone", { type: "ByteLevel" }, "says nothing of pairs"],
    ["an empty pair", { type: "TemplateProcessing", pair: [], special_tokens }, "says nothing of pairs"],
    ["one text only", { type: "TemplateProcessing", pair: [a, token("[SEP]")], special_tokens }, "nothing of pairs"],
    ["the texts the other way round", { type: "TemplateProcessing", pair: [b, a], special_tokens }, "in order"],
    ["one text twice", { type: "TemplateProcessing", pair: [a, b, a], special_tokens }, "once each"],
    ["an unknown token", { type: "TemplateProcessing", pair: [a, token("[X]"), b], special_tokens }, "'[X]'"],
    ["BERT's without ids", { type: "BertProcessing", cls: "[CLS]" }, "says nothing of pairs"],
  ];
  test.each(cases)("%s", (_, processor, words) => {
    expect(readPairTemplate(processor)).toMatchObject({ ok: false, problem: expect.stringContaining(words) });
  });
});

test("lengths of a pair use all the room and never more, for any two lengths", () => {
  for (let capacity = 2; capacity <= 12; capacity++) {
    for (let query = 0; query <= 15; query++) {
      for (let document = 0; document <= 15; document++) {
        const kept = pairLengths(query, document, capacity);
        expect(kept.query + kept.document).toBe(Math.min(capacity, query + document));
        expect(kept.query <= query && kept.document <= document).toBe(true);
      }
    }
  }
});
