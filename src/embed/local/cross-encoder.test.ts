import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { loadOnnxRuntime } from "../../platform/native.ts";
import type { CrossEncoderModel } from "../testing/cross-encoders.ts";
import {
  crossEncoderConfig,
  crossEncoderFolder,
  crossEncoderGraph,
  crossEncoderLogit,
  randomCrossEncoder,
} from "../testing/cross-encoders.ts";
import type { FolderFiles } from "../testing/model-folders.ts";
import { SMALL_WORDS } from "../testing/model-folders.ts";
import { writeOnnx } from "../testing/onnx-writer.ts";
import { seededRandom } from "../../../test/helpers/random.ts";
import type { CrossEncoder } from "./cross-encoder.ts";
import { createCrossEncoder } from "./cross-encoder.ts";
import { memoryModelFiles } from "./model-files.ts";

const ort = loadOnnxRuntime();
const WINDOW = 24;
const SHAPE = {
  vocabulary: SMALL_WORDS.length,
  positions: WINDOW,
  tokenTypes: 2,
  hidden: 16,
  heads: 2,
  layers: 2,
  feedForward: 32,
  seed: 11,
};
const MODEL = randomCrossEncoder(SHAPE);
const CONFIG = crossEncoderConfig(SHAPE);
const [CLS, SEP] = [2, 3];
const ids = (words: string): number[] =>
  words === "" ? [] : words.split(" ").map((word) => SMALL_WORDS.indexOf(word));
const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x));

async function open(files: FolderFiles, batchTokens?: number): Promise<CrossEncoder> {
  return await createCrossEncoder(ort, memoryModelFiles(files), { id: "m", threads: 1, batchTokens });
}

/** `[CLS] query [SEP] document [SEP]` through the independent computation. */
function logit(query: number[], document: number[], model: CrossEncoderModel = MODEL): number {
  const row = [CLS, ...query, SEP, ...document, SEP];
  const types = row.map((_, i) => (i < query.length + 2 ? 0 : 1));
  return crossEncoderLogit(model, row, types);
}

function expectClose(actual: ArrayLike<number>, expected: number[]): void {
  expect(actual.length).toBe(expected.length);
  expect(Math.max(...expected.map((x, i) => Math.abs(x - (actual[i] ?? NaN))))).toBeLessThan(1e-4);
}

const QUERY = "the cat on a mat";
const DOCUMENTS = [
  "The cat sat on the mat.",
  "red house",
  "",
  "Dogs run and cats, small and big, run in the rain",
  "sun",
];
const PIECES = [
  "the cat sat on the mat .",
  "red house",
  "",
  "dog ##s run and cat ##s , small and big , run [UNK] the rain",
  "sun",
];

