/**
 * tokenizer.json -> token ids. BERT-like WordPiece tokenizers (most sentence-embedding models, the bundled one
 * included) run on our own fast path, everything else on `@huggingface/tokenizers`, word by word where that is the same.
 */
import { Tokenizer } from "@huggingface/tokenizers";
import type { BertTextOptions } from "./bert-text.ts";
import type { JsonObject } from "./json-files.ts";
import { numberOf, objectOf, stringOf } from "./json-files.ts";
import { withRustSteps } from "./pre-tokenizers.ts";
import { sentenceStarts } from "./sentences.ts";
import { ENDER, INNER, type UnigramPieces } from "./piece-trie.ts";
import { UnigramModel, unigramPieces } from "./unigram.ts";
import { byWords, type Encode } from "./word-cache.ts";
import { WordPiece } from "./wordpiece.ts";
import { streamSafeWithin } from "../../stream-safe.ts";

/** Special tokens around a single text, with their token types. */
export interface SpecialTokens {
  before: number[];
  after: number[];
  beforeTypes: number[];
  afterTypes: number[];
  textType: number;
}

export interface ModelTokenizer {
  /** Token ids without special tokens; never cut off. */
  encode(text: string): Int32Array;
  /** The same ids, and which of them begin a sentence (rising, 0 not included). */
  encodeSentences(text: string): { ids: Int32Array; sentences: number[] };
  readonly special: SpecialTokens;
  /** Whether a token goes on with the word of the token before it; used to cut windows between words. */
  continuesWord(id: number): boolean;
  /** Whether the fast path is used. */
  readonly fast: boolean;
}

const NO_SPECIAL: SpecialTokens = { before: [], after: [], beforeTypes: [], afterTypes: [], textType: 0 };
/** What sets "camelCase" apart before BERT's own normalisation in models that are trained on code. */
const CAMEL_REGEX = "(?<=[a-z])(?=[A-Z])";

/**
 * Throws an Error that names the part of tokenizer.json which cannot be used.
 *
 * @param made the pieces of its unigram model, where they were made before: the vocabulary in `json` is not read then
 */
export function createTokenizer(
  json: JsonObject,
  config: JsonObject,
  made: UnigramPieces | null = null,
): ModelTokenizer {
  const pieces = made ?? unigramPieces(json);
  if (pieces !== null) return unigramTokenizer(json, config, pieces);
  return fastTokenizer(json) ?? libraryTokenizer(json, config, byWords);
}

/** The library's steps around a unigram model of ours. */
function unigramTokenizer(
  json: JsonObject,
  config: JsonObject,
  { trie, scores, flags }: UnigramPieces,
): ModelTokenizer {
  const model = objectOf(json["model"]) ?? {};
  const unknown = numberOf(model["unk_id"]) ?? 0;
  const library = libraryOf({ ...json, model: { ...model, unk_id: 0, vocab: [["", 0]] } }, config);
  library.model = new UnigramModel({ trie, scores, flags }, unknown);
  const is = (id: number, flag: number) => ((flags[id] ?? 0) & flag) !== 0;
  const plain = plainEncode(library);
  return tokenizerOf(library, byWords(plain) ?? plain, {
    continues: (id) => is(id, INNER),
    ends: (id) => is(id, ENDER),
  });
}

/**
 * The same tokenizer on the library alone.
 *
 * @param quicker the same ids sooner; null where it cannot
 */
export function libraryTokenizer(
  json: JsonObject,
  config: JsonObject,
  quicker: (encode: Encode) => Encode | null = () => null,
): ModelTokenizer {
  const library = libraryOf(json, config);
  const continuing = continuationTest(json, library);
  const enders = new Set<number>();
  for (const [piece, id] of library.get_vocab(false)) if (/^[▁Ġ]?[.!?。！？]$/.test(piece ?? "")) enders.add(id);
  const plain = plainEncode(library);
  return tokenizerOf(library, quicker(plain) ?? plain, { continues: continuing, ends: (id) => enders.has(id) });
}

