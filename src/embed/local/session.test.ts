import { describe, expect, test } from "bun:test";
import { loadOnnxRuntime } from "../../platform/native.ts";
import type { EmbedKind } from "../provider.ts";
import type { FolderFiles, FolderOptions } from "../testing/model-folders.ts";
import { SMALL_WORDS, smallTokenizer, transformerFolder } from "../testing/model-folders.ts";
import type { OnnxGraph } from "../testing/onnx-writer.ts";
import { writeOnnx } from "../testing/onnx-writer.ts";
import { randomTransformer, transformerForward, transformerGraph } from "../testing/transformer.ts";
import { writeSafetensors } from "../testing/safetensors-writer.ts";
import { characterDirection } from "./character-direction.ts";
import { memoryModelFiles } from "./model-files.ts";
import { createLocalModel, ModelFolderError } from "./session.ts";
import { seededRandom } from "../../../test/helpers/random.ts";

const ort = loadOnnxRuntime();
const TOLERANCE = 1e-4;
const HIDDEN = 16;
const transformer = randomTransformer({
  vocabulary: SMALL_WORDS.length,
  positions: 64,
  tokenTypes: 2,
  hidden: HIDDEN,
  heads: 2,
  layers: 2,
  feedForward: 32,
  seed: 7,
});
const ids = (words: string): number[] => words.split(" ").map((word) => SMALL_WORDS.indexOf(word));

async function open(files: FolderFiles, batchTokens?: number) {
  return await createLocalModel(ort, memoryModelFiles(files), { id: "m", location: "local", threads: 1, batchTokens });
}

async function embedOne(files: FolderFiles, text: string, kind: EmbedKind = "passage"): Promise<number[]> {
  const model = await open(files);
  const [embedded] = await model.embed([text], kind);
  await model.dispose();
  return [...(embedded?.vectors ?? [])];
}

/** Token vectors of a row by the independent computation. */
function hidden(row: number[], types: number[] = row.map(() => 0)): number[][] {
  return transformerForward(transformer, row, types);
}

function unit(vector: number[]): number[] {
  const norm = Math.hypot(...vector);
  return vector.map((x) => x / norm);
}

function mean(rows: number[][]): number[] {
  return (rows[0] ?? []).map((_, d) => rows.reduce((sum, row) => sum + (row[d] ?? 0), 0) / rows.length);
}

function expectClose(actual: ArrayLike<number>, expected: number[]): void {
  expect(actual.length).toBe(expected.length);
  const worst = Math.max(...expected.map((x, i) => Math.abs(x - (actual[i] ?? NaN))));
  expect(worst).toBeLessThan(TOLERANCE);
}

const TEXT = "The cats sat on a mat.";
const ROW = ids("[CLS] the cat ##s sat on a mat . [SEP]");

describe("pooling equals an independent computation", () => {
  const rows = hidden(ROW);
  const modes: [flag: string, expected: number[]][] = [
    ["pooling_mode_mean_tokens", mean(rows)],
    ["pooling_mode_cls_token", rows[0] ?? []],
    ["pooling_mode_lasttoken", rows.at(-1) ?? []],
    ["pooling_mode_max_tokens", mean(rows).map((_, d) => Math.max(...rows.map((row) => row[d] ?? 0)))],
    ["pooling_mode_mean_sqrt_len_tokens", mean(rows)],
    ["pooling_mode_weightedmean_tokens", mean(rows.flatMap((row, t) => Array.from({ length: t + 1 }, () => row)))],
  ];
  for (const [pooling, expected] of modes) {
    test(pooling, async () => {
      expectClose(await embedOne(transformerFolder(transformer, { pooling }), TEXT), unit(expected));
    });
  }

  test("several modes are joined in sentence-transformers' order", async () => {
    const files = transformerFolder(transformer);
    const flags = { pooling_mode_mean_tokens: true, pooling_mode_cls_token: true, word_embedding_dimension: HIDDEN };
    files["1_Pooling/config.json"] = JSON.stringify(flags);
    expectClose(await embedOne(files, TEXT), unit([...(rows[0] ?? []), ...mean(rows)]));
  });

  test("padding to longer rows of the same run changes nothing", async () => {
    const model = await open(transformerFolder(transformer), 1024);
    const texts = ["a dog", "the cat sat on the mat and the dog", TEXT, "sun"];
    const embedded = await model.embed(texts, "passage");
    expectClose(embedded[2]?.vectors ?? [], unit(mean(rows)));
    expectClose(embedded[0]?.vectors ?? [], unit(mean(hidden(ids("[CLS] a dog [SEP]")))));
    expectClose(embedded[3]?.vectors ?? [], unit(mean(hidden(ids("[CLS] sun [SEP]")))));
    await model.dispose();
  });
});