describe("scores equal an independent computation", () => {
  let encoder: CrossEncoder;
  beforeAll(async () => void (encoder = await open(crossEncoderFolder(MODEL))));
  afterAll(async () => await encoder.dispose());
  const expected = PIECES.map((pieces) => sigmoid(logit(ids(QUERY), ids(pieces))));

  test("of documents of all lengths, an empty one too", async () => {
    const { scores, tokens } = await encoder.score(QUERY, DOCUMENTS);
    expectClose(scores, expected);
    expect(new Set(scores).size).toBe(DOCUMENTS.length);
    expect(tokens).toBe(PIECES.reduce((sum, pieces) => sum + ids(pieces).length + 5 + 3, 0));
  });

  test("whatever the order of the documents and the batches they come in", async () => {
    const random = seededRandom(5);
    const one = await open(crossEncoderFolder(MODEL), 1);
    for (const subject of [encoder, one]) {
      const order = DOCUMENTS.map((_, i) => i).sort(() => random() - 0.5);
      const many = Array.from({ length: 40 }, (_, i) => order[i % order.length] ?? 0);
      const { scores } = await subject.score(
        QUERY,
        many.map((i) => DOCUMENTS[i] ?? ""),
      );
      expectClose(
        scores,
        many.map((i) => expected[i] ?? NaN),
      );
    }
    await one.dispose();
  });

  test("of several requests at once", async () => {
    const queries = [QUERY, "sky", "a big tree", ""];
    const answers = await Promise.all(queries.map((query) => encoder.score(query, DOCUMENTS)));
    answers.forEach(({ scores }, q) =>
      expectClose(
        scores,
        PIECES.map((pieces) => sigmoid(logit(ids(queries[q] ?? ""), ids(pieces)))),
      ),
    );
  });

  test("of no documents", async () => {
    expect(await encoder.score(QUERY, [])).toEqual({ scores: new Float64Array(), tokens: 0 });
  });

  test("of a document of several windows: the best of them", async () => {
    const words = Array.from({ length: 40 }, (_, i) => ["cat", "dog", "red", "sun", "tree"][(i * i) % 5] ?? "");
    // 3 special tokens and 5 of the query leave 16 of 24: 40 words are three windows, of 13 and 14 words.
    const starts = [0, 13, 27, 40];
    const windows = starts.slice(1).map((end, i) => words.slice(starts[i], end).join(" "));
    const logits = windows.map((window) => logit(ids(QUERY), ids(window)));
    const { scores, tokens } = await encoder.score(QUERY, [words.join(" ")]);
    expectClose(scores, [sigmoid(Math.max(...logits))]);
    expect(tokens).toBe(40 + 3 * 8);
  });

  test("what stands at the end of a long document counts as if it stood at its beginning", async () => {
    const answer = DOCUMENTS.map((_, i) => i).sort((a, b) => (expected[b] ?? 0) - (expected[a] ?? 0))[0] ?? 0;
    const filler = "sky ".repeat(60);
    const { scores } = await encoder.score(QUERY, [filler, `${filler}. ${DOCUMENTS[answer]}`]);
    expect(scores[1] ?? 0).toBeGreaterThan(scores[0] ?? 1);
  });

  test("of a query that takes more than half of the window: both are cut, longest first", async () => {
    const query = "cat dog red sun tree ".repeat(4).trim();
    const room = WINDOW - 3;
    const document = "red house and a tree";
    // The document fits beside half of the room, so only the query is cut.
    const whole = ids(query).slice(0, room - ids(document).length);
    expectClose((await encoder.score(query, [document])).scores, [sigmoid(logit(whole, ids(document)))]);
    // 20 tokens of the query and 11 of the document: the query, the longer one, gets the larger half. What does not fit
    // of the document is a window of its own.
    const long = "sun red house and a tree dog or cat run sky";
    const half = ids(query).slice(0, Math.ceil(room / 2));
    const windows = [ids(long).slice(0, 6), ids(long).slice(6)].map((window) => logit(half, window));
    expectClose((await encoder.score(query, [long])).scores, [sigmoid(Math.max(...windows))]);
  });

  test("stops between runs when nobody waits any more", async () => {
    const controller = new AbortController();
    controller.abort(new Error("gone"));
    expect(encoder.score(QUERY, DOCUMENTS, controller.signal)).rejects.toThrow("gone");
    expectClose((await encoder.score(QUERY, DOCUMENTS)).scores, expected);
  });
});

describe("from the graph's number to a score", () => {
  const config = (activation_fn: string): FolderFiles => ({
    "config.json": JSON.stringify({ ...CONFIG, sentence_transformers: { activation_fn } }),
  });
  const own = (activation: string): FolderFiles => ({ "lectern.json": JSON.stringify({ activation }) });
  const cases: [what: string, changes: FolderFiles, score: (logit: number) => number][] = [
    ["Identity, which gets the sigmoid", config("torch.nn.modules.linear.Identity"), sigmoid],
    ["Tanh", config("torch.nn.Tanh"), (x) => (Math.tanh(x) + 1) / 2],
    ["none", own("none"), (x) => Math.min(1, Math.max(0, x))],
  ];
  test.each(cases)("%s", async (_, changes, score) => {
    const encoder = await open(crossEncoderFolder(MODEL, changes));
    const { scores } = await encoder.score(QUERY, DOCUMENTS);
    expectClose(
      scores,
      PIECES.map((pieces) => score(logit(ids(QUERY), ids(pieces)))),
    );
    await encoder.dispose();
  });

  test("prefixes stand before query and document", async () => {
    const prefixes = { query_prefix: "query: ", passage_prefix: "passage: " };
    const encoder = await open(crossEncoderFolder(MODEL, { "lectern.json": JSON.stringify(prefixes) }));
    const { scores } = await encoder.score("cat", ["dog"]);
    expectClose(scores, [sigmoid(logit(ids("query : cat"), ids("passage : dog")))]);
    await encoder.dispose();
  });

  test("two near 1 still differ", async () => {
    const sure = { ...MODEL, bias: 20 };
    const encoder = await open(crossEncoderFolder(sure));
    const { scores } = await encoder.score(QUERY, ["sun", "red house"]);
    expect(scores[0]).not.toBe(scores[1]);
    await encoder.dispose();
  });
});