function libraryOf(json: JsonObject, config: JsonObject): Tokenizer {
  const normalized = {
    normalizer: null,
    pre_tokenizer: null,
    post_processor: null,
    decoder: null,
    added_tokens: [],
    ...withRustSteps(json),
  };
  return new Tokenizer(normalized, config);
}

function plainEncode(library: Tokenizer): Encode {
  return (text) => Int32Array.from(library.encode(streamSafeWithin(text), { add_special_tokens: false }).ids);
}

interface PieceKinds {
  continues(id: number): boolean;
  /** Whether it is a mark that ends a sentence. */
  ends(id: number): boolean;
}

function tokenizerOf(library: Tokenizer, encode: Encode, { continues, ends }: PieceKinds): ModelTokenizer {
  return {
    encode,
    encodeSentences: (text) => {
      const ids = encode(text);
      const sentences: number[] = [];
      for (let i = 1; i < ids.length; i++) {
        if (ends(ids[i - 1] as number) && !continues(ids[i] as number)) sentences.push(i);
      }
      return { ids, sentences };
    },
    special: probeSpecialTokens(library),
    continuesWord: continues,
    fast: false,
  };
}

function fastTokenizer(json: JsonObject): ModelTokenizer | null {
  const model = objectOf(json["model"]);
  const text = bertTextOptions(json["normalizer"]);
  const added = plainAddedTokens(json["added_tokens"]);
  const special = specialTokensOf(json["post_processor"]);
  const vocabulary = objectOf(model?.["vocab"]);
  if (model?.["type"] !== "WordPiece" || vocabulary === null || text === null || added === null || special === null) {
    return null;
  }
  if (objectOf(json["pre_tokenizer"])?.["type"] !== "BertPreTokenizer") return null;
  const ids = new Map(Object.entries(vocabulary) as [string, number][]);
  const unknownId = ids.get(stringOf(model["unk_token"]) ?? "[UNK]");
  if (unknownId === undefined) return null;
  const continuing = stringOf(model["continuing_subword_prefix"]) ?? "##";
  const pieces = new WordPiece({
    ...text,
    vocabulary: ids,
    unknownId,
    continuing,
    maxWordLength: numberOf(model["max_input_chars_per_word"]) ?? 100,
    added,
  });
  const inner = new Set<number>();
  for (const [piece, id] of ids) if (continuing !== "" && piece.startsWith(continuing)) inner.add(id);
  return {
    encode: (t) => pieces.encode(t),
    // Sentences end at blanks or at marks that are tokens of their own, so their tokens together are the text's.
    encodeSentences: (t) => pieces.encodeParts(sentenceStarts(t), t),
    special,
    continuesWord: (id) => inner.has(id),
    fast: true,
  };
}

/** Options of the one family of normalizers that the fast path computes, or null. */
function bertTextOptions(normalizer: unknown): BertTextOptions | null {
  const outer = objectOf(normalizer);
  if (outer?.["type"] !== "Sequence") return bertOptions(outer, false);
  const steps = Array.isArray(outer["normalizers"]) ? outer["normalizers"].map(objectOf) : [];
  if (steps.length === 1) return bertOptions(steps[0] ?? null, false);
  const [replace, bert] = steps;
  const pattern = objectOf(replace?.["pattern"]);
  const camel = replace?.["type"] === "Replace" && pattern?.["Regex"] === CAMEL_REGEX && replace["content"] === " ";
  return steps.length === 2 && camel ? bertOptions(bert ?? null, true) : null;
}

function bertOptions(bert: JsonObject | null, camelApart: boolean): BertTextOptions | null {
  if (bert?.["type"] !== "BertNormalizer" || bert["clean_text"] !== true) return null;
  const lowercase = bert["lowercase"] === true;
  const accents = bert["strip_accents"];
  return {
    lowercase,
    stripAccents: typeof accents === "boolean" ? accents : lowercase,
    chineseApart: bert["handle_chinese_chars"] === true,
    camelApart,
  };
}

