/** An ONNX session on a text encoder's graph: which inputs it wants, which output is taken, one run. */
import { messageOf } from "../../errors.ts";
import type { OnnxRuntime } from "../../platform/native.ts";
import type { BatchRow, GraphInputs, TokenInput } from "./graph-inputs.ts";
import { chooseInputs, emptyPast, fillRow, IDS_INPUT } from "./graph-inputs.ts";
import type { ModelFiles } from "./model-files.ts";
import type { ModelSpec } from "./model-folder.ts";

/** What is needed of a model to open its graph. */
export interface GraphSpec {
  /** Graph file, for instance "onnx/model.onnx". */
  graph: string;
  /** Token id that fills short rows of a batch. */
  padId: number;
}

/** Picks the output that is read; notes a problem and gives null where there is none. */
export type ChooseOutput = (outputs: readonly GraphValue[], problems: string[]) => OutputChoice | null;

type Session = Awaited<ReturnType<OnnxRuntime["InferenceSession"]["create"]>>;
type Metadata = Session["inputMetadata"][number];
/** Name, type and shape of a tensor that a graph gives. */
export type GraphValue = Extract<Metadata, { isTensor: true }>;
type Feeds = Parameters<Session["run"]>[0];

export interface GraphOutput {
  /** rows x width x size, or rows x size where the graph pools by itself. Valid until the next run. */
  values: Float32Array;
  width: number;
  size: number;
  pooled: boolean;
}

export type OpenedGraph = { ok: true; runner: GraphRunner } | { ok: false; problems: string[] };

/** Outputs that hold one vector a row already; they are used as they are. */
const POOLED_OUTPUTS = ["sentence_embedding", "sentence_embeddings"];
const TOKEN_OUTPUTS = ["last_hidden_state", "token_embeddings", "hidden_states", "output_0"];

export class GraphRunner {
  /** Sizes that the graph is built for, or null where it takes any. */
  readonly fixedRows: number | null;
  readonly fixedLength: number | null;
  readonly notes: readonly string[];
  readonly #ort: OnnxRuntime;
  readonly #session: Session;
  readonly #inputs: GraphInputs;
  readonly #output: OutputChoice;
  readonly #padId: number;
  readonly #buffers = new Map<string, ArrayBuffer>();

  private constructor(ort: OnnxRuntime, session: Session, inputs: GraphInputs, output: OutputChoice, padId: number) {
    this.#ort = ort;
    this.#session = session;
    this.#inputs = inputs;
    this.#output = output;
    this.#padId = padId;
    const ids = session.inputMetadata.find((input) => input.name === IDS_INPUT);
    [this.fixedRows, this.fixedLength] = fixedShape(ids);
    this.notes = output.note === null ? [] : [output.note];
  }

  static async open(
    ort: OnnxRuntime,
    files: ModelFiles,
    spec: GraphSpec,
    threads: number,
    chooseOutput: ChooseOutput,
  ): Promise<OpenedGraph> {
    let session: Session;
    try {
      const path = files.path(spec.graph);
      const options = sessionOptions(threads);
      // A path where there is one: the graph may have its weights beside it, and they need no copy here.
      session = await (path === null
        ? ort.InferenceSession.create(await files.bytes(spec.graph), options)
        : ort.InferenceSession.create(path, options));
    } catch (error) {
      const reason = messageOf(error);
      return { ok: false, problems: [`${spec.graph} cannot be loaded: ${reason.split("\n")[0]}`] };
    }
    const problems: string[] = [];
    const inputs = chooseInputs(session.inputMetadata, spec.graph, problems);
    const tensors = session.outputMetadata.filter((meta) => meta.isTensor);
    const output = chooseOutput(tensors, problems);
    if (problems.length > 0 || output === null) {
      await session.release();
      return { ok: false, problems };
    }
    return { ok: true, runner: new GraphRunner(ort, session, inputs, output, spec.padId) };
  }

  /** Tokens of a row, padding not counted. */
  lengthOf(row: BatchRow): number {
    return row.special.before.length + row.prompt + (row.end - row.start) + row.special.after.length;
  }