describe("other steps equal an independent computation", () => {
  test("token types come from the tokenizer's template", async () => {
    const json = smallTokenizer();
    const single = [
      { SpecialToken: { id: "[CLS]", type_id: 0 } },
      { Sequence: { id: "A", type_id: 1 } },
      { SpecialToken: { id: "[SEP]", type_id: 1 } },
    ];
    const tokenizer = { ...json, post_processor: { ...(json["post_processor"] as object), single } };
    const expected = mean(hidden(ROW, [0, ...ROW.slice(1).map(() => 1)]));
    expectClose(await embedOne(transformerFolder(transformer, { tokenizer }), TEXT), unit(expected));
  });

  test("prompts are put before queries and passages, and can be left out of the pooling", async () => {
    const prompts = { query: "query: ", document: "passage: " };
    const query = hidden(ids("[CLS] query : a cat [SEP]"));
    const passage = hidden(ids("[CLS] passage : a cat [SEP]"));
    const files = transformerFolder(transformer, { prompts });
    expectClose(await embedOne(files, "a cat", "query"), unit(mean(query)));
    expectClose(await embedOne(files, "a cat", "passage"), unit(mean(passage)));
    files["1_Pooling/config.json"] = JSON.stringify({
      word_embedding_dimension: HIDDEN,
      pooling_mode_mean_tokens: true,
      include_prompt: false,
    });
    expectClose(await embedOne(files, "a cat", "query"), unit(mean(query.slice(3))));
  });

  for (const activation of ["Identity", "Tanh"]) {
    test(`a dense layer with ${activation}`, async () => {
      const random = seededRandom(11);
      const weight = Float32Array.from({ length: 5 * HIDDEN }, () => random() - 0.5);
      const bias = Float32Array.from({ length: 5 }, () => random() - 0.5);
      const files = transformerFolder(transformer);
      files["modules.json"] = modulesJson(["Transformer", "Pooling", "Dense", "Normalize"]);
      const folder = activation === "Tanh" ? "torch.nn.modules.activation.Tanh" : "torch.nn.modules.linear.Identity";
      files["2_Dense/config.json"] = JSON.stringify({
        in_features: HIDDEN,
        out_features: 5,
        bias: true,
        activation_function: folder,
      });
      files["2_Dense/model.safetensors"] = writeSafetensors({
        "linear.weight": { shape: [5, HIDDEN], values: weight },
        "linear.bias": { shape: [5], values: bias },
      });
      const pooled = mean(hidden(ROW));
      const projected = [...bias].map((b, o) => {
        const sum = pooled.reduce((s, x, i) => s + x * (weight[o * HIDDEN + i] ?? 0), b);
        return activation === "Tanh" ? Math.tanh(sum) : sum;
      });
      expectClose(await embedOne(files, TEXT), unit(projected));
    });
  }

  test("a graph that gives sentence_embedding is used as it is", async () => {
    const graph = transformerGraph(transformer);
    graph.nodes.push({
      op: "ReduceMax",
      inputs: ["last_hidden_state"],
      outputs: ["sentence_embedding"],
      attributes: { axes: [1], keepdims: 0 },
    });
    graph.outputs.push({ name: "sentence_embedding", type: "float32", shape: ["batch", HIDDEN] });
    const files = transformerFolder(transformer);
    files["onnx/model.onnx"] = writeOnnx(graph);
    const rows = hidden(ROW);
    expectClose(await embedOne(files, TEXT), unit(mean(rows).map((_, d) => Math.max(...rows.map((r) => r[d] ?? 0)))));
  });

  test("a graph built for one shape gets that shape", async () => {
    const graph = transformerGraph(transformer);
    for (const input of graph.inputs) input.shape = [2, 12];
    graph.outputs[0] = { name: "last_hidden_state", type: "float32", shape: [2, 12, HIDDEN] };
    const files = transformerFolder(transformer);
    files["onnx/model.onnx"] = writeOnnx(graph);
    const model = await open(files);
    expect(model.info.maxTokens).toBe(12);
    const embedded = await model.embed([TEXT, "a dog", "sun"], "passage");
    expectClose(embedded[0]?.vectors ?? [], unit(mean(hidden(ROW))));
    expectClose(embedded[2]?.vectors ?? [], unit(mean(hidden(ids("[CLS] sun [SEP]")))));
    await model.dispose();
  });

  for (const type of ["float32", "float16"] as const) {
    test(`a decoder's export, which asks for positions and for a past in ${type}, is given an empty one`, async () => {
      const files = transformerFolder(transformer, { pooling: "pooling_mode_lasttoken" });
      files["onnx/model.onnx"] = writeOnnx(withPast(transformerGraph(transformer), type));
      const model = await open(files);
      const [first, second] = await model.embed([TEXT, "a dog"], "passage");
      await model.dispose();
      expectClose(first?.vectors ?? [], unit(hidden(ROW).at(-1) ?? []));
      expectClose(second?.vectors ?? [], unit(hidden(ids("[CLS] a dog [SEP]")).at(-1) ?? []));
    });
  }

  test("int32 inputs and float16 outputs work", async () => {
    const graph = transformerGraph(transformer);
    for (const input of graph.inputs) input.type = "int32";
    graph.nodes.push({ op: "Cast", inputs: ["last_hidden_state"], outputs: ["half"], attributes: { to: 10 } });
    graph.outputs = [{ name: "half", type: "float16", shape: ["batch", "sequence", HIDDEN] }];
    const files = transformerFolder(transformer);
    files["onnx/model.onnx"] = writeOnnx(graph);
    const vector = await embedOne(files, TEXT);
    const expected = unit(mean(hidden(ROW)));
    expect(Math.max(...expected.map((x, i) => Math.abs(x - (vector[i] ?? 9))))).toBeLessThan(2e-3);
  });
});

