/**
 * Much used small encoders and rerankers by the shape of their files: the same settings, kind of tokenizer, inputs,
 * outputs and precision, around a transformer of a few thousand random weights.
 */
import reference from "../../../test/fixtures/tokenizers/reference-tokens.json" with { type: "json" };
import { crossEncoderGraph, randomCrossEncoder, type CrossEncoderModel } from "./cross-encoders.ts";
import {
  inHalf,
  inInt8,
  withoutTypes,
  withPast,
  withPositionIds,
  withSentenceOutput,
  withTokenOutput,
  withTwoLabels,
} from "./graph-shapes.ts";
import type { FolderFiles } from "./model-folders.ts";
import { type OnnxGraph, writeExternalOnnx, writeOnnx } from "./onnx-writer.ts";
import { randomTransformer, type Transformer, transformerGraph } from "./transformer.ts";

type Kind = "wordPiece" | "unigram" | "byteLevelBpe";
type Json = Record<string, unknown>;

export interface EncoderShape {
  name: string;
  files: FolderFiles;
  model: Transformer;
  pooling: "cls" | "mean" | "last";
  /** The row that the model reads for a text of the reference. */
  row(text: number): number[];
  window: number;
  queryPrefix: string;
  matryoshka: number[] | null;
  tolerance: number;
}

export interface RerankerShape {
  name: string;
  files: FolderFiles;
  model: CrossEncoderModel;
  /** Kind of the reference's pairs. */
  kind: Kind;
  window: number;
  tolerance: number;
}

export const REFERENCE_TEXTS: readonly string[] = reference.texts;

const EXACT = 1e-4;
const SMALL = { positions: 512, tokenTypes: 2, hidden: 16, heads: 2, layers: 1, feedForward: 32 };
const ROWS: Readonly<Record<Kind, number>> = { wordPiece: 863, unigram: 447, byteLevelBpe: 420 };
const PADS: Readonly<Record<Kind, { id: number; token: string }>> = {
  wordPiece: { id: 0, token: "[PAD]" },
  unigram: { id: 1, token: "<pad>" },
  byteLevelBpe: { id: 1, token: "<pad>" },
};

interface Described {
  kind: Kind;
  pooling?: "cls" | "mean" | "last";
  graph?: (graph: OnnxGraph) => OnnxGraph;
  config?: Json;
  sentence?: Json;
  tokenizer?: Json;
  prompts?: Json;
  /** Steps after the transformer. */
  modules?: string[] | null;
  window: number;
  queryPrefix?: string;
  matryoshka?: number[];
  tolerance?: number;
  files?: FolderFiles;
  row?: (text: number) => number[];
  isExternal?: boolean;
}

function encoder(name: string, described: Described): EncoderShape {
  const { kind, pooling = "mean", graph = (one) => one, modules = ["Pooling", "Normalize"] } = described;
  const model = randomTransformer({ ...SMALL, vocabulary: ROWS[kind], seed: name.length });
  const files: FolderFiles = {
    ...shared(kind, described),
    ...(modules !== null && { "modules.json": modulesJson(modules), "1_Pooling/config.json": poolingJson(pooling) }),
    ...(described.sentence && { "sentence_bert_config.json": JSON.stringify(described.sentence) }),
    ...(described.prompts && { "config_sentence_transformers.json": JSON.stringify({ prompts: described.prompts }) }),
    ...graphFiles(graph(transformerGraph(model)), described.isExternal === true),
    ...described.files,
  };
  const { window, queryPrefix = "", matryoshka = null, tolerance = EXACT } = described;
  const row = described.row ?? ((text: number) => [...(reference[kind].ids[text] ?? [])]);
  return { name, files, model, pooling, row, window, queryPrefix, matryoshka, tolerance };
}

function shared(kind: Kind, { config, tokenizer }: Described): FolderFiles {
  const pad = PADS[kind];
  const usual = { model_type: "bert", vocab_size: ROWS[kind], hidden_size: 16, max_position_embeddings: 512 };
  return {
    "config.json": JSON.stringify({ ...usual, pad_token_id: pad.id, ...config }),
    "tokenizer.json": JSON.stringify({ ...reference[kind].tokenizer, ...tokenizer }),
    "tokenizer_config.json": JSON.stringify({ pad_token: pad.token, model_max_length: 512 }),
    "README.md": "# A card",
  };
}

function graphFiles(graph: OnnxGraph, isExternal: boolean): FolderFiles {
  if (!isExternal) return { "onnx/model.onnx": writeOnnx(graph) };
  const { model, data } = writeExternalOnnx(graph, "model.onnx_data");
  return { "onnx/model.onnx": model, "onnx/model.onnx_data": data };
}

