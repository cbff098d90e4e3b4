import { type FolderFiles, SMALL_WORDS, smallTokenizer, transformerFolder } from "./model-folders.ts";
import { writeOnnx } from "./onnx-writer.ts";
import { randomTransformer } from "./transformer.ts";

export const TABLE_DIMENSIONS = 32;
/** Tokens of a window. */
export const TABLE_WINDOW = 16;

/** A table of word vectors without special tokens, in which unknown words have zeros: as the one that is bundled. */
export function wordTableFolder(): FolderFiles {
  const shape = {
    positions: TABLE_WINDOW,
    tokenTypes: 1,
    hidden: TABLE_DIMENSIONS,
    heads: 1,
    layers: 1,
    feedForward: 4,
  };
  const vocabulary = SMALL_WORDS.length;
  const words = Float32Array.from({ length: vocabulary * TABLE_DIMENSIONS }, (_, i) => Math.sin(i * i));
  const unknown = SMALL_WORDS.indexOf("[UNK]") * TABLE_DIMENSIONS;
  words.fill(0, unknown, unknown + TABLE_DIMENSIONS);
  return {
    ...transformerFolder(randomTransformer({ ...shape, vocabulary, seed: 1 }), {
      tokenizer: { ...smallTokenizer(), post_processor: null },
    }),
    "onnx/model.onnx": writeOnnx({
      nodes: [{ op: "Gather", inputs: ["words", "input_ids"], outputs: ["last_hidden_state"] }],
      weights: [{ name: "words", type: "float32", shape: [vocabulary, TABLE_DIMENSIONS], data: words }],
      inputs: [{ name: "input_ids", type: "int64", shape: ["batch", "sequence"] }],
      outputs: [{ name: "last_hidden_state", type: "float32", shape: ["batch", "sequence", TABLE_DIMENSIONS] }],
    }),
  };
}
