/**
 * Reads a sentence-embedding model in Hugging Face's layout (as sentence-transformers writes it) into
 * a plain description of what has to be computed. Nothing native is touched here; what a graph really
 * offers is checked when a session is opened on it (session.ts).
 *
 * Every problem is collected, so that an operator sees all of them at once, each with the file's name.
 */
import type { DenseLayer, PoolingMode } from "./pooling.ts";
import type { ModelFiles } from "./model-files.ts";
import { type PoolingConfig, readPooling } from "./pooling-config.ts";
import { readDense } from "./dense-config.ts";
import { architecturesOf, JsonFiles, numberOf, objectOf, stringOf } from "./json-files.ts";
import type { JsonObject } from "./json-files.ts";
import { chooseGraph } from "./graph-file.ts";
import { readWindow } from "./window-config.ts";

/** What `lectern.json` in the folder, or the operator's configuration, may say on top of the model's own files. */
export interface ModelOverrides {
  /** Name or suffix of the graph: "onnx/model_int8.onnx", "model_int8", "int8". */
  variant?: string | undefined;
  maxTokens?: number | undefined;
  queryPrefix?: string | undefined;
  passagePrefix?: string | undefined;
  matryoshka?: number[] | null | undefined;
}

export interface ModelSpec {
  /** Graph file, for instance "onnx/model.onnx". */
  graph: string;
  /** Files whose bytes decide the vectors, in a fixed order: the revision is their hash. */
  files: string[];
  tokenizer: JsonObject;
  tokenizerConfig: JsonObject;
  /** Lower-casing that sentence-transformers does before the tokenizer. */
  lowercase: boolean;
  /** Token id that fills short rows of a batch. */
  padId: number;
  /** Rows of the embedding table as config.json says, or null. */
  vocabularySize: number | null;
  maxTokens: number;
  /** Whether a token's part in a vector depends on the others; not so in a table of words. */
  readsContext: boolean;
  queryPrefix: string;
  passagePrefix: string;
  pooling: PoolingMode[];
  /** False: the prompt's tokens are computed but not pooled. */
  poolPrompt: boolean;
  dense: DenseLayer[];
  /** Why steps after pooling cannot be computed here: only a graph that gives finished vectors will do. */
  unread: string[];
  /** Values of one pooled vector as the files say, or null where only the graph knows. */
  dimensions: number | null;
  /** The model's output is cut to so many values (`truncate_dim`), or null. */
  truncateTo: number | null;
  matryoshka: number[] | null;
  /** What is unusual but works; for `models verify`. */
  notes: string[];
}

export type ModelFolder = { ok: true; spec: ModelSpec } | { ok: false; problems: string[] };

/** What tables of words say that they are. */
const TABLES = ["StaticEmbedding", "StaticModel"];
/** Modules that the steps after the graph are made of, by the last part of their Python class name. */
const KNOWN_MODULES = ["Transformer", "Pooling", "Dense", "Normalize", "Dropout"];

/** How a folder with an older tokenizer's files gets the one file that is read. */
export const WAY_TO_TOKENIZER = 'AutoTokenizer.from_pretrained("DIR").save_pretrained("DIR") writes it';

