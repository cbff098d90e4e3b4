/**
 * A local reranker: a query and a document go through one graph together, which gives one number, or one for each of two
 * labels. Runs inside a native worker, like an embedding model (session.ts), with its batches and buffers.
 *
 * A document that does not fit beside the query is read in windows that follow one another, and its best window counts:
 * cutting it off would hide what stands at its end. The query is cut only where it takes more than half of the room.
 */
import { messageOf } from "../../errors.ts";
import type { OnnxRuntime } from "../../platform/native.ts";
import type { Reranked, RerankerInfo } from "../reranker.ts";
import type { Activation, CrossEncoderSpec } from "./cross-encoder-folder.ts";
import { readCrossEncoderFolder } from "./cross-encoder-folder.ts";
import type { BatchRow } from "./graph-inputs.ts";
import type { GraphValue, OutputChoice } from "./graph-runner.ts";
import { GraphRunner, isFloat, lastSize } from "./graph-runner.ts";
import type { ModelFiles } from "./model-files.ts";
import type { ModelOverrides } from "./model-folder.ts";
import { pairLengths, pairRow, templateLength } from "./pair-tokens.ts";
import { modelRevision } from "./revision.ts";
import { attempt, ModelFolderError } from "./session.ts";
import type { ModelTokenizer } from "./tokenizer.ts";
import { createTokenizer } from "./tokenizer.ts";
import { cutWindows, planBatches } from "./windows.ts";

export interface CrossEncoderOptions {
  id: string;
  /** Threads inside one run. */
  threads: number;
  /** Tokens of one run, padding included. */
  batchTokens?: number | undefined;
  overrides?: ModelOverrides | undefined;
}

export interface CrossEncoder {
  readonly info: RerankerInfo;
  /**
   * Rejects with the signal's reason when aborted, between two runs, and with an Error when the graph fails or gives
   * something that is no number.
   */
  score(query: string, documents: readonly string[], signal?: AbortSignal): Promise<Reranked>;
  dispose(): Promise<void>;
}

/** Windows of one document that are read at most; what follows them is not. */
export const MOST_WINDOWS = 16;
/** What fits the caches of a core: with twice as many a run takes a tenth longer a token. */
const DEFAULT_BATCH_TOKENS = 512;
const PROBE_QUERY = "What does the fox do?";
const PROBE_DOCUMENTS = ["The quick brown fox jumps over the lazy dog.", "Rain."];
const SCORE_OUTPUTS = ["logits", "scores", "score"];

/** Reads, opens and tries a model. Rejects with a ModelFolderError where any of that fails. */
export async function createCrossEncoder(
  ort: OnnxRuntime,
  files: ModelFiles,
  options: CrossEncoderOptions,
): Promise<CrossEncoder> {
  const folder = await readCrossEncoderFolder(files, options.overrides);
  if (!folder.ok) throw new ModelFolderError(options.id, folder.problems);
  const spec = folder.spec;
  const tokenizer = attempt(options.id, "tokenizer.json", () => createTokenizer(spec.tokenizer, spec.tokenizerConfig));
  const opened = await GraphRunner.open(ort, files, spec, options.threads, (outputs, problems) =>
    chooseScore(spec, outputs, problems),
  );
  if (!opened.ok) throw new ModelFolderError(options.id, opened.problems);
  const runner = opened.runner;
  try {
    const scorer = new Scorer(spec, tokenizer, runner, options.batchTokens ?? DEFAULT_BATCH_TOKENS);
    if (scorer.maxTokens < templateLength(spec.template) + 2) {
      throw new ModelFolderError(options.id, [`rows of ${scorer.maxTokens} tokens leave no room for two texts`]);
    }
    await scorer.score(PROBE_QUERY, PROBE_DOCUMENTS).catch((error: unknown) => {
      throw new ModelFolderError(options.id, [`${spec.graph} does not run: ${messageOf(error)}`]);
    });
    const revision = await modelRevision(files, spec);
    return {
      info: { id: options.id, revision, maxTokens: scorer.maxTokens, location: "local" },
      score: (query, documents, signal) => scorer.score(query, documents, signal),
      dispose: () => runner.dispose(),
    };
  } catch (error) {
    await runner.dispose();
    throw error;
  }
}

/** The output with one number a row; with two where there are two labels. */
function chooseScore(
  { graph, fits: label }: CrossEncoderSpec,
  outputs: readonly GraphValue[],
  problems: string[],
): OutputChoice | null {
  const labels = label === null ? 1 : 2;
  const fits = (output: GraphValue): boolean => output.shape.length === 2 && (lastSize(output) ?? labels) === labels;
  const named = SCORE_OUTPUTS.flatMap((name) => outputs.find((output) => output.name === name) ?? []).find(fits);
  const chosen = named ?? (outputs.length === 1 ? outputs.find(fits) : undefined);
  if (chosen === undefined) {
    const list = outputs.map(({ name, shape }) => `${name} [${shape.join(", ")}]`).join(", ");
    const numbers = label === null ? "one number a row" : "two numbers a row, for the two labels of config.json";
    problems.push(`${graph} has no output 'logits' of ${numbers}; it has: ${list}`);
    return null;
  }
  if (!isFloat(chosen, graph, problems)) return null;
  return { name: chosen.name, pooled: true, size: lastSize(chosen), type: chosen.type, note: null };
}