describe("graphs", () => {
  const graph = crossEncoderGraph(MODEL);
  const [output] = graph.outputs;
  if (output === undefined) throw new Error("no output");
  const folder = (bytes: Uint8Array): FolderFiles => crossEncoderFolder(MODEL, { "onnx/model.onnx": bytes });
  const only = graph.outputs;

  const good: [what: string, bytes: Uint8Array][] = [
    ["an output of another name", writeOnnx(crossEncoderGraph(MODEL, "relevance"))],
    ["an output of a size that is left open", writeOnnx({ ...graph, outputs: [{ ...output, shape: ["batch", "n"] }] })],
    [
      "other outputs beside the logits",
      writeOnnx({
        ...graph,
        outputs: [{ name: "last_hidden_state", type: "float32", shape: ["batch", "length", 16] }, ...only],
      }),
    ],
  ];
  test.each(good)("with %s are used", async (_, bytes) => {
    const encoder = await open(folder(bytes));
    const { scores } = await encoder.score(QUERY, DOCUMENTS.slice(0, 1));
    expectClose(scores, [sigmoid(logit(ids(QUERY), ids(PIECES[0] ?? "")))]);
    await encoder.dispose();
  });

  const two = { ...graph, weights: graph.weights.map((w) => (w.name === "classifier" ? twice(w) : w)) };
  const bad: [what: string, bytes: Uint8Array, words: string][] = [
    [
      "token vectors only",
      writeOnnx({ ...graph, outputs: hiddenOnly() }),
      "has no output 'logits' of one number a row",
    ],
    [
      "two numbers a row",
      writeOnnx({ ...two, outputs: [{ ...output, shape: ["batch", 2] }] }),
      "has no output 'logits' of one number a row; it has: logits [batch, 2]",
    ],
    [
      "an input that is not known",
      writeOnnx({ ...graph, inputs: [...graph.inputs, { name: "pixels", type: "int64", shape: ["batch", 1] }] }),
      "asks for the input 'pixels'",
    ],
    [
      "numbers that are none",
      writeOnnx(crossEncoderGraph({ ...MODEL, bias: NaN })),
      "does not run: the graph gives something that is no number",
    ],
    ["half of its bytes", writeOnnx(graph).subarray(0, 2000), "onnx/model.onnx cannot be loaded"],
  ];
  test.each(bad)("with %s say why they cannot be used", async (_, bytes, words) => {
    expect(open(folder(bytes))).rejects.toThrow(words);
  });

  test("built for one shape are fed in it", async () => {
    const fixed = graph.inputs.map((input) => ({ ...input, shape: [2, 12] }));
    const encoder = await open(folder(writeOnnx({ ...graph, inputs: fixed })));
    expect(encoder.info.maxTokens).toBe(12);
    const { scores } = await encoder.score("cat", ["sun", "red house", "the dog"]);
    expectClose(
      scores,
      ["sun", "red house", "the dog"].map((document) => sigmoid(logit(ids("cat"), ids(document)))),
    );
    await encoder.dispose();
  });

  function hiddenOnly() {
    return [{ name: "last_hidden_state", type: "float32" as const, shape: ["batch", "length", 16] }];
  }
});

function twice<T extends { shape: number[]; data: unknown }>(weight: T): T {
  const data = weight.data as Float32Array;
  return {
    ...weight,
    shape: [data.length, 2],
    data: Float32Array.from({ length: data.length * 2 }, (_, i) => data[i >> 1] ?? 0),
  };
}
