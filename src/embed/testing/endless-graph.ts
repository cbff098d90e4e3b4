import { type FolderFiles, SMALL_WORDS, transformerFolder } from "./model-folders.ts";
import { type OnnxValue, writeOnnx } from "./onnx-writer.ts";
import { randomTransformer } from "./transformer.ts";

const HIDDEN = 8;

/** A model's folder that is right in everything, but its graph never comes to an end: a loop whose condition stays true. */
export function endlessFolder(): FolderFiles {
  const vocabulary = SMALL_WORDS.length;
  const shape = { vocabulary, positions: 32, tokenTypes: 2, hidden: HIDDEN, heads: 2, layers: 1, feedForward: 16 };
  return { ...transformerFolder(randomTransformer({ ...shape, seed: 1 })), "onnx/model.onnx": endless(vocabulary) };
}

function endless(vocabulary: number): Uint8Array {
  const states = (name: string): OnnxValue => ({ name, type: "float32", shape: ["batch", "sequence", HIDDEN] });
  const flag = (name: string): OnnxValue => ({ name, type: "bool", shape: [] });
  const ids = (name: string): OnnxValue => ({ name, type: "int64", shape: ["batch", "sequence"] });
  const body = {
    nodes: [
      { op: "Identity", inputs: ["goes-on"], outputs: ["still-goes-on"] },
      { op: "Identity", inputs: ["before"], outputs: ["after"] },
    ],
    weights: [],
    inputs: [{ name: "round", type: "int64" as const, shape: [] }, flag("goes-on"), states("before")],
    outputs: [flag("still-goes-on"), states("after")],
  };
  return writeOnnx({
    nodes: [
      { op: "Gather", inputs: ["words", "input_ids"], outputs: ["embedded"] },
      {
        op: "Loop",
        inputs: ["", "true", "embedded"],
        outputs: ["last_hidden_state"],
        attributes: { body: { graph: body } },
      },
    ],
    weights: [
      {
        name: "words",
        type: "float32",
        shape: [vocabulary, HIDDEN],
        data: Float32Array.from({ length: vocabulary * HIDDEN }, (_, i) => Math.sin(i)),
      },
      { name: "true", type: "bool", shape: [], data: Uint8Array.of(1) },
    ],
    inputs: ["input_ids", "attention_mask", "token_type_ids"].map(ids),
    outputs: [states("last_hidden_state")],
  });
}