function modulesJson(steps: readonly string[]): string {
  return JSON.stringify(
    ["Transformer", ...steps].map((kind, idx) => ({
      idx,
      name: String(idx),
      path: idx === 0 ? "" : `${idx}_${kind}`,
      type: `sentence_transformers.models.${kind}`,
    })),
  );
}

function poolingJson(pooling: "cls" | "mean" | "last"): string {
  return JSON.stringify({
    word_embedding_dimension: 16,
    pooling_mode_cls_token: pooling === "cls",
    pooling_mode_mean_tokens: pooling === "mean",
    pooling_mode_max_tokens: false,
    pooling_mode_mean_sqrt_len_tokens: false,
    pooling_mode_lasttoken: pooling === "last",
  });
}

/** Text, then the token that ends it: as the tokenizers of decoders have it. */
const ENDED = {
  post_processor: {
    type: "Sequence",
    processors: [
      { type: "ByteLevel", add_prefix_space: false, trim_offsets: false, use_regex: false },
      {
        type: "TemplateProcessing",
        single: [{ Sequence: { id: "A", type_id: 0 } }, { SpecialToken: { id: "</s>", type_id: 0 } }],
        pair: [
          { Sequence: { id: "A", type_id: 0 } },
          { Sequence: { id: "B", type_id: 1 } },
          { SpecialToken: { id: "</s>", type_id: 1 } },
        ],
        special_tokens: { "</s>": { id: "</s>", ids: [2], tokens: ["</s>"] } },
      },
    ],
  },
};
/** Kept in the files of models that were trained so; batches here are filled otherwise. */
const FILLED = {
  truncation: { direction: "Right", max_length: 128, strategy: "LongestFirst", stride: 0 },
  padding: {
    strategy: { Fixed: 128 },
    direction: "Right",
    pad_to_multiple_of: null,
    pad_id: 0,
    pad_type_id: 0,
    pad_token: "[PAD]",
  },
};
const LOOSE = 0.02;
const FOR_SEARCH = "Represent this sentence for searching relevant passages: ";
const INSTRUCTION = "Instruct: Given a web search query, retrieve relevant passages that answer the query\nQuery:";

export function encoderShapes(): EncoderShape[] {
  const wordPiece = { kind: "wordPiece" } as const;
  const xlm = { model_type: "xlm-roberta", max_position_embeddings: 514 };
  return [
    encoder("all-MiniLM-L6-v2", {
      ...wordPiece,
      sentence: { max_seq_length: 256, do_lower_case: false },
      tokenizer: FILLED,
      window: 256,
    }),
    encoder("all-MiniLM-L12-v2", { ...wordPiece, sentence: { max_seq_length: 128 }, tokenizer: FILLED, window: 128 }),
    encoder("bge-small-en-v1.5", {
      ...wordPiece,
      pooling: "cls",
      sentence: { max_seq_length: 512, do_lower_case: true },
      window: 512,
    }),
    encoder("gte-small", {
      ...wordPiece,
      graph: inHalf,
      sentence: { max_seq_length: 512 },
      window: 512,
      tolerance: LOOSE,
    }),
    encoder("e5-small-v2", {
      ...wordPiece,
      graph: inInt8,
      sentence: { max_seq_length: 512 },
      window: 512,
      tolerance: LOOSE,
    }),
    encoder("multilingual-e5-small", { kind: "unigram", sentence: { max_seq_length: 512 }, window: 512 }),
    encoder("snowflake-arctic-embed-xs", {
      ...wordPiece,
      pooling: "cls",
      graph: (graph) => withoutTypes(withTokenOutput(graph, "token_embeddings")),
      prompts: { query: FOR_SEARCH },
      window: 512,
      queryPrefix: FOR_SEARCH,
    }),
    encoder("nomic-embed-text-v1.5", {
      ...wordPiece,
      config: {
        model_type: "nomic_bert",
        max_position_embeddings: undefined,
        n_positions: 8192,
        matryoshka_dimensions: [8, 4],
      },
      sentence: { max_seq_length: 8192 },
      modules: ["Pooling"],
      window: 8192,
      matryoshka: [4, 8, 16],
    }),
    encoder("jina-embeddings-v2-small-en", {
      ...wordPiece,
      graph: inHalf,
      config: { max_position_embeddings: 8192, position_embedding_type: "alibi" },
      modules: ["Pooling"],
      sentence: { max_seq_length: 8192 },
      window: 8192,
      tolerance: LOOSE,
    }),
    encoder("paraphrase-multilingual-MiniLM-L12-v2", {
      kind: "unigram",
      graph: withoutTypes,
      sentence: { max_seq_length: 128 },
      modules: ["Pooling"],
      window: 128,
    }),
    encoder("bge-m3", {
      kind: "unigram",
      pooling: "cls",
      config: { ...xlm, max_position_embeddings: 8194 },
      graph: (graph) => withSentenceOutput(withTokenOutput(withoutTypes(graph), "token_embeddings"), "cls", 16),
      sentence: { max_seq_length: 8192 },
      window: 8192,
      isExternal: true,
    }),
    encoder("Qwen3-Embedding-0.6B", {
      kind: "byteLevelBpe",
      pooling: "last",
      config: { model_type: "qwen3", max_position_embeddings: 32768 },
      graph: (graph) => withPast(withPositionIds(withoutTypes(graph)), { layers: 1, heads: 2, size: 8 }),
      tokenizer: ENDED,
      prompts: { query: INSTRUCTION, document: "" },
      row: (text) => [...(reference.byteLevelBpe.ids[text] ?? []).slice(1, -1), 2],
      window: 512,
      queryPrefix: INSTRUCTION,
    }),
    encoder("an encoder whose graph pools", {
      ...wordPiece,
      graph: (graph) => withSentenceOutput(graph, "mean", 16),
      modules: ["Pooling", "Dense", "Normalize"],
      files: {
        "2_Dense/config.json": JSON.stringify({ in_features: 16, out_features: 16 }),
        "2_Dense/pytorch_model.bin": "within the graph",
      },
      window: 512,
    }),
  ];
}