  /** Rows of about the same length in one run. Rejects with an Error when the graph fails. */
  async run(rows: readonly BatchRow[]): Promise<GraphOutput> {
    let width = this.fixedLength ?? 1;
    if (this.fixedLength === null) for (const row of rows) width = Math.max(width, this.lengthOf(row));
    const count = this.fixedRows ?? rows.length;
    const feeds: Record<string, Feeds[string]> = {};
    for (const input of this.#inputs.tokens) feeds[input.name] = this.#feed(input, rows, count, width);
    for (const past of this.#inputs.past) feeds[past.name] = emptyPast(this.#ort, past, count);
    const { name, size, pooled, type } = this.#output;
    const shape = pooled ? [count, size ?? 0] : [count, width, size ?? 0];
    // Outputs of a known size are written into our own buffer, or each run would leave one to the garbage collector.
    if (size !== null && type === "float32") {
      const values = new Float32Array(this.#buffer("output", 4 * product(shape)), 0, product(shape));
      const target = new this.#ort.Tensor("float32", values, shape);
      await this.#session.run(feeds, { [name]: target });
      return { values, width, size, pooled };
    }
    const results = await this.#session.run(feeds, [name]);
    const result = results[name];
    if (result === undefined) throw new Error(`the graph gave no output ${name}`);
    const last = result.dims.at(-1) ?? 0;
    return { values: toFloat32(result.data), width: pooled ? 1 : (result.dims[1] ?? width), size: last, pooled };
  }

  async dispose(): Promise<void> {
    await this.#session.release();
  }

  #feed(input: TokenInput, rows: readonly BatchRow[], count: number, width: number): Feeds[string] {
    const cells = count * width;
    const buffer = this.#buffer(input.name, cells * (input.wide ? 8 : 4));
    // int64 is written through its low 32-bit words: machines that this runs on are little-endian, ids are positive.
    const words = new Int32Array(buffer, 0, cells * (input.wide ? 2 : 1)).fill(0);
    const step = input.wide ? 2 : 1;
    if (input.kind === "ids" && this.#padId !== 0) for (let i = 0; i < cells; i++) words[i * step] = this.#padId;
    for (let r = 0; r < rows.length; r++) fillRow(input.kind, rows[r] as BatchRow, words, r * width * step, step);
    return input.wide
      ? new this.#ort.Tensor("int64", new BigInt64Array(buffer, 0, cells), [count, width])
      : new this.#ort.Tensor("int32", words, [count, width]);
  }

  /** A buffer of at least `bytes`, used again for every run; grows to the largest run, which the token budget bounds. */
  #buffer(name: string, bytes: number): ArrayBuffer {
    const old = this.#buffers.get(name);
    if (old !== undefined && old.byteLength >= bytes) return old;
    const buffer = new ArrayBuffer(2 ** Math.ceil(Math.log2(Math.max(bytes, 4096))));
    this.#buffers.set(name, buffer);
    return buffer;
  }
}

/** Of every session here; benchmarks give the bare runtime the same. */
export function sessionOptions(threads: number) {
  return {
    executionProviders: ["cpu"],
    intraOpNumThreads: threads,
    interOpNumThreads: 1,
    executionMode: "sequential" as const,
    graphOptimizationLevel: "all" as const,
    enableCpuMemArena: false,
    enableMemPattern: false,
    logSeverityLevel: 4 as const,
    // Threads that spin after a run take the cores from everything else for a second.
    extra: { session: { intra_op: { allow_spinning: "0" }, inter_op: { allow_spinning: "0" } } },
  };
}

export interface OutputChoice {
  name: string;
  /** One vector a row, not one a token. */
  pooled: boolean;
  /** Values of one vector, or null where the graph does not say. */
  size: number | null;
  type: string;
  note: string | null;
}

/** The output of a sentence-embedding graph: sentence vectors where it gives them, token vectors otherwise. */
export function chooseVectors(
  spec: ModelSpec,
  outputs: readonly GraphValue[],
  problems: string[],
): OutputChoice | null {
  const named = (names: string[], ranks: number) =>
    names.map((name) => outputs.find((o) => o.name === name && o.shape.length === ranks)).find((o) => o !== undefined);
  const pooled = named(POOLED_OUTPUTS, 2);
  const tokens = named(TOKEN_OUTPUTS, 3) ?? outputs.find((o) => o.shape.length === 3);
  // A graph whose only output has one vector a row has pooled, whatever its name.
  const chosen = pooled ?? tokens ?? (outputs.length === 1 && outputs[0]?.shape.length === 2 ? outputs[0] : undefined);
  if (chosen === undefined) {
    const list = outputs.map((output) => output.name).join(", ");
    problems.push(`${spec.graph} has no output of token vectors or sentence vectors; it has: ${list}`);
    return null;
  }
  if (!isFloat(chosen, spec.graph, problems)) return null;
  const isPooled = chosen !== tokens;
  if (!isPooled && spec.unread.length > 0) {
    problems.push(...spec.unread);
    return null;
  }
  const size = lastSize(chosen);
  const width = spec.dense[0]?.inputs ?? (spec.dimensions === null ? null : spec.dimensions / spec.pooling.length);
  if (!isPooled && size !== null && width !== null && spec.dense.length === 0 && size !== width) {
    problems.push(`${spec.graph} gives token vectors of ${size} values, but the pooling configuration says ${width}`);
    return null;
  }
  const note = isPooled ? `the graph's output '${chosen.name}' is used as it is` : null;
  return { name: chosen.name, pooled: isPooled, size, type: chosen.type, note };
}

/** The last number of a tensor's shape; null where the graph leaves it open. */
export function lastSize({ shape }: GraphValue): number | null {
  const last = shape.at(-1);
  return typeof last === "number" && last > 0 ? last : null;
}

/** Whether an output is made of floats; notes a problem where it is not. */
export function isFloat({ name, type }: GraphValue, graph: string, problems: string[]): boolean {
  if (["float32", "float16", "float64"].includes(type)) return true;
  problems.push(`${graph}: the output '${name}' is of type ${type}, not a float`);
  return false;
}

/** Rows and length of a graph that was exported for one shape. */
function fixedShape(ids: Metadata | undefined): [number | null, number | null] {
  const shape = ids?.isTensor === true ? ids.shape : [];
  const fixed = (i: number): number | null => {
    const size = shape[i];
    return typeof size === "number" && size > 0 ? size : null;
  };
  return [fixed(0), fixed(1)];
}

function toFloat32(data: unknown): Float32Array {
  if (data instanceof Float32Array) return data;
  if (data instanceof Float64Array || data instanceof Float16Array) return Float32Array.from(data);
  if (data instanceof Uint16Array) {
    return Float32Array.from(new Float16Array(data.buffer, data.byteOffset, data.length));
  }
  throw new Error("the graph's output is not made of floats");
}

function product(shape: readonly number[]): number {
  return shape.reduce((a, b) => a * b, 1);
}