export async function readModelFolder(files: ModelFiles, given: ModelOverrides = {}): Promise<ModelFolder> {
  const json = new JsonFiles(files);
  const problems = json.problems;
  const notes: string[] = [];
  const overrides: ModelOverrides = { ...overridesOf(await json.optional("lectern.json")), ...definedOf(given) };

  const modules = await readModules(json, problems);
  const root = modules.find((m) => m.kind === "Transformer")?.path ?? "";
  const config = (await json.required(`${root}config.json`)) ?? {};
  const tokenizer = (await json.required(`${root}tokenizer.json`, WAY_TO_TOKENIZER)) ?? {};
  const tokenizerConfig = (await json.optional(`${root}tokenizer_config.json`)) ?? {};
  const sentence = (await json.optional(`${root}sentence_bert_config.json`)) ?? {};
  const prompts = (await json.optional("config_sentence_transformers.json")) ?? {};
  if (json.has(`${root}tokenizer.json`)) checkTokenizer(`${root}tokenizer.json`, tokenizer, config, problems);

  const graph = chooseGraph(files.names, root, overrides.variant, problems);
  const poolingModule = modules.find((m) => m.kind === "Pooling");
  const pooling = await readPooling(json, poolingModule?.path ?? null, notes);
  const dense: DenseLayer[] = [];
  const unread: string[] = [];
  for (const module of modules.filter((m) => m.kind === "Dense")) {
    const layer = await readDense({ json, files, unread }, module.path);
    if (layer !== null) dense.push(layer);
  }
  if (unread.length === 0) checkChain(pooling.width, dense, problems);
  const maxTokens = readWindow({ config, sentence, tokenizerConfig, asked: overrides.maxTokens }, problems);
  const prefixes = readPrompts(prompts, overrides);
  const truncateTo = numberOf(prompts["truncate_dim"]);
  const matryoshka = overrides.matryoshka === undefined ? readMatryoshka([config, prompts]) : overrides.matryoshka;
  if (problems.length > 0 || graph === null || maxTokens === null) return { ok: false, problems };

  return {
    ok: true,
    spec: {
      graph: graph.name,
      files: [...new Set([...json.read, ...graph.files, ...dense.flatMap((_, i) => denseFiles(modules, i))])].sort(),
      tokenizer,
      tokenizerConfig,
      lowercase: sentence["do_lower_case"] === true,
      padId: padIdOf(tokenizer, tokenizerConfig, config),
      vocabularySize: numberOf(config["vocab_size"]),
      maxTokens,
      readsContext: !isTable(config),
      ...prefixes,
      pooling: pooling.modes,
      poolPrompt: pooling.includePrompt,
      dense,
      unread,
      dimensions: unread.length > 0 ? null : pooledSize(pooling, dense),
      truncateTo,
      matryoshka,
      notes,
    },
  };
}

function pooledSize({ width, modes }: PoolingConfig, dense: readonly DenseLayer[]): number | null {
  return dense.at(-1)?.outputs ?? (width === null ? null : width * modes.length);
}

/** A table of words says so as its architecture. */
function isTable(config: JsonObject): boolean {
  return architecturesOf(config).some((name) => TABLES.includes(name));
}

interface Module {
  kind: string;
  /** Folder with a slash at its end, or empty for the model's own folder. */
  path: string;
}

async function readModules(json: JsonFiles, problems: string[]): Promise<Module[]> {
  const list = await json.optionalArray("modules.json");
  if (list === null)
    return [{ kind: "Transformer", path: "" }, ...(json.has("1_Pooling/config.json") ? [pooling()] : [])];
  const modules: Module[] = [];
  list.forEach((entry, i) => {
    const object = objectOf(entry);
    const kind = stringOf(object?.["type"])?.split(".").at(-1);
    const path = stringOf(object?.["path"]) ?? "";
    if (kind === undefined) problems.push(`modules.json: entry ${i} has no "type"`);
    else if (!KNOWN_MODULES.includes(kind)) {
      problems.push(`modules.json: module ${kind} is not supported (${KNOWN_MODULES.join(", ")} are)`);
    } else modules.push({ kind, path: path === "" ? "" : `${path.replace(/\/+$/, "")}/` });
  });
  if (!modules.some((m) => m.kind === "Transformer") && problems.length === 0) {
    problems.push("modules.json: there is no Transformer module");
  }
  return modules;
}

function pooling(): Module {
  return { kind: "Pooling", path: "1_Pooling/" };
}

function denseFiles(modules: Module[], index: number): string[] {
  const module = modules.filter((m) => m.kind === "Dense")[index];
  return module === undefined ? [] : [`${module.path}model.safetensors`];
}

/** Pooled width -> first dense layer -> … -> last: each must take what the one before gives. */
function checkChain(width: number | null, dense: DenseLayer[], problems: string[]): void {
  let expected = width;
  dense.forEach((layer, i) => {
    if (expected !== null && layer.inputs !== expected) {
      problems.push(`dense layer ${i + 1} takes ${layer.inputs} values, but gets ${expected}`);
    }
    expected = layer.outputs;
  });
}

