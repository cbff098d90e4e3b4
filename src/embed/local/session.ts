/**
 * A local embedding model: tokenizer, ONNX session, pooling. Runs inside a native worker: a run of the graph blocks its
 * thread, so runs are small (a token budget) and the thread is given back between them.
 *
 * - Rows are sorted by length and batched without padding to speak of: on a CPU a batch gains nothing once some hundred
 *   tokens are in flight, and every padded token is paid for.
 * - Memory stays flat over changing shapes: no arena and no memory pattern in ONNX Runtime (both keep what every new
 *   shape needed), inputs and outputs in buffers of our own that are used again.
 * - One model computes one run at a time; concurrent calls take turns.
 */
import { messageOf } from "../../errors.ts";
import type { OnnxRuntime } from "../../platform/native.ts";
import type { EmbeddedText, EmbedKind, ModelInfo } from "../provider.ts";
import { WINDOW_TOKENS } from "../file-windows.ts";
import { normaliseRow } from "../vectors.ts";
import { characterDirection } from "./character-direction.ts";
import type { ModelFiles } from "./model-files.ts";
import type { ModelOverrides, ModelSpec } from "./model-folder.ts";
import { readModelFolder } from "./model-folder.ts";
import { chooseVectors, GraphRunner } from "./graph-runner.ts";
import type { BatchRow } from "./graph-inputs.ts";
import { applyDense, poolWindow } from "./pooling.ts";
import { PIECES_FILE, piecesFromBytes } from "./piece-trie.ts";
import { modelRevision } from "./revision.ts";
import type { ModelTokenizer } from "./tokenizer.ts";
import { createTokenizer } from "./tokenizer.ts";
import { cutWindows, planBatches } from "./windows.ts";

export interface LocalModelOptions {
  id: string;
  location: "bundled" | "local";
  /** Threads inside one run. Ingest lanes take 1 each, a query lane of its own may take more. */
  threads: number;
  /** Tokens of one run, padding included. */
  batchTokens?: number | undefined;
  overrides?: ModelOverrides | undefined;
  /** What an earlier opening of these very files found: they are neither hashed nor tried again. */
  known?: ModelInfo | null | undefined;
}

export interface LocalModel {
  readonly info: ModelInfo;
  readonly notes: readonly string[];
  /**
   * One result per text, in order; the vectors of a call are views into one buffer. Rejects with the signal's reason when
   * aborted, between two runs, and with an Error when the graph itself fails.
   */
  embed(texts: readonly string[], kind: EmbedKind, signal?: AbortSignal): Promise<EmbeddedText[]>;
  dispose(): Promise<void>;
}

/** A model folder that cannot be used; every problem is one readable line. */
export class ModelFolderError extends Error {
  readonly problems: readonly string[];

  constructor(id: string, problems: readonly string[]) {
    super(`model '${id}' cannot be used: ${problems.join("; ")}`);
    this.name = "ModelFolderError";
    this.problems = problems;
  }
}

/**
 * What a run of an encoder leaves between two of its operators then fits a core's cache: at 1024 tokens a window of 256
 * takes a quarter longer, and four times the memory.
 */
const ENCODER_BATCH_TOKENS = 256;
const TABLE_BATCH_TOKENS = 1024;
const PROBE = "The quick brown fox jumps over the lazy dog.";

/** Reads, opens and tries a model. Rejects with a ModelFolderError where any of that fails. */
export async function createLocalModel(
  ort: OnnxRuntime,
  files: ModelFiles,
  options: LocalModelOptions,
): Promise<LocalModel> {
  const folder = await readModelFolder(files, options.overrides);
  if (!folder.ok) throw new ModelFolderError(options.id, folder.problems);
  const spec = folder.spec;
  const isMade = options.known != null && files.names.includes(PIECES_FILE);
  const made = isMade ? await files.bytes(PIECES_FILE) : null;
  const tokenizer = attempt(options.id, "tokenizer.json", () =>
    createTokenizer(spec.tokenizer, spec.tokenizerConfig, made === null ? null : piecesFromBytes(made)),
  );
  const opened = await GraphRunner.open(ort, files, spec, options.threads, (outputs, problems) =>
    chooseVectors(spec, outputs, problems),
  );
  if (!opened.ok) throw new ModelFolderError(options.id, opened.problems);
  const runner = opened.runner;
  try {
    const usual = spec.readsContext ? ENCODER_BATCH_TOKENS : TABLE_BATCH_TOKENS;
    const embedder = new Embedder(spec, tokenizer, runner, options.batchTokens ?? usual);
    const info = options.known ?? (await measured(embedder, files, spec, options));
    const { dimensions } = info;
    embedder.dimensions = dimensions;
    return {
      info,
      notes: [...spec.notes, ...runner.notes],
      embed: async (texts, kind, signal) => {
        const embedded = await embedder.embed(texts, kind, signal);
        embedded.forEach((text, i) => giveDirection(text, texts[i] ?? "", dimensions));
        return embedded;
      },
      dispose: () => runner.dispose(),
    };
  } catch (error) {
    await runner.dispose();
    throw error;
  }
}

