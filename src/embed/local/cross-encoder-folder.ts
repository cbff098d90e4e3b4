/**
 * Reads a cross-encoder in Hugging Face's layout (a sequence classifier with one label, or with two of which one says that
 * the document fits, as sentence-transformers' CrossEncoder saves it) into a plain description of what has to be computed. Problems are collected as for embedding
 * models (model-folder.ts), and graphs, windows and `lectern.json` are read by the same rules.
 */
import { chooseGraph } from "./graph-file.ts";
import { architecturesOf, JsonFiles, numberOf, objectOf, stringOf } from "./json-files.ts";
import type { JsonObject } from "./json-files.ts";
import type { ModelFiles } from "./model-files.ts";
import { checkTokenizer, definedOf, overridesOf, padIdOf, WAY_TO_TOKENIZER } from "./model-folder.ts";
import type { ModelOverrides } from "./model-folder.ts";
import { type PairTemplate, readPairTemplate } from "./pair-tokens.ts";
import { readWindow } from "./window-config.ts";

/**
 * From the graph's number to a score in [0, 1]. `none`: the graph gives such scores itself.
 */
export type Activation = "sigmoid" | "tanh" | "none";

export interface CrossEncoderSpec {
  /** Graph file, for instance "onnx/model.onnx". */
  graph: string;
  /** Files whose bytes decide the scores: the revision is their hash. */
  files: string[];
  tokenizer: JsonObject;
  tokenizerConfig: JsonObject;
  template: PairTemplate;
  padId: number;
  maxTokens: number;
  /** From `lectern.json` only. */
  queryPrefix: string;
  passagePrefix: string;
  truncateTo: null;
  activation: Activation;
  /** Of two numbers a row, the one of the label that the document fits; null where the graph gives one number. */
  fits: 0 | 1 | null;
}

export type CrossEncoderFolder = { ok: true; spec: CrossEncoderSpec } | { ok: false; problems: string[] };

/**
 * What models' files may name, by the last part of the Python class. A model whose own activation leaves its numbers as
 * they are gets the sigmoid too: the order is the same, and scores have to lie in [0, 1].
 */
const ACTIVATIONS: Readonly<Record<string, Activation>> = { Sigmoid: "sigmoid", Identity: "sigmoid", Tanh: "tanh" };
const OWN_ACTIVATIONS: readonly Activation[] = ["sigmoid", "tanh", "none"];
const CLASSIFIER = /ForSequenceClassification$/;
/** Labels of a classifier whose config.json names none, as transformers has it. */
const USUAL_LABELS = 2;
/** Names of the label that says no: "not_relevant", "no", "irrelevant", "false", "LABEL_0". */
const SAYS_NO = /^(?:not?(?![a-z])|non[_ -]?|un|ir|false|neg|0$|label_0$)/i;

/** Whether the folder holds a reranker, good or broken, rather than an embedding model. Never throws. */
export async function isCrossEncoderFolder(files: ModelFiles): Promise<boolean> {
  const json = new JsonFiles(files);
  const prompts = await json.optional("config_sentence_transformers.json");
  const kind = prompts?.["model_type"];
  if (typeof kind === "string") return kind === "CrossEncoder";
  // An embedding model may have been made from a classifier, and its config.json still say so.
  if (json.has("modules.json") || json.has("1_Pooling/config.json")) return false;
  const config = (await json.optional("config.json")) ?? {};
  return architecturesOf(config).some((name) => CLASSIFIER.test(name)) || activationNameOf(config) !== null;
}

