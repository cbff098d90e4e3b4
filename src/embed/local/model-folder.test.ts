import { describe, expect, test } from "bun:test";
import type { FolderFiles } from "../testing/model-folders.ts";
import { SMALL_WORDS, smallTokenizer, transformerFolder } from "../testing/model-folders.ts";
import { writeSafetensors } from "../testing/safetensors-writer.ts";
import { randomTransformer } from "../testing/transformer.ts";
import { memoryModelFiles } from "./model-files.ts";
import type { ModelOverrides, ModelSpec } from "./model-folder.ts";
import { readModelFolder, WAY_TO_TOKENIZER } from "./model-folder.ts";

const good = transformerFolder(
  randomTransformer({
    vocabulary: SMALL_WORDS.length,
    positions: 64,
    tokenTypes: 2,
    hidden: 4,
    heads: 1,
    layers: 1,
    feedForward: 4,
    seed: 1,
  }),
);
const NO_GRAPH =
  "there is no ONNX graph: onnx/model.onnx or model.onnx is expected; `optimum-cli export onnx --model NAME DIR` makes one";
const GRAPH = good["onnx/model.onnx"] ?? "";

async function problemsOf(files: FolderFiles, overrides?: ModelOverrides): Promise<string[]> {
  const folder = await readModelFolder(memoryModelFiles(files), overrides);
  return folder.ok ? [] : folder.problems;
}

async function specOf(files: FolderFiles, overrides?: ModelOverrides): Promise<ModelSpec> {
  const folder = await readModelFolder(memoryModelFiles(files), overrides);
  if (!folder.ok) throw new Error(folder.problems.join("; "));
  return folder.spec;
}

function without(...names: string[]): FolderFiles {
  return Object.fromEntries(Object.entries(good).filter(([name]) => !names.includes(name)));
}

function withDense(files: FolderFiles): FolderFiles {
  const kinds = ["Transformer", "Pooling", "Dense"];
  const modules = kinds.map((kind, idx) => ({
    idx,
    path: idx === 0 ? "" : `${idx}_${kind}`,
    type: `x.models.${kind}`,
  }));
  return { ...good, "modules.json": JSON.stringify(modules), ...files };
}

const dense = (inputs: number, outputs: number, activation = "torch.nn.modules.linear.Identity") =>
  JSON.stringify({ in_features: inputs, out_features: outputs, bias: true, activation_function: activation });
const weights = (inputs: number, outputs: number) =>
  writeSafetensors({
    "linear.weight": { shape: [outputs, inputs], values: new Float32Array(inputs * outputs) },
    "linear.bias": { shape: [outputs], values: new Float32Array(outputs) },
  });