/** Tries the model, and names the revision of its files. */
async function measured(
  embedder: Embedder,
  files: ModelFiles,
  spec: ModelSpec,
  options: LocalModelOptions,
): Promise<ModelInfo> {
  const dimensions = await probe(embedder, options.id, spec);
  return modelInfo(spec, options, embedder.maxTokens, dimensions, await modelRevision(files, spec));
}

function modelInfo(
  spec: ModelSpec,
  options: LocalModelOptions,
  maxTokens: number,
  dimensions: number,
  revision: string,
): ModelInfo {
  const sizes = spec.matryoshka?.filter((size) => size < dimensions) ?? null;
  return {
    id: options.id,
    revision,
    dimensions,
    defaultDimensions: dimensions,
    matryoshka: sizes === null ? null : [...sizes, dimensions],
    matryoshkaExact: false,
    maxTokens,
    windowTokens: spec.readsContext ? Math.min(WINDOW_TOKENS, maxTokens) : null,
    location: options.location,
    queryPrefix: spec.queryPrefix,
    passagePrefix: spec.passagePrefix,
    unrelatedCosine: 0,
  };
}

/** Embeds one sentence: tells the size of a vector, and that the graph runs and gives numbers. */
async function probe(embedder: Embedder, id: string, spec: ModelSpec): Promise<number> {
  let text: EmbeddedText | undefined;
  try {
    [text] = await embedder.embed([PROBE], "passage");
  } catch (error) {
    throw new ModelFolderError(id, [`${spec.graph} does not run: ${messageOf(error)}`]);
  }
  const vectors = text?.vectors ?? new Float32Array(0);
  if (!vectors.some((x) => x !== 0))
    throw new ModelFolderError(id, [`${spec.graph} gives no numbers for a plain sentence`]);
  return embedder.dimensions;
}

/**
 * Gives a text whose windows all are zero the direction of its characters. Where the model knows something in one window,
 * that is the text's direction, and its other windows stay zero: vectors that clients keep elsewhere must not change.
 */
function giveDirection({ vectors, windows }: EmbeddedText, text: string, dimensions: number): void {
  if (vectors.some((x) => x !== 0)) return;
  const direction = characterDirection(text, dimensions);
  for (let w = 0; w < windows; w++) vectors.set(direction, w * dimensions);
}

/** A window of one text: `start` to `end` of its tokens. */
interface Window extends BatchRow {
  text: number;
}

class Embedder {
  readonly maxTokens: number;
  /** Values of a vector; known after the first run, or before it where the model is. */
  dimensions = 0;
  readonly #spec: ModelSpec;
  readonly #tokenizer: ModelTokenizer;
  readonly #runner: GraphRunner;
  readonly #batchTokens: number;
  readonly #prompts: Record<EmbedKind, Int32Array>;
  /** Runs share the runner's buffers: every call waits for the one before it. */
  #turn: Promise<unknown> = Promise.resolve();

  constructor(spec: ModelSpec, tokenizer: ModelTokenizer, runner: GraphRunner, batchTokens: number) {
    this.#spec = spec;
    this.#tokenizer = tokenizer;
    this.#runner = runner;
    this.#batchTokens = batchTokens;
    this.maxTokens = Math.min(spec.maxTokens, runner.fixedLength ?? Infinity);
    this.#prompts = { query: this.#tokensOf(spec.queryPrefix).ids, passage: this.#tokensOf(spec.passagePrefix).ids };
  }

  async embed(texts: readonly string[], kind: EmbedKind, signal?: AbortSignal): Promise<EmbeddedText[]> {
    const turn = this.#turn.then(() => this.#embed(texts, kind, signal));
    this.#turn = turn.catch(() => undefined);
    return await turn;
  }

