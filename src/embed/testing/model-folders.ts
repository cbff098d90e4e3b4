/** Model folders made in memory, in Hugging Face's layout. */
import type { Transformer, TransformerShape } from "./transformer.ts";
import { transformerOnnx } from "./transformer.ts";

export type FolderFiles = Record<string, Uint8Array | string>;

export interface FolderOptions {
  /** Flag of 1_Pooling/config.json. */
  pooling?: string;
  tokenizer?: unknown;
  maxTokens?: number;
  prompts?: Record<string, string>;
  normalize?: boolean;
}

/** Words of the small tokenizer; ids rise from 0. */
export const SMALL_WORDS = [
  "[PAD]",
  "[UNK]",
  "[CLS]",
  "[SEP]",
  "query",
  "passage",
  ":",
  "the",
  "a",
  "cat",
  "dog",
  "sat",
  "on",
  "mat",
  "##s",
  "##ting",
  "run",
  "sun",
  "rain",
  ".",
  ",",
  "!",
  "big",
  "small",
  "red",
  "blue",
  "house",
  "tree",
  "and",
  "or",
  "##ning",
  "sky",
];

/** A transformer over them that runs in a moment. */
export const SMALL_SHAPE: TransformerShape = {
  vocabulary: SMALL_WORDS.length,
  positions: 32,
  tokenTypes: 2,
  hidden: 16,
  heads: 2,
  layers: 1,
  feedForward: 32,
  seed: 1,
};

/** A BERT WordPiece tokenizer over SMALL_WORDS. */
export function smallTokenizer(): Record<string, unknown> {
  const special = SMALL_WORDS.slice(0, 4).map((content, id) => {
    return { id, content, single_word: false, lstrip: false, rstrip: false, normalized: false, special: true };
  });
  const token = (id: string, type_id = 0) => ({ SpecialToken: { id, type_id } });
  return {
    version: "1.0",
    truncation: null,
    padding: null,
    added_tokens: special,
    normalizer: {
      type: "BertNormalizer",
      clean_text: true,
      handle_chinese_chars: true,
      strip_accents: null,
      lowercase: true,
    },
    pre_tokenizer: { type: "BertPreTokenizer" },
    post_processor: {
      type: "TemplateProcessing",
      single: [token("[CLS]"), { Sequence: { id: "A", type_id: 0 } }, token("[SEP]")],
      pair: [],
      special_tokens: {
        "[CLS]": { id: "[CLS]", ids: [2], tokens: ["[CLS]"] },
        "[SEP]": { id: "[SEP]", ids: [3], tokens: ["[SEP]"] },
      },
    },
    decoder: { type: "WordPiece", prefix: "##", cleanup: true },
    model: {
      type: "WordPiece",
      unk_token: "[UNK]",
      continuing_subword_prefix: "##",
      max_input_chars_per_word: 100,
      vocab: Object.fromEntries(SMALL_WORDS.map((word, id) => [word, id])),
    },
  };
}

/** A complete folder around a transformer. */
export function transformerFolder(model: Transformer, options: FolderOptions = {}): FolderFiles {
  const { shape } = model;
  const modules = ["Transformer", "Pooling", ...((options.normalize ?? true) ? ["Normalize"] : [])];
  return {
    "config.json": JSON.stringify({
      model_type: "bert",
      hidden_size: shape.hidden,
      vocab_size: shape.vocabulary,
      max_position_embeddings: shape.positions,
      type_vocab_size: shape.tokenTypes,
      pad_token_id: 0,
    }),
    "tokenizer.json": JSON.stringify(options.tokenizer ?? smallTokenizer()),
    "tokenizer_config.json": JSON.stringify({ tokenizer_class: "BertTokenizer", model_max_length: shape.positions }),
    "sentence_bert_config.json": JSON.stringify({
      max_seq_length: options.maxTokens ?? shape.positions,
      do_lower_case: false,
    }),
    "modules.json": JSON.stringify(
      modules.map((kind, idx) => {
        const path = idx === 0 ? "" : `${idx}_${kind}`;
        return { idx, name: String(idx), path, type: `sentence_transformers.models.${kind}` };
      }),
    ),
    "1_Pooling/config.json": JSON.stringify({
      word_embedding_dimension: shape.hidden,
      [options.pooling ?? "pooling_mode_mean_tokens"]: true,
    }),
    ...(options.prompts === undefined
      ? {}
      : {
          "config_sentence_transformers.json": JSON.stringify({ prompts: options.prompts, default_prompt_name: null }),
        }),
    "onnx/model.onnx": transformerOnnx(model),
  };
}