/** Added tokens that are found in the text as it stands; null where one needs more than that. */
function plainAddedTokens(list: unknown): Map<string, number> | null {
  const added = new Map<string, number>();
  for (const entry of Array.isArray(list) ? list : []) {
    const token = objectOf(entry);
    const content = stringOf(token?.["content"]);
    const id = numberOf(token?.["id"]);
    if (content === null || id === null || token?.["normalized"] === true || token?.["single_word"] === true)
      return null;
    added.set(content, id);
  }
  return added;
}

/** What a post-processor puts around a single text, or null where it is of an unknown kind. */
function specialTokensOf(processor: unknown): SpecialTokens | null {
  if (processor === null || processor === undefined) return NO_SPECIAL;
  const object = objectOf(processor);
  switch (object?.["type"]) {
    case "BertProcessing":
    case "RobertaProcessing": {
      const [before, after] = [object["cls"], object["sep"]].map((pair) =>
        Array.isArray(pair) ? numberOf(pair[1]) : null,
      );
      if (typeof before !== "number" || typeof after !== "number") return null;
      return { before: [before], after: [after], beforeTypes: [0], afterTypes: [0], textType: 0 };
    }
    case "TemplateProcessing":
      return templateTokens(object);
    default:
      return null;
  }
}

function templateTokens(template: JsonObject): SpecialTokens | null {
  const special: SpecialTokens = { before: [], after: [], beforeTypes: [], afterTypes: [], textType: 0 };
  const known = objectOf(template["special_tokens"]) ?? {};
  let seen = false;
  for (const step of Array.isArray(template["single"]) ? template["single"] : []) {
    const sequence = objectOf(objectOf(step)?.["Sequence"]);
    const token = objectOf(objectOf(step)?.["SpecialToken"]);
    if (sequence !== null) {
      if (seen) return null;
      seen = true;
      special.textType = numberOf(sequence["type_id"]) ?? 0;
    } else {
      const ids = objectOf(known[stringOf(token?.["id"]) ?? ""])?.["ids"];
      if (!Array.isArray(ids)) return null;
      for (const id of ids) {
        if (typeof id !== "number") return null;
        (seen ? special.after : special.before).push(id);
        (seen ? special.afterTypes : special.beforeTypes).push(numberOf(token?.["type_id"]) ?? 0);
      }
    }
  }
  return seen ? special : null;
}

/** Finds out what the library puts around a text by giving it one. */
function probeSpecialTokens(library: Tokenizer): SpecialTokens {
  const bare = library.encode("a", { add_special_tokens: false }).ids;
  const full = library.encode("a", { add_special_tokens: true, return_token_type_ids: true });
  const types = full.token_type_ids ?? full.ids.map(() => 0);
  const start = full.ids.findIndex((_, i) => bare.every((id, j) => full.ids[i + j] === id));
  if (bare.length === 0 || start < 0)
    throw new Error("tokenizer.json: the special tokens around a text cannot be told");
  const end = start + bare.length;
  return {
    before: full.ids.slice(0, start),
    after: full.ids.slice(end),
    beforeTypes: types.slice(0, start),
    afterTypes: types.slice(end),
    textType: types[start] ?? 0,
  };
}

/** Word boundaries as the usual kinds of vocabulary mark them; where none is known every token may begin a word. */
function continuationTest(json: JsonObject, library: Tokenizer): (id: number) => boolean {
  const model = objectOf(json["model"]);
  const prefix = stringOf(model?.["continuing_subword_prefix"]);
  const vocabulary = library.get_vocab(false);
  const marks = ["▁", "Ġ"].filter((mark) => [...vocabulary.keys()].some((piece) => piece?.startsWith(mark)));
  if ((prefix === null || prefix === "") && marks.length === 0) return () => false;
  const inner = new Set<number>();
  for (const [piece, id] of vocabulary) {
    if (piece === undefined) continue;
    const continues = prefix ? piece.startsWith(prefix) : !marks.some((mark) => piece.startsWith(mark));
    if (continues) inner.add(id);
  }
  return (id) => inner.has(id);
}