  async #embed(texts: readonly string[], kind: EmbedKind, signal?: AbortSignal): Promise<EmbeddedText[]> {
    signal?.throwIfAborted();
    const windows: Window[] = [];
    const results = texts.map((text, i) => this.#addWindows(windows, text, kind, i));
    const lengths = windows.map((window) => this.#runner.lengthOf(window));
    // A window without a single token (nothing but blanks, and no special tokens) stays the zero vector here.
    const full = lengths.flatMap((length, i) => (length > 0 ? [i] : []));
    const limits = { maxTokens: this.#batchTokens, rows: this.#runner.fixedRows };
    const batches = planBatches(
      full.map((i) => lengths[i] as number),
      limits,
    );
    let all: Float32Array | undefined;
    for (const batch of batches) {
      signal?.throwIfAborted();
      const rows = batch.map((b) => windows[full[b] as number] as Window);
      const output = await this.#runner.run(rows);
      rows.forEach((window, row) => {
        const i = full[batch[row] as number] as number;
        const vector = this.#finish(output, row, window);
        this.dimensions = vector.length;
        all ??= new Float32Array(windows.length * vector.length);
        all.set(vector, i * vector.length);
        normaliseRow(all, i * vector.length, vector.length);
      });
    }
    all ??= new Float32Array(windows.length * this.dimensions);
    let next = 0;
    for (const result of results) {
      result.vectors = all.subarray(next * this.dimensions, (next + result.windows) * this.dimensions);
      next += result.windows;
    }
    return results;
  }

  #addWindows(windows: Window[], text: string, kind: EmbedKind, index: number): EmbeddedText {
    const { special } = this.#tokenizer;
    const prefix = kind === "query" ? this.#spec.queryPrefix : this.#spec.passagePrefix;
    const { ids, sentences } = this.#tokensOf(prefix === "" ? text : prefix + text);
    // The prompt's tokens as they came out before this text stand before its later windows too.
    const prompt = commonStart(this.#prompts[kind], ids);
    const capacity = this.maxTokens - special.before.length - special.after.length - prompt;
    if (capacity < 1) throw new Error(`the prompt of ${prompt} tokens leaves no room in a window of ${this.maxTokens}`);
    const ends = cutWindows(ids.length - prompt, capacity, {
      startsWord: (i) => !this.#tokenizer.continuesWord(ids[prompt + i] ?? -1),
      sentences: prompt === 0 ? sentences : sentences.map((at) => at - prompt),
    });
    let tokens = 0;
    let start = prompt;
    for (const end of ends) {
      const window: Window = { text: index, ids, prompt, start, end: prompt + end, special };
      windows.push(window);
      tokens += this.#runner.lengthOf(window);
      start = prompt + end;
    }
    return { vectors: new Float32Array(0), windows: ends.length, tokens: Math.max(tokens, ends.length) };
  }

  #tokensOf(text: string): { ids: Int32Array; sentences: number[] } {
    const trimmed = text.trim();
    const read = this.#spec.lowercase ? trimmed.toLowerCase() : trimmed;
    // Sentences matter only where a text may be cut; no tokenizer here makes several tokens of most characters.
    return read.length < this.maxTokens / 2
      ? { ids: this.#tokenizer.encode(read), sentences: [] }
      : this.#tokenizer.encodeSentences(read);
  }

  /** The vector of one row of a run, not yet of unit length. */
  #finish(output: RunOutput, row: number, window: Window): Float32Array {
    const { values, width, size, pooled } = output;
    let vector: Float32Array;
    if (pooled) vector = values.subarray(row * size, (row + 1) * size);
    else {
      const skip = this.#spec.poolPrompt || window.prompt === 0 ? 0 : window.special.before.length + window.prompt;
      const length = this.#runner.lengthOf(window);
      vector = poolWindow(this.#spec.pooling, values, row * width * size, length, size, skip);
      for (const layer of this.#spec.dense) vector = applyDense(layer, vector);
    }
    const cut = this.#spec.truncateTo;
    return cut !== null && cut < vector.length ? vector.subarray(0, cut) : vector;
  }
}

type RunOutput = Awaited<ReturnType<GraphRunner["run"]>>;

function commonStart(a: Int32Array, b: Int32Array): number {
  let i = 0;
  while (i < a.length && i < b.length && a[i] === b[i]) i++;
  return i;
}

export function attempt<T>(id: string, name: string, make: () => T): T {
  try {
    return make();
  } catch (error) {
    throw new ModelFolderError(id, [`${name} cannot be used: ${messageOf(error)}`]);
  }
}
