import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { tempDir } from "../../../test/helpers/temp-dir.ts";
import type { FolderFiles } from "../testing/model-folders.ts";
import { smallTokenizer, transformerFolder } from "../testing/model-folders.ts";
import { crossEncoderConfig, crossEncoderFolder, randomCrossEncoder } from "../testing/cross-encoders.ts";
import { scanModels } from "../../models/models-dir.ts";
import { isCrossEncoderFolder, readCrossEncoderFolder } from "./cross-encoder-folder.ts";
import { memoryModelFiles } from "./model-files.ts";
import { WAY_TO_TOKENIZER } from "./model-folder.ts";
import { modelRevision } from "./revision.ts";

const SHAPE = {
  vocabulary: 32,
  positions: 24,
  tokenTypes: 2,
  hidden: 8,
  heads: 2,
  layers: 1,
  feedForward: 16,
  seed: 3,
};
const MODEL = randomCrossEncoder(SHAPE);
const CONFIG = crossEncoderConfig(SHAPE);

function folder(changes: FolderFiles = {}) {
  return memoryModelFiles(crossEncoderFolder(MODEL, changes));
}

function config(changes: Record<string, unknown>): FolderFiles {
  return { "config.json": JSON.stringify({ ...CONFIG, ...changes }) };
}

describe("what a folder holds", () => {
  const old = { sentence_transformers: undefined, sbert_ce_default_activation_function: "torch.nn.modules.Identity" };
  const embedding = transformerFolder(MODEL.transformer);
  const modules = { "modules.json": embedding["modules.json"] ?? "" };
  const saved = { "config_sentence_transformers.json": JSON.stringify({ model_type: "CrossEncoder" }) };
  const cases: [what: string, files: FolderFiles, isReranker: boolean][] = [
    ["a classifier", crossEncoderFolder(MODEL), true],
    [
      "a classifier without sentence-transformers' settings",
      crossEncoderFolder(MODEL, config({ sentence_transformers: {} })),
      true,
    ],
    ["an older CrossEncoder", crossEncoderFolder(MODEL, config({ ...old, architectures: undefined })), true],
    ["a newer CrossEncoder with modules", crossEncoderFolder(MODEL, { ...modules, ...saved }), true],
    ["an embedding model", embedding, false],
    ["an embedding model made from a classifier", { ...embedding, ...config({ sentence_transformers: {} }) }, false],
    ["nothing", {}, false],
    ["a config.json that is no JSON", { "config.json": "{" }, false],
  ];
  test.each(cases)("%s", async (_, files, isReranker) => {
    expect(await isCrossEncoderFolder(memoryModelFiles(files))).toBe(isReranker);
  });
});

describe("a broken folder says exactly what is wrong", () => {
  const without = (name: string): FolderFiles => {
    const { [name]: _, ...rest } = crossEncoderFolder(MODEL);
    return rest;
  };
  const cases: [what: string, files: FolderFiles, problem: string][] = [
    ["no tokenizer", without("tokenizer.json"), `tokenizer.json is missing: ${WAY_TO_TOKENIZER}`],
    [
      "no graph",
      without("onnx/model.onnx"),
      "there is no ONNX graph: onnx/model.onnx or model.onnx is expected; `optimum-cli export onnx --model NAME DIR` makes one",
    ],
    [
      "three labels",
      crossEncoderFolder(MODEL, config({ id2label: { "0": "contradiction", "1": "entailment", "2": "neutral" } })),
      "config.json: the classifier has 3 labels, but a reranker has one score (num_labels 1), or two labels of which one says that the document fits",
    ],
    [
      "three labels that are not named",
      crossEncoderFolder(MODEL, config({ id2label: undefined, num_labels: 3 })),
      "config.json: the classifier has 3 labels, but a reranker has one score (num_labels 1), or two labels of which one says that the document fits",
    ],
    [
      "another task",
      crossEncoderFolder(MODEL, config({ architectures: ["BertForTokenClassification"] })),
      "config.json: BertForTokenClassification is no sequence classifier (…ForSequenceClassification)",
    ],
    [
      "an unknown activation",
      crossEncoderFolder(MODEL, config({ sentence_transformers: { activation_fn: "torch.nn.Softmax" } })),
      'the activation Softmax is not supported (Sigmoid, Identity, Tanh are; "activation" in lectern.json may name another)',
    ],
    [
      "an unknown activation of the operator's",
      crossEncoderFolder(MODEL, { "lectern.json": JSON.stringify({ activation: "softmax" }) }),
      "lectern.json: activation must be one of sigmoid, tanh, none",
    ],
    [
      "a tokenizer without pairs",
      crossEncoderFolder(MODEL, { "tokenizer.json": JSON.stringify(smallTokenizer()) }),
      "tokenizer.json: the post_processor says nothing of pairs of texts, which a reranker reads",
    ],
    [
      "more tokens than rows",
      crossEncoderFolder(MODEL, config({ vocab_size: 10 })),
      "tokenizer.json: the highest token id is 31, but config.json says vocab_size 10",
    ],
    [
      "several graphs without a plain one",
      { ...without("onnx/model.onnx"), "onnx/model_a.onnx": "a", "onnx/model_b.onnx": "b" },
      "several ONNX graphs and none is model.onnx; choose a variant of: onnx/model_a.onnx, onnx/model_b.onnx",
    ],
  ];
  test.each(cases)("%s", async (_, files, problem) => {
    expect(await readCrossEncoderFolder(memoryModelFiles(files))).toEqual({ ok: false, problems: [problem] });
  });

  test("all of it at once", async () => {
    const read = await readCrossEncoderFolder(memoryModelFiles({ "config.json": JSON.stringify(CONFIG) }));
    expect(read.ok ? [] : read.problems).toHaveLength(2);
  });
});