/** The graph with the keys and values of earlier tokens before its own, and with positions as an input. */
function withPast(graph: OnnxGraph, type: "float32" | "float16"): OnnxGraph {
  const { heads, layers } = transformer.shape;
  const past = (name: string) => {
    graph.inputs.push({ name, type, shape: ["batch", heads, "past", HIDDEN / heads] });
    return name;
  };
  for (const node of graph.nodes) {
    node.inputs = node.inputs.map((input) => input.replace(/^l(\d+)\.(key|value)\.heads$/, "present.$1.$2"));
  }
  const cast = { op: "Cast", attributes: { to: 1 } };
  for (let l = 0; l < layers; l++) {
    const [key, value] = [past(`past_key_values.${l}.key`), past(`past_key_values.${l}.value`)];
    const joined = [
      { ...cast, inputs: [key], outputs: [`p${l}.key`] },
      { ...cast, inputs: [value], outputs: [`p${l}.value`] },
      { op: "Transpose", inputs: [`p${l}.key`], outputs: [`p${l}.key.heads`], attributes: { perm: [0, 1, 3, 2] } },
      {
        op: "Concat",
        inputs: [`p${l}.key.heads`, `l${l}.key.heads`],
        outputs: [`present.${l}.key`],
        attributes: { axis: 3 },
      },
      {
        op: "Concat",
        inputs: [`p${l}.value`, `l${l}.value.heads`],
        outputs: [`present.${l}.value`],
        attributes: { axis: 2 },
      },
    ];
    // ONNX Runtime puts nodes into the order of their computation by itself.
    graph.nodes.push(...joined);
  }
  const positions = graph.nodes.findIndex(({ outputs }) => outputs[0] === "positions");
  graph.nodes[positions] = {
    op: "Gather",
    inputs: ["position", "position_ids"],
    outputs: ["positions"],
    attributes: { axis: 0 },
  };
  graph.inputs.push({ name: "position_ids", type: "int64", shape: ["batch", "sequence"] });
  return graph;
}

