/** Cross-encoders with random weights, as model folders, and the same computation in plain TypeScript. */
import type { FolderFiles } from "./model-folders.ts";
import { smallTokenizer } from "./model-folders.ts";
import type { OnnxGraph, OnnxTensor } from "./onnx-writer.ts";
import { writeOnnx } from "./onnx-writer.ts";
import type { Transformer, TransformerShape } from "./transformer.ts";
import { gaussian, randomTransformer, transformerForward, transformerGraph } from "./transformer.ts";

export interface CrossEncoderModel {
  transformer: Transformer;
  /** hidden x hidden, row-major, and hidden values: BERT's pooler. */
  pooler: Float32Array;
  poolerBias: Float32Array;
  /** hidden values: the classifier with one label. */
  classifier: Float32Array;
  bias: number;
}

export function randomCrossEncoder(shape: TransformerShape): CrossEncoderModel {
  const random = gaussian(shape.seed + 1);
  const { hidden } = shape;
  const values = (count: number, scale: number) => Float32Array.from({ length: count }, () => scale * random());
  return {
    transformer: randomTransformer(shape),
    pooler: values(hidden * hidden, 1 / Math.sqrt(hidden)),
    poolerBias: values(hidden, 0.1),
    classifier: values(hidden, 2 / Math.sqrt(hidden)),
    bias: 0.1,
  };
}

export function crossEncoderGraph(model: CrossEncoderModel, output = "logits"): OnnxGraph {
  const { hidden } = model.transformer.shape;
  const graph = transformerGraph(model.transformer);
  const weights: OnnxTensor[] = [
    { name: "pooler", type: "float32", shape: [hidden, hidden], data: model.pooler },
    { name: "pooler.bias", type: "float32", shape: [hidden], data: model.poolerBias },
    { name: "classifier", type: "float32", shape: [hidden, 1], data: model.classifier },
    { name: "classifier.bias", type: "float32", shape: [1], data: Float32Array.of(model.bias) },
    { name: "c.rows", type: "int64", shape: [2], data: BigInt64Array.of(-1n, BigInt(hidden)) },
  ];
  return {
    nodes: [
      ...graph.nodes,
      { op: "Gather", inputs: ["last_hidden_state", "c.zero"], outputs: ["first"], attributes: { axis: 1 } },
      { op: "Reshape", inputs: ["first", "c.rows"], outputs: ["cls"] },
      { op: "MatMul", inputs: ["cls", "pooler"], outputs: ["pooler.product"] },
      { op: "Add", inputs: ["pooler.product", "pooler.bias"], outputs: ["pooler.sum"] },
      { op: "Tanh", inputs: ["pooler.sum"], outputs: ["pooled"] },
      { op: "MatMul", inputs: ["pooled", "classifier"], outputs: ["classifier.product"] },
      { op: "Add", inputs: ["classifier.product", "classifier.bias"], outputs: [output] },
    ],
    weights: [...graph.weights, ...weights],
    inputs: graph.inputs,
    outputs: [{ name: output, type: "float32", shape: ["batch", 1] }],
  };
}

/** The logit of one row of tokens, computed without any library. */
export function crossEncoderLogit(model: CrossEncoderModel, ids: number[], types: number[]): number {
  const [first = []] = transformerForward(model.transformer, ids, types);
  const { hidden } = model.transformer.shape;
  let logit = model.bias;
  for (let o = 0; o < hidden; o++) {
    let sum = at(model.poolerBias, o);
    for (let i = 0; i < hidden; i++) sum += (first[i] ?? 0) * at(model.pooler, i * hidden + o);
    logit += Math.tanh(sum) * at(model.classifier, o);
  }
  return logit;
}

/** A BERT tokenizer over SMALL_WORDS that knows pairs. */
export function smallPairTokenizer(): Record<string, unknown> {
  const json = smallTokenizer();
  const token = (id: string, type_id: number) => ({ SpecialToken: { id, type_id } });
  const pair = [
    token("[CLS]", 0),
    { Sequence: { id: "A", type_id: 0 } },
    token("[SEP]", 0),
    { Sequence: { id: "B", type_id: 1 } },
    token("[SEP]", 1),
  ];
  return { ...json, post_processor: { ...(json["post_processor"] as object), pair } };
}

/** A complete folder, as sentence-transformers saves a cross-encoder. */
export function crossEncoderFolder(model: CrossEncoderModel, changes: FolderFiles = {}): FolderFiles {
  const { shape } = model.transformer;
  return {
    "config.json": JSON.stringify(crossEncoderConfig(shape)),
    "tokenizer.json": JSON.stringify(smallPairTokenizer()),
    "tokenizer_config.json": JSON.stringify({ tokenizer_class: "BertTokenizer", model_max_length: shape.positions }),
    "onnx/model.onnx": writeOnnx(crossEncoderGraph(model)),
    ...changes,
  };
}

export function crossEncoderConfig(shape: TransformerShape): Record<string, unknown> {
  return {
    architectures: ["BertForSequenceClassification"],
    model_type: "bert",
    id2label: { "0": "LABEL_0" },
    hidden_size: shape.hidden,
    vocab_size: shape.vocabulary,
    max_position_embeddings: shape.positions,
    type_vocab_size: shape.tokenTypes,
    pad_token_id: 0,
    sentence_transformers: { activation_fn: "torch.nn.modules.activation.Sigmoid", version: "4.1.0" },
  };
}

function at(values: Float32Array, index: number): number {
  return values[index] ?? 0;
}
