import { describe, expect, test } from "bun:test";
import { knownPrompts } from "./known-prompts.ts";
import { neededFiles } from "./needed-files.ts";

const BASE = ["config.json", "tokenizer.json"];
const choice = (variant?: string, architecture: "x64" | "arm64" = "x64") => ({ variant, architecture });

function graphOf(graphs: string[], variant?: string, architecture?: "x64" | "arm64"): string {
  const needed = neededFiles([...BASE, ...graphs], choice(variant, architecture));
  return needed.ok ? needed.graph : needed.problems.join("; ");
}

describe("the graph that is fetched", () => {
  const cases: [graphs: string[], x64: string, arm64: string][] = [
    [["onnx/model.onnx", "onnx/model_int8.onnx", "onnx/model_fp16.onnx"], "onnx/model.onnx", "onnx/model.onnx"],
    [["model.onnx", "onnx/model.onnx"], "onnx/model.onnx", "onnx/model.onnx"],
    [["onnx/model_O3.onnx", "onnx/model_O4.onnx"], "onnx/model_O3.onnx", "onnx/model_O3.onnx"],
    [
      ["onnx/model_qint8_arm64.onnx", "onnx/model_quint8_avx2.onnx", "onnx/model_qint8_avx512.onnx"],
      "onnx/model_quint8_avx2.onnx",
      "onnx/model_qint8_arm64.onnx",
    ],
    [
      ["onnx/model_q4.onnx", "onnx/model_fp16.onnx", "onnx/model_quantized.onnx"],
      "onnx/model_quantized.onnx",
      "onnx/model_quantized.onnx",
    ],
    [["onnx/model_q4.onnx", "onnx/model_fp16.onnx"], "onnx/model_fp16.onnx", "onnx/model_fp16.onnx"],
    [["encoder.onnx"], "encoder.onnx", "encoder.onnx"],
  ];
  test.each(cases)("of %j", (graphs, x64, arm64) => {
    expect([graphOf(graphs), graphOf(graphs, undefined, "arm64")]).toEqual([x64, arm64]);
  });

  test("is the one that is asked for, or a problem that names those there are", () => {
    const graphs = ["onnx/model.onnx", "onnx/model_int8.onnx", "model_int8.onnx"];
    expect(graphOf(graphs.slice(0, 2), "int8")).toBe("onnx/model_int8.onnx");
    expect(graphOf(graphs, "int8")).toContain("fits several ONNX graphs: onnx/model_int8.onnx, model_int8.onnx");
    expect(graphOf(graphs, "q4")).toContain("there is no ONNX graph for variant 'q4'; there are: onnx/model.onnx");
    expect(graphOf([], "int8")).toContain("optimum-cli export onnx");
  });

  test("comes with its weights beside it, and with those of no other", () => {
    const outside = ["onnx/model.onnx_data", "onnx/model.onnx_data_1", "onnx/model_fp16.onnx_data"];
    const needed = neededFiles([...BASE, "onnx/model.onnx", "onnx/model_fp16.onnx", ...outside], choice());
    expect(needed).toMatchObject({
      files: ["config.json", "onnx/model.onnx", "onnx/model.onnx_data", "onnx/model.onnx_data_1", "tokenizer.json"],
    });
  });
});

test("settings, projections and what is for people are fetched, weights of other runtimes are not", () => {
  const wanted = [
    "1_Pooling/config.json",
    "2_Dense/config.json",
    "2_Dense/model.safetensors",
    "LICENSE",
    "LICENSE.txt",
    "README.md",
    ...BASE,
    "config_sentence_transformers.json",
    "modules.json",
    "onnx/model.onnx",
    "sentence_bert_config.json",
    "special_tokens_map.json",
    "tokenizer_config.json",
  ];
  const others = [
    ".gitattributes",
    "model.safetensors",
    "pytorch_model.bin",
    "0_Transformer/model.safetensors",
    "2_Dense/pytorch_model.bin",
    "openvino/openvino_model.bin",
    "tf_model.h5",
    "vocab.txt",
    "img/license.png.md/x",
  ];
  const needed = neededFiles([...others, ...wanted], choice());
  expect(needed.ok && needed.files).toEqual([...wanted].sort());
});

const prompts: [name: string, query: string | undefined, passage: string | undefined][] = [
  ["intfloat/e5-small-v2", "query: ", "passage: "],
  ["Xenova/multilingual-e5-base", "query: ", "passage: "],
  ["nomic-ai/nomic-embed-text-v1.5", "search_query: ", "search_document: "],
  ["BAAI/bge-small-en-v1.5", "Represent this sentence for searching relevant passages: ", undefined],
  ["onnx-community/bge-small-en-v1.5-ONNX", "Represent this sentence for searching relevant passages: ", undefined],
  ["sentence-transformers/all-MiniLM-L6-v2", undefined, undefined],
  ["intfloat/e5-mistral-7b-instruct", undefined, undefined],
];
test.each(prompts)("the prompts of %s", (name, query, passage) => {
  const known = knownPrompts(name);
  expect([known.queryPrefix, known.passagePrefix]).toEqual([query, passage]);
});