describe("a broken folder says exactly what is wrong", () => {
  const cases: [what: string, files: FolderFiles, problems: (string | RegExp)[]][] = [
    ["nothing in it", {}, ["config.json is missing", `tokenizer.json is missing: ${WAY_TO_TOKENIZER}`, NO_GRAPH]],
    ["no tokenizer", without("tokenizer.json"), [`tokenizer.json is missing: ${WAY_TO_TOKENIZER}`]],
    ["no graph", without("onnx/model.onnx"), [NO_GRAPH]],
    ["no pooling file", without("1_Pooling/config.json"), ["1_Pooling/config.json is missing"]],
    [
      "JSON that is cut off",
      { ...good, "config.json": '{"model_type": "be' },
      [/^config.json cannot be read as JSON: /],
    ],
    ["JSON of another kind", { ...good, "config.json": "[]" }, ["config.json does not hold a JSON object"]],
    ["modules of another kind", { ...good, "modules.json": "{}" }, ["modules.json does not hold a JSON array"]],
    [
      "an unknown module",
      { ...good, "modules.json": '[{"type":"a.Transformer","path":""},{"type":"b.WordWeights","path":"x"}]' },
      ["modules.json: module WordWeights is not supported (Transformer, Pooling, Dense, Normalize, Dropout are)"],
    ],
    ["a module without a type", { ...good, "modules.json": '[{"path":""}]' }, ['modules.json: entry 0 has no "type"']],
    [
      "no transformer",
      { ...good, "modules.json": '[{"type":"x.Pooling","path":"1_Pooling"}]' },
      ["modules.json: there is no Transformer module"],
    ],
    [
      "no pooling mode",
      { ...good, "1_Pooling/config.json": '{"pooling_mode_mean_tokens":false}' },
      [/^1_Pooling\/config.json chooses no pooling mode \(pooling_mode_cls_token, /],
    ],
    [
      "a tokenizer without a model",
      { ...good, "tokenizer.json": "{}" },
      ['tokenizer.json: there is no "model" (is it a tokenizer of the fast kind?)'],
    ],
    [
      "a tokenizer without a vocabulary",
      { ...good, "tokenizer.json": '{"model":{"type":"WordPiece"}}' },
      ['tokenizer.json: the model has no "vocab"'],
    ],
    [
      "more tokens than rows",
      { ...good, "config.json": '{"vocab_size":10,"max_position_embeddings":64}' },
      [`tokenizer.json: the highest token id is ${SMALL_WORDS.length - 1}, but config.json says vocab_size 10`],
    ],
    [
      "several graphs without a plain one",
      { ...without("onnx/model.onnx"), "onnx/model_int8.onnx": GRAPH, "onnx/model_q4.onnx": GRAPH },
      ["several ONNX graphs and none is model.onnx; choose a variant of: onnx/model_int8.onnx, onnx/model_q4.onnx"],
    ],
    [
      "a dense layer of another width",
      withDense({ "2_Dense/config.json": dense(8, 2), "2_Dense/model.safetensors": weights(8, 2) }),
      ["dense layer 1 takes 8 values, but gets 4"],
    ],
    [
      "weights of another shape",
      withDense({ "2_Dense/config.json": dense(4, 2), "2_Dense/model.safetensors": weights(4, 3) }),
      ["2_Dense/model.safetensors: linear.weight is not 2 x 4"],
    ],
    [
      "weights that are cut off",
      withDense({
        "2_Dense/config.json": dense(4, 2),
        "2_Dense/model.safetensors": weights(4, 2).subarray(0, 150),
      }),
      [/^2_Dense\/model.safetensors: the file is cut off within /],
    ],
    [
      "an unknown activation",
      withDense({ "2_Dense/config.json": dense(4, 2, "x.Mish"), "2_Dense/model.safetensors": weights(4, 2) }),
      ["2_Dense/config.json: activation Mish is not supported (Identity, Tanh, ReLU are)"],
    ],
    [
      "a window too short for anything",
      { ...good, "sentence_bert_config.json": '{"max_seq_length":4}' },
      ["the window of 4 tokens is too short (max_seq_length, max_position_embeddings)"],
    ],
  ];
  for (const [what, files, expected] of cases) {
    test(what, async () => {
      const problems = await problemsOf(files);
      expect(problems.length).toBe(expected.length);
      expected.forEach((problem, i) => {
        if (typeof problem === "string") expect(problems[i]).toBe(problem);
        else expect(problems[i]).toMatch(problem);
      });
    });
  }
});

describe("a good folder", () => {
  test("is read into one description", async () => {
    const { tokenizer, tokenizerConfig, ...rest } = await specOf(good);
    expect(tokenizer["version"]).toBe("1.0");
    expect(tokenizerConfig["tokenizer_class"]).toBe("BertTokenizer");
    expect(rest).toEqual({
      graph: "onnx/model.onnx",
      files: [
        "1_Pooling/config.json",
        "config.json",
        "modules.json",
        "onnx/model.onnx",
        "sentence_bert_config.json",
        "tokenizer.json",
        "tokenizer_config.json",
      ],
      lowercase: false,
      padId: 0,
      vocabularySize: SMALL_WORDS.length,
      maxTokens: 64,
      readsContext: true,
      queryPrefix: "",
      passagePrefix: "",
      pooling: ["mean"],
      poolPrompt: true,
      dense: [],
      unread: [],
      dimensions: 4,
      truncateTo: null,
      matryoshka: null,
      notes: [],
    });
  });

  test("without modules.json and pooling takes the mean, and says so", async () => {
    const spec = await specOf(without("modules.json", "1_Pooling/config.json"));
    expect(spec.pooling).toEqual(["mean"]);
    expect(spec.notes[0]).toStartWith("no pooling is configured");
    expect((await specOf(without("modules.json"))).notes).toEqual([]);
  });

  test("reads context unless it says that it is a table of words", async () => {
    const readsContext = async (config: object) =>
      (await specOf({ ...good, "config.json": JSON.stringify(config) })).readsContext;
    expect(await readsContext({ model_type: "lectern-static", architectures: ["StaticEmbedding"] })).toBe(false);
    expect(await readsContext({ model_type: "model2vec", architectures: ["StaticModel"] })).toBe(false);
    for (const architectures of [["BertModel"], [], undefined, "XLMRobertaModel", [7]])
      expect(await readsContext({ architectures })).toBe(true);
  });

  test("may keep the transformer in a folder of its own", async () => {
    const modules = JSON.stringify([
      { type: "sentence_transformers.models.Transformer", path: "0_Transformer" },
      { type: "sentence_transformers.models.Pooling", path: "1_Pooling" },
    ]);
    const moved = Object.fromEntries(
      Object.entries(good).map(([name, content]) => [
        /^(1_|modules)/.test(name) ? name : `0_Transformer/${name}`,
        content,
      ]),
    );
    expect((await specOf({ ...moved, "modules.json": modules })).graph).toBe("0_Transformer/onnx/model.onnx");
  });

  const windows: [
    what: string,
    config: object,
    sentence: object,
    tokenizerConfig: object,
    asked: number | undefined,
    window: number,
  ][] = [
    ["the positions", { max_position_embeddings: 512 }, {}, {}, undefined, 512],
    [
      "the trained length",
      { max_position_embeddings: 512 },
      { max_seq_length: 256 },
      { model_max_length: 512 },
      undefined,
      256,
    ],
    [
      "positions shorter than the trained length",
      { max_position_embeddings: 128 },
      { max_seq_length: 256 },
      {},
      undefined,
      128,
    ],
    ["RoBERTa's positions less two", { model_type: "roberta", max_position_embeddings: 514 }, {}, {}, undefined, 512],
    ["no limit in the tokenizer", {}, { max_seq_length: 300 }, { model_max_length: 1e30 }, undefined, 300],
    ["512 where nothing says it", {}, {}, {}, undefined, 512],
    ["what is asked for", { max_position_embeddings: 512 }, { max_seq_length: 128 }, {}, 400, 400],
  ];
  for (const [what, config, sentence, tokenizerConfig, maxTokens, window] of windows) {
    test(`takes its window from ${what}`, async () => {
      const files = {
        ...good,
        "config.json": JSON.stringify(config),
        "sentence_bert_config.json": JSON.stringify(sentence),
        "tokenizer_config.json": JSON.stringify(tokenizerConfig),
      };
      expect((await specOf(files, { maxTokens })).maxTokens).toBe(window);
    });
  }

  test("refuses a longer window than its positions", async () => {
    expect(await problemsOf(good, { maxTokens: 100 })).toEqual([
      "a window of 100 tokens was asked for, but config.json allows 64",
    ]);
  });

  test("has prompts for queries and passages under their usual names", async () => {
    const prompts = async (config: object, overrides?: ModelOverrides) => {
      const spec = await specOf({ ...good, "config_sentence_transformers.json": JSON.stringify(config) }, overrides);
      return [spec.queryPrefix, spec.passagePrefix];
    };
    expect(await prompts({ prompts: { query: "q: ", document: "d: " } })).toEqual(["q: ", "d: "]);
    expect(await prompts({ prompts: { query: "q: ", passage: "p: " } })).toEqual(["q: ", "p: "]);
    expect(await prompts({ prompts: { any: "x: " }, default_prompt_name: "any" })).toEqual(["x: ", "x: "]);
    expect(await prompts({ prompts: { query: "q: " } })).toEqual(["q: ", ""]);
    expect(await prompts({ prompts: { query: "q: " } }, { queryPrefix: "", passagePrefix: "p: " })).toEqual([
      "",
      "p: ",
    ]);
  });

  test("runs the variant that is asked for, in the folder's lectern.json or by the operator", async () => {
    const files = {
      ...good,
      "onnx/model_int8.onnx": GRAPH,
      "onnx/model_int8.onnx_data": "x",
      "onnx/model_q4.onnx": GRAPH,
    };
    expect((await specOf(files)).graph).toBe("onnx/model.onnx");
    for (const variant of ["int8", "model_int8", "model_int8.onnx", "onnx/model_int8.onnx"]) {
      const spec = await specOf(files, { variant });
      expect(spec.graph).toBe("onnx/model_int8.onnx");
      expect(spec.files).toContain("onnx/model_int8.onnx_data");
      expect(spec.files).not.toContain("onnx/model.onnx");
    }
    const own = {
      ...files,
      "lectern.json": JSON.stringify({ variant: "q4", max_tokens: 32, query_prefix: "q: ", matryoshka: [2] }),
    };
    const spec = await specOf(own);
    expect([spec.graph, spec.maxTokens, spec.queryPrefix, spec.matryoshka]).toEqual([
      "onnx/model_q4.onnx",
      32,
      "q: ",
      [2],
    ]);
    expect((await specOf(own, { variant: "int8" })).graph).toBe("onnx/model_int8.onnx");
    expect(await problemsOf(files, { variant: "fp16" })).toEqual([
      "there is no ONNX graph for variant 'fp16'; there are: onnx/model.onnx, onnx/model_int8.onnx, onnx/model_q4.onnx",
    ]);
  });

  test("has the dense layers, Matryoshka sizes and padding token that its files say", async () => {
    const files = withDense({
      "2_Dense/config.json": dense(4, 3, "torch.nn.modules.activation.Tanh"),
      "2_Dense/model.safetensors": weights(4, 3),
      "config.json": JSON.stringify({ matryoshka_dimensions: [3, 1, 2] }),
      "tokenizer.json": JSON.stringify({ ...smallTokenizer(), padding: { pad_id: 5 } }),
    });
    const spec = await specOf(files);
    expect(spec.dense.map(({ inputs, outputs, activation }) => [inputs, outputs, activation])).toEqual([
      [4, 3, "tanh"],
    ]);
    expect([spec.dimensions, spec.matryoshka, spec.padId]).toEqual([3, [1, 2, 3], 5]);
    expect(spec.files).toContain("2_Dense/model.safetensors");
  });
});