export function checkTokenizer(name: string, tokenizer: JsonObject, config: JsonObject, problems: string[]): void {
  const model = objectOf(tokenizer["model"]);
  if (model === null) return void problems.push(`${name}: there is no "model" (is it a tokenizer of the fast kind?)`);
  const vocabulary = model["vocab"];
  if (vocabulary === null || typeof vocabulary !== "object") {
    return void problems.push(`${name}: the model has no "vocab"`);
  }
  const rows = numberOf(config["vocab_size"]);
  if (rows === null) return;
  let highest = -1;
  if (Array.isArray(vocabulary)) highest = vocabulary.length - 1;
  else for (const id of Object.values(vocabulary)) if (typeof id === "number" && id > highest) highest = id;
  if (highest >= rows) {
    problems.push(`${name}: the highest token id is ${highest}, but config.json says vocab_size ${rows}`);
  }
}

function readPrompts(config: JsonObject, overrides: ModelOverrides): { queryPrefix: string; passagePrefix: string } {
  const prompts = objectOf(config["prompts"]) ?? {};
  const fallback = stringOf(prompts[stringOf(config["default_prompt_name"]) ?? ""]) ?? "";
  const first = (...names: string[]) => names.map((n) => stringOf(prompts[n])).find((p) => p !== null) ?? fallback;
  return {
    queryPrefix: overrides.queryPrefix ?? first("query"),
    passagePrefix: overrides.passagePrefix ?? first("document", "passage", "corpus"),
  };
}

function readMatryoshka(sources: JsonObject[]): number[] | null {
  for (const source of sources) {
    for (const name of ["matryoshka_dimensions", "matryoshka_dims"]) {
      const list = source[name];
      if (!Array.isArray(list)) continue;
      const sizes = list.filter((x): x is number => typeof x === "number" && Number.isInteger(x) && x > 0);
      if (sizes.length > 0) return [...new Set(sizes)].sort((a, b) => a - b);
    }
  }
  return null;
}

export function padIdOf(tokenizer: JsonObject, tokenizerConfig: JsonObject, config: JsonObject): number {
  const padding = numberOf(objectOf(tokenizer["padding"])?.["pad_id"]);
  if (padding !== null) return padding;
  const token = tokenizerConfig["pad_token"];
  const content = stringOf(token) ?? stringOf(objectOf(token)?.["content"]);
  const added = Array.isArray(tokenizer["added_tokens"]) ? tokenizer["added_tokens"] : [];
  for (const entry of added) {
    const object = objectOf(entry);
    if (content !== null && object?.["content"] === content) return numberOf(object["id"]) ?? 0;
  }
  return numberOf(config["pad_token_id"]) ?? 0;
}

export function overridesOf(file: JsonObject | null): ModelOverrides {
  if (file === null) return {};
  const list = file["matryoshka"];
  return definedOf({
    variant: stringOf(file["variant"]) ?? undefined,
    maxTokens: numberOf(file["max_tokens"]) ?? undefined,
    queryPrefix: stringOf(file["query_prefix"]) ?? undefined,
    passagePrefix: stringOf(file["passage_prefix"]) ?? undefined,
    matryoshka: Array.isArray(list) ? list.filter((x): x is number => typeof x === "number") : undefined,
  });
}

/** What `overridesOf` reads, as `lectern.json` has it. */
export function overridesFile(overrides: ModelOverrides): JsonObject {
  const { variant, maxTokens, queryPrefix, passagePrefix, matryoshka } = definedOf(overrides);
  const file = { variant, max_tokens: maxTokens, query_prefix: queryPrefix, passage_prefix: passagePrefix, matryoshka };
  return Object.fromEntries(Object.entries(file).filter(([, value]) => value !== undefined));
}

export function definedOf(overrides: ModelOverrides): ModelOverrides {
  return Object.fromEntries(Object.entries(overrides).filter(([, value]) => value !== undefined));
}