describe("of two labels", () => {
  const cases: [named: unknown, fits: 0 | 1][] = [
    [{ "0": "not_relevant", "1": "relevant" }, 1],
    [{ "0": "yes", "1": "no" }, 0],
    [{ "0": "relevant", "1": "irrelevant" }, 0],
    [{ "0": "true", "1": "false" }, 0],
    [{ "0": "LABEL_0", "1": "LABEL_1" }, 1],
    [{ "0": "noted", "1": "unknown words" }, 0],
    [undefined, 1],
  ];
  test.each(cases)("%j is told from what the other is called", async (named, fits) => {
    const read = await readCrossEncoderFolder(folder(config({ id2label: named })));
    expect(read).toMatchObject({ ok: true, spec: { fits, activation: "sigmoid" } });
  });

  test("label2id says the same, and a softmax is one of both", async () => {
    const changes = { id2label: undefined, label2id: { irrelevant: 1, relevant: 0 } };
    const softmax = { sentence_transformers: { activation_fn: "torch.nn.modules.activation.Softmax" } };
    const read = await readCrossEncoderFolder(folder(config({ ...changes, ...softmax })));
    expect(read).toMatchObject({ ok: true, spec: { fits: 0, activation: "sigmoid" } });
  });
});

describe("a good folder", () => {
  const activations: [given: Record<string, unknown>, own: string | undefined, read: string][] = [
    [{ sentence_transformers: { activation_fn: "torch.nn.modules.activation.Sigmoid" } }, undefined, "sigmoid"],
    [{ sentence_transformers: { activation_fn: "torch.nn.modules.linear.Identity" } }, undefined, "sigmoid"],
    [{ sentence_transformers: { activation_fn: "torch.nn.modules.activation.Tanh" } }, undefined, "tanh"],
    [{ sentence_transformers: undefined, sbert_ce_default_activation_function: "torch.nn.Tanh" }, undefined, "tanh"],
    [{ sentence_transformers: undefined }, undefined, "sigmoid"],
    [{ sentence_transformers: { activation_fn: "torch.nn.Softmax" } }, "none", "none"],
  ];
  test.each(activations)("has its activation: %j %s -> %s", async (given, own, activation) => {
    const more: FolderFiles = own === undefined ? {} : { "lectern.json": JSON.stringify({ activation: own }) };
    const read = await readCrossEncoderFolder(folder({ ...config(given), ...more }));
    expect(read).toMatchObject({ ok: true, spec: { activation } });
  });

  test("takes window, graph and prefixes from where embedding models do", async () => {
    const plain = await readCrossEncoderFolder(folder());
    expect(plain).toMatchObject({ ok: true, spec: { maxTokens: 24, graph: "onnx/model.onnx", queryPrefix: "" } });
    const int8 = { "onnx/model_int8.onnx": "another" };
    const own = { variant: "int8", max_tokens: 16, query_prefix: "query: ", passage_prefix: "passage: " };
    const changed = await readCrossEncoderFolder(folder({ ...int8, "lectern.json": JSON.stringify(own) }));
    expect(changed).toMatchObject({
      ok: true,
      spec: { maxTokens: 16, graph: "onnx/model_int8.onnx", queryPrefix: "query: ", passagePrefix: "passage: " },
    });
  });

  test("has another revision whenever its scores could be others, and the same otherwise", async () => {
    const revision = async (changes: FolderFiles) => {
      const files = folder(changes);
      const read = await readCrossEncoderFolder(files);
      if (!read.ok) throw new Error(read.problems.join("; "));
      return await modelRevision(files, read.spec);
    };
    const own = (settings: object): FolderFiles => ({ "lectern.json": JSON.stringify(settings) });
    const given = [
      {},
      config({ sentence_transformers: { activation_fn: "Tanh" } }),
      own({ max_tokens: 20 }),
      own({ activation: "none" }),
      { "onnx/model.onnx": "other weights" },
    ];
    const revisions = await Promise.all(given.map(revision));
    expect(new Set(revisions).size).toBe(given.length);
    expect(await revision({ "README.md": "# Nothing that is read" })).toBe(revisions[0] ?? "");
  });
});

test("a scan tells rerankers from embedding models, good and broken", async () => {
  const temp = tempDir();
  const root = temp.path;
  try {
    const put = (id: string, files: FolderFiles) => {
      for (const [name, content] of Object.entries(files)) {
        mkdirSync(dirname(join(root, id, name)), { recursive: true });
        writeFileSync(join(root, id, name), content);
      }
    };
    put("acme/ranker", crossEncoderFolder(MODEL));
    put("broken-ranker", crossEncoderFolder(MODEL, config({ id2label: { "0": "a", "1": "b", "2": "c" } })));
    put("embedder", transformerFolder(MODEL.transformer));
    const found = await scanModels(root);
    expect(found.map((one) => [one.id, one.ok ? one.kind : one.problems[0]])).toEqual([
      ["acme/ranker", "reranker"],
      ["broken-ranker", expect.stringContaining("3 labels")],
      ["embedder", "embedding"],
    ]);
  } finally {
    temp[Symbol.dispose]();
  }
});