interface DescribedReranker {
  kind: Kind;
  config: Json;
  graph?: (graph: OnnxGraph) => OnnxGraph;
  general?: Json;
  window: number;
  tolerance?: number;
}

function reranker(name: string, described: DescribedReranker): RerankerShape {
  const { kind, config, graph = (one) => one, general, window, tolerance = EXACT } = described;
  const model = randomCrossEncoder({ ...SMALL, vocabulary: ROWS[kind], seed: name.length });
  const files: FolderFiles = {
    ...shared(kind, { kind, window, config: { id2label: { "0": "LABEL_0" }, ...config } }),
    ...(general && { "config_sentence_transformers.json": JSON.stringify(general) }),
    "onnx/model.onnx": writeOnnx(graph(crossEncoderGraph(model))),
  };
  return { name, files, model, kind, window, tolerance };
}

export function rerankerShapes(): RerankerShape[] {
  const bert = { architectures: ["BertForSequenceClassification"] };
  const identity = { sbert_ce_default_activation_function: "torch.nn.modules.linear.Identity" };
  const sigmoid = { sentence_transformers: { activation_fn: "torch.nn.modules.activation.Sigmoid", version: "4.1.0" } };
  const xlm = { model_type: "xlm-roberta", architectures: ["XLMRobertaForSequenceClassification"] };
  return [
    reranker("ms-marco-MiniLM-L6-v2", { kind: "wordPiece", config: { ...bert, ...identity }, window: 512 }),
    reranker("bge-reranker-base", {
      kind: "unigram",
      config: { ...xlm, max_position_embeddings: 514 },
      graph: withoutTypes,
      window: 512,
    }),
    reranker("jina-reranker-v1-tiny-en", {
      kind: "byteLevelBpe",
      config: { architectures: ["JinaBertForSequenceClassification"], max_position_embeddings: 8192 },
      graph: inHalf,
      window: 512,
      tolerance: LOOSE,
    }),
    reranker("mxbai-rerank-xsmall-v1", {
      kind: "unigram",
      config: { model_type: "deberta-v2", architectures: ["DebertaV2ForSequenceClassification"], ...identity },
      graph: inInt8,
      window: 512,
      tolerance: LOOSE,
    }),
    reranker("gte-reranker-modernbert-base", {
      kind: "byteLevelBpe",
      config: { model_type: "modernbert", architectures: ["ModernBertForSequenceClassification"], ...sigmoid },
      graph: withoutTypes,
      general: { model_type: "CrossEncoder", prompts: {} },
      window: 512,
    }),
    reranker("a reranker of two labels", {
      kind: "wordPiece",
      config: { ...bert, id2label: { "0": "not_relevant", "1": "relevant" } },
      graph: withTwoLabels,
      window: 512,
    }),
  ];
}