describe("windows", () => {
  const options: FolderOptions = { maxTokens: 12, prompts: { document: "passage: " } };

  test("a text longer than the window gets one vector a window, each with prompt and special tokens", async () => {
    const model = await open(transformerFolder(transformer, options));
    const words = "the cat sat on the mat and the dog run or the big red house".split(" ");
    const [embedded] = await model.embed([words.join(" ")], "passage");
    expect(embedded?.windows).toBe(2);
    const cut = [words.slice(0, 8), words.slice(8)];
    cut.forEach((part, w) => {
      const row = ids(`[CLS] passage : ${part.join(" ")} [SEP]`);
      expectClose(embedded?.vectors.subarray(w * HIDDEN, (w + 1) * HIDDEN) ?? [], unit(mean(hidden(row))));
    });
    expect(embedded?.tokens).toBe(words.length + 2 * 4);
    await model.dispose();
  });

  test("an empty text, blanks and unknown words give one finite vector each", async () => {
    const model = await open(transformerFolder(transformer, options));
    const embedded = await model.embed(["", " \n", "xyzzy", "\u0000\u0001"], "query");
    expect(embedded.map((text) => text.windows)).toEqual([1, 1, 1, 1]);
    expectClose(embedded[0]?.vectors ?? [], unit(mean(hidden(ids("[CLS] [SEP]")))));
    await model.dispose();
  });

  test("without special tokens, a text without tokens has the direction of its characters", async () => {
    const tokenizer = { ...smallTokenizer(), post_processor: null };
    const model = await open(transformerFolder(transformer, { tokenizer }));
    const embedded = await model.embed(["", "a cat", " "], "query");
    const [none, , blank] = embedded.map(({ vectors }) => [...vectors]);
    expect(none).toEqual([...characterDirection("", HIDDEN)]);
    expect(blank).toEqual(none);
    expectClose(embedded[1]?.vectors ?? [], unit(mean(hidden(ids("a cat")))));
    await model.dispose();
  });
});

describe("a model in use", () => {
  test("concurrent calls do not disturb each other", async () => {
    const model = await open(transformerFolder(transformer), 32);
    const alone = await Promise.all(
      ["a cat", "the dog sat", "red sun"].map(async (text) => [
        ...((await model.embed([text], "query"))[0]?.vectors ?? []),
      ]),
    );
    const together = await Promise.all(
      Array.from({ length: 12 }, (_, i) =>
        model.embed([["a cat", "the dog sat", "red sun"][i % 3] ?? "", "the big tree"], "query"),
      ),
    );
    together.forEach((embedded, i) => expectClose(embedded[0]?.vectors ?? [], alone[i % 3] ?? []));
    await model.dispose();
  });

  test("an aborted call stops between two runs, and the next call works", async () => {
    const model = await open(transformerFolder(transformer), 16);
    const controller = new AbortController();
    const texts = Array.from({ length: 200 }, () => "the cat sat on the mat");
    const running = model.embed(texts, "passage", controller.signal);
    setImmediate(() => controller.abort());
    expect(
      await running.then(
        () => "done",
        (error: Error) => error.name,
      ),
    ).toBe("AbortError");
    expect((await model.embed(["a cat"], "query")).length).toBe(1);
    await model.dispose();
  });

  test("memory stays flat over five hundred changing shapes", async () => {
    const shape = { ...transformer.shape, hidden: 48, heads: 4, feedForward: 192, positions: 512 };
    const model = await open(transformerFolder(randomTransformer(shape)), 2048);
    const random = seededRandom(9);
    const words = SMALL_WORDS.slice(7);
    const round = async (): Promise<void> => {
      const texts = Array.from({ length: 1 + Math.floor(random() * 8) }, () =>
        Array.from({ length: 1 + Math.floor(random() * 200) }, () => words[Math.floor(random() * words.length)]).join(
          " ",
        ),
      );
      await model.embed(texts, "passage");
    };
    for (let i = 0; i < 60; i++) await round();
    Bun.gc(true);
    const before = process.memoryUsage.rss();
    for (let i = 0; i < 500; i++) await round();
    Bun.gc(true);
    expect(process.memoryUsage.rss() - before).toBeLessThan(48e6);
    await model.dispose();
  }, 180_000);

  test("the revision changes with any file that decides the vectors, and with nothing else", async () => {
    const revisionOf = async (change: FolderFiles): Promise<string> => {
      const model = await open({ ...transformerFolder(transformer), ...change });
      await model.dispose();
      return model.info.revision;
    };
    const first = await revisionOf({});
    expect(await revisionOf({ "README.md": "a card", "onnx/model_int8.onnx": "other" })).toBe(first);
    const changed = await Promise.all([
      revisionOf({ "1_Pooling/config.json": JSON.stringify({ pooling_mode_cls_token: true }) }),
      revisionOf({ "config_sentence_transformers.json": JSON.stringify({ prompts: { query: "a " } }) }),
      revisionOf({ "lectern.json": JSON.stringify({ max_tokens: 32 }) }),
      revisionOf({
        "onnx/model.onnx":
          transformerFolder(randomTransformer({ ...transformer.shape, seed: 8 }))["onnx/model.onnx"] ?? "",
      }),
    ]);
    expect(new Set([first, ...changed]).size).toBe(5);
  });
});