export async function readCrossEncoderFolder(
  files: ModelFiles,
  given: ModelOverrides = {},
): Promise<CrossEncoderFolder> {
  const json = new JsonFiles(files);
  const problems = json.problems;
  const own = await json.optional("lectern.json");
  const overrides: ModelOverrides = { ...overridesOf(own), ...definedOf(given) };
  const config = (await json.required("config.json")) ?? {};
  const tokenizer = (await json.required("tokenizer.json", WAY_TO_TOKENIZER)) ?? {};
  const tokenizerConfig = (await json.optional("tokenizer_config.json")) ?? {};
  const sentence = (await json.optional("sentence_bert_config.json")) ?? {};
  const general = (await json.optional("config_sentence_transformers.json")) ?? {};

  const fits = readLabels(config, problems);
  const activation = readActivation(own, { sources: [general, config], labels: fits === null ? 1 : 2 }, problems);
  const template = readPairTemplate(tokenizer["post_processor"]);
  if (json.has("tokenizer.json")) {
    checkTokenizer("tokenizer.json", tokenizer, config, problems);
    if (!template.ok) problems.push(`tokenizer.json: ${template.problem}`);
  }
  const graph = chooseGraph(files.names, "", overrides.variant, problems);
  const maxTokens = readWindow({ config, sentence, tokenizerConfig, asked: overrides.maxTokens }, problems);
  if (problems.length > 0 || graph === null || maxTokens === null || !template.ok) return { ok: false, problems };
  return {
    ok: true,
    spec: {
      graph: graph.name,
      files: [...new Set([...json.read, ...graph.files])].sort(),
      tokenizer,
      tokenizerConfig,
      template: template.template,
      padId: padIdOf(tokenizer, tokenizerConfig, config),
      maxTokens,
      queryPrefix: overrides.queryPrefix ?? "",
      passagePrefix: overrides.passagePrefix ?? "",
      truncateTo: null,
      activation,
      fits,
    },
  };
}

/** Which of two labels says that the document fits; null for a classifier of one. */
function readLabels(config: JsonObject, problems: string[]): 0 | 1 | null {
  const architectures = architecturesOf(config);
  if (architectures.length > 0 && !architectures.some((name) => CLASSIFIER.test(name))) {
    problems.push(`config.json: ${architectures.join(", ")} is no sequence classifier (…ForSequenceClassification)`);
    return null;
  }
  const named = objectOf(config["id2label"]) ?? swapped(objectOf(config["label2id"]));
  const labels = numberOf(config["num_labels"]) ?? (named === null ? USUAL_LABELS : Object.keys(named).length);
  if (architectures.length === 0 || labels === 1) return null;
  if (labels !== 2) {
    problems.push(
      `config.json: the classifier has ${labels} labels, but a reranker has one score (num_labels 1), or two labels of which one says that the document fits`,
    );
    return null;
  }
  const [first, second] = ["0", "1"].map((id) => SAYS_NO.test(stringOf(named?.[id]) ?? ""));
  return second === true && first === false ? 0 : 1;
}

function swapped(ids: JsonObject | null): JsonObject | null {
  return ids === null ? null : Object.fromEntries(Object.entries(ids).map(([label, id]) => [String(id), label]));
}

/** Of two labels, the softmax of both is the sigmoid of their difference. */
function readActivation(
  own: JsonObject | null,
  { sources, labels }: { sources: JsonObject[]; labels: 1 | 2 },
  problems: string[],
): Activation {
  const asked = own?.["activation"];
  if (asked !== undefined) {
    const known = OWN_ACTIVATIONS.find((name) => name === asked);
    if (known === undefined) problems.push(`lectern.json: activation must be one of ${OWN_ACTIVATIONS.join(", ")}`);
    return known ?? "sigmoid";
  }
  const name = sources.map(activationNameOf).find((one) => one !== null);
  if (name === undefined) return "sigmoid";
  if (labels === 2 && (name === "Softmax" || name === "Tanh")) return "sigmoid";
  const activation = ACTIVATIONS[name];
  if (activation === undefined) {
    const list = Object.keys(ACTIVATIONS).join(", ");
    problems.push(
      `the activation ${name} is not supported (${list} are; "activation" in lectern.json may name another)`,
    );
  }
  return activation ?? "sigmoid";
}

/** The activation's class without its package, wherever a version of sentence-transformers keeps it. */
function activationNameOf(config: JsonObject): string | null {
  const nested = objectOf(config["sentence_transformers"]);
  const name =
    stringOf(nested?.["activation_fn"]) ??
    stringOf(config["sbert_ce_default_activation_function"]) ??
    stringOf(config["activation_fn"]);
  return name?.split(".").at(-1) ?? null;
}