class Scorer {
  readonly maxTokens: number;
  readonly #spec: CrossEncoderSpec;
  readonly #tokenizer: ModelTokenizer;
  readonly #runner: GraphRunner;
  readonly #batchTokens: number;
  /** Runs share the runner's buffers: every call waits for the one before it. */
  #turn: Promise<unknown> = Promise.resolve();

  constructor(spec: CrossEncoderSpec, tokenizer: ModelTokenizer, runner: GraphRunner, batchTokens: number) {
    this.#spec = spec;
    this.#tokenizer = tokenizer;
    this.#runner = runner;
    this.#batchTokens = batchTokens;
    this.maxTokens = Math.min(spec.maxTokens, runner.fixedLength ?? Infinity);
  }

  async score(query: string, documents: readonly string[], signal?: AbortSignal): Promise<Reranked> {
    const turn = this.#turn.then(() => this.#score(query, documents, signal));
    this.#turn = turn.catch(() => undefined);
    return await turn;
  }

  async #score(query: string, documents: readonly string[], signal?: AbortSignal): Promise<Reranked> {
    signal?.throwIfAborted();
    const asked = this.#tokenizer.encode(`${this.#spec.queryPrefix}${query}`.trim());
    const rows: BatchRow[] = [];
    const owners: number[] = [];
    documents.forEach((text, i) => {
      for (const row of this.#rowsOf(asked, `${this.#spec.passagePrefix}${text}`.trim())) {
        rows.push(row);
        owners.push(i);
      }
    });
    const lengths = rows.map((row) => this.#runner.lengthOf(row));
    const scores = new Float64Array(documents.length).fill(-1);
    const limits = { maxTokens: this.#batchTokens, rows: this.#runner.fixedRows };
    for (const batch of planBatches(lengths, limits)) {
      signal?.throwIfAborted();
      const { values, size } = await this.#runner.run(batch.map((b) => rows[b] as BatchRow));
      const { fits: label, activation } = this.#spec;
      const labels = label === null ? 1 : 2;
      if (size !== labels) throw new Error(`the graph gives ${size} numbers a row instead of ${labels}`);
      batch.forEach((b, r) => {
        const score = scoreOf(values, r, { label, activation });
        const document = owners[b] as number;
        scores[document] = Math.max(scores[document] as number, score);
      });
    }
    return { scores, tokens: lengths.reduce((sum, length) => sum + length, 0) };
  }

  /** The query with the whole document, or with each of its windows. */
  #rowsOf(asked: Int32Array, text: string): BatchRow[] {
    const { template } = this.#spec;
    const capacity = this.maxTokens - templateLength(template);
    const { ids, sentences } = this.#tokensOf(text);
    const kept = pairLengths(asked.length, ids.length, capacity);
    const query = asked.subarray(0, kept.query);
    const room = capacity - kept.query;
    const count = Math.min(ids.length, room * MOST_WINDOWS);
    const ends = cutWindows(count, room, {
      startsWord: (i) => !this.#tokenizer.continuesWord(ids[i] ?? -1),
      sentences,
    });
    return ends.map((end, w) => pairRow(template, query, ids, ends[w - 1] ?? 0, end));
  }

  #tokensOf(text: string): { ids: Int32Array; sentences: number[] } {
    // Sentences matter only where a text may be cut; no tokenizer here makes several tokens of most characters.
    return text.length < this.maxTokens / 2
      ? { ids: this.#tokenizer.encode(text), sentences: [] }
      : this.#tokenizer.encodeSentences(text);
  }
}

/** The score of a row: of its one number, or of its two. */
function scoreOf(
  values: Float32Array,
  row: number,
  { label, activation }: { label: 0 | 1 | null; activation: Activation },
): number {
  if (label === null) return activate(values[row] as number, activation);
  const [yes, no] = [values[2 * row + label] as number, values[2 * row + 1 - label] as number];
  // With `none`, the graph gives what the two are likely to be itself.
  return activate(activation === "none" ? yes : yes - no, activation);
}

function activate(value: number, activation: Activation): number {
  if (Number.isNaN(value)) throw new Error("the graph gives something that is no number");
  if (activation === "none") return Math.min(1, Math.max(0, value));
  return activation === "tanh" ? (Math.tanh(value) + 1) / 2 : 1 / (1 + Math.exp(-value));
}