describe("graphs that cannot be used say why", () => {
  const problemsOf = async (files: FolderFiles): Promise<readonly string[]> => {
    try {
      const model = await open(files);
      await model.dispose();
      return [];
    } catch (error) {
      if (error instanceof ModelFolderError) return error.problems;
      throw error;
    }
  };
  const changed = (change: (graph: ReturnType<typeof transformerGraph>) => void): FolderFiles => {
    const graph = transformerGraph(transformer);
    change(graph);
    return { ...transformerFolder(transformer), "onnx/model.onnx": writeOnnx(graph) };
  };
  const cases: [what: string, files: () => FolderFiles, problem: RegExp][] = [
    [
      "not ONNX",
      () => ({ ...transformerFolder(transformer), "onnx/model.onnx": "hello" }),
      /^onnx\/model.onnx cannot be loaded/,
    ],
    [
      "cut off",
      () => {
        const files = transformerFolder(transformer);
        const whole = files["onnx/model.onnx"] as Uint8Array;
        return { ...files, "onnx/model.onnx": whole.subarray(0, whole.length / 2) };
      },
      /^onnx\/model.onnx cannot be loaded/,
    ],
    [
      "an unknown input",
      () => changed((g) => g.inputs.push({ name: "pixel_values", type: "float32", shape: [1] })),
      /asks for the input 'pixel_values'/,
    ],
    [
      "a past of no known shape",
      () => changed((g) => g.inputs.push({ name: "past_key_values.0.key", type: "float32", shape: [1] })),
      /'past_key_values.0.key' is not floats of rows x heads x length x size/,
    ],
    [
      "float ids",
      () =>
        changed((g) => {
          for (const i of g.inputs) i.type = "float32";
        }),
      /cannot be loaded|not of type int64/,
    ],
    [
      "no usable output",
      () =>
        changed((g) => {
          g.outputs = [{ name: "shape", type: "int64", shape: [2] }];
        }),
      /no output of token vectors or sentence vectors; it has: shape/,
    ],
    [
      "a projection whose weights are not read, and none in the graph",
      () => ({
        ...transformerFolder(transformer),
        "modules.json": modulesJson(["Transformer", "Pooling", "Dense"]),
        "2_Dense/config.json": JSON.stringify({ in_features: HIDDEN, out_features: 5 }),
        "2_Dense/pytorch_model.bin": "x",
      }),
      /^2_Dense\/model.safetensors is missing \(pytorch_model.bin is not read: save it as safetensors\)$/,
    ],
    [
      "another width than the pooling's",
      () => ({
        ...transformerFolder(transformer),
        "1_Pooling/config.json": JSON.stringify({ word_embedding_dimension: 8, pooling_mode_mean_tokens: true }),
      }),
      /gives token vectors of 16 values, but the pooling configuration says 8/,
    ],
    [
      "token ids beyond the table",
      () => ({
        ...transformerFolder(randomTransformer({ ...transformer.shape, vocabulary: 3 })),
        "config.json": JSON.stringify({ model_type: "bert", max_position_embeddings: 64 }),
      }),
      /does not run/,
    ],
    [
      "only zeros",
      () => {
        const silent = randomTransformer(transformer.shape);
        silent.weights.get("1.norm2.scale")?.values.fill(0);
        silent.weights.get("1.norm2.shift")?.values.fill(0);
        return transformerFolder(silent);
      },
      /gives no numbers/,
    ],
  ];
  for (const [what, files, problem] of cases) {
    test(what, async () => {
      const problems = await problemsOf(files());
      expect(problems.length).toBe(1);
      expect(problems[0]).toMatch(problem);
    });
  }
});

function modulesJson(kinds: string[]): string {
  return JSON.stringify(
    kinds.map((kind, idx) => {
      return {
        idx,
        name: String(idx),
        path: idx === 0 ? "" : `${idx}_${kind}`,
        type: `sentence_transformers.models.${kind}`,
      };
    }),
  );
}
