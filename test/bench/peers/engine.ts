/** What an engine must do to be measured beside the others, and the data that all of them get. */
import { join } from "node:path";
import { DIMENSIONS, Embeddings, Words } from "../corpus.ts";

/** The share of the vectors that a search may find. */
export type Share = "all" | "10 %" | "1 %";
export const SHARES: readonly Share[] = ["all", "10 %", "1 %"];
export const K = 10;
const WORDS_A_TEXT = 24;
const WANTED_TENTH = 3;
const WANTED_HUNDREDTH = 33;
const SPREAD = 7919;

/** Vectors of unit length in a row, with a text and two attributes each; the same for the same seed and count. */
export interface Data {
  count: number;
  flat: Float32Array;
  texts: readonly string[];
}

export function makeData(seed: number, count: number): Data {
  const words = new Words(seed);
  const texts = Array.from({ length: count }, () => words.text(WORDS_A_TEXT));
  return { count, flat: new Embeddings(seed).many(count), texts };
}

export function makeQueries(seed: number, data: Data, count: number): Float32Array[] {
  // Of the same topics as the data, and none of its vectors: between two of them and beside both.
  const noise = new Embeddings(seed + 1);
  return Array.from({ length: count }, (_, i) => {
    const near = vectorOf(data, (i * SPREAD) % data.count);
    const other = noise.next();
    const sum = near.map((value, d) => value + 0.5 * (other[d] ?? 0));
    const length = Math.hypot(...sum);
    return sum.map((value) => Math.round((value / length) * 1e6) / 1e6);
  });
}

export const vectorOf = ({ flat }: Data, at: number) => flat.subarray(at * DIMENSIONS, (at + 1) * DIMENSIONS);

/** As decimals of six digits, as clients write them. */
export const decimals = (vector: Float32Array) => Array.from(vector, (value) => Math.round(value * 1e6) / 1e6);

/** The attributes of the vector at a position: neighbours in the data differ, and every value has as many. */
export function attributesAt(at: number): { tenth: number; hundredth: number } {
  const lot = (at * SPREAD) % 100;
  return { tenth: lot % 10, hundredth: lot };
}

/** The condition that keeps a share; null for all. */
export function conditionOf(share: Share): { key: "tenth" | "hundredth"; value: number } | null {
  if (share === "all") return null;
  return share === "10 %" ? { key: "tenth", value: WANTED_TENTH } : { key: "hundredth", value: WANTED_HUNDREDTH };
}

export function keeps(share: Share, at: number): boolean {
  const condition = conditionOf(share);
  return condition === null || attributesAt(at)[condition.key] === condition.value;
}

export interface Drive {
  /** Milliseconds from a request to its whole answer. */
  times: number[];
  perSecond: number;
}

export interface Load {
  share: Share;
  /** Connections (of a library: calls under way), each with its next request when its last was answered. */
  clients: number;
  /** Each connection sends one request at least: of 0 seconds, exactly one. */
  seconds: number;
}

/** What is asked of an engine while it is measured. */
export interface Searching {
  /** Positions in the data, best first. Rejects while the process cannot answer. */
  find(collection: string, query: Float32Array, share: Share): Promise<number[]>;
  drive(collection: string, queries: readonly Float32Array[], load: Load): Promise<Drive>;
}

/** A started process; it need not be ready. */
export interface Running extends Searching, AsyncDisposable {
  pid: number;
  /** Other settings with which the same data is searched, by name. */
  also?: ReadonlyMap<string, Searching>;
  /** Resolves when it takes requests. */
  ready(): Promise<void>;
  /** Sends all and makes the index that the engine's guide says; answers what the collection is called from here on. */
  load(name: string, data: Data): Promise<string>;
  /** Background work that follows a load has ended. */
  settled(collection: string): Promise<void>;
  /** An orderly end. */
  stop(): Promise<void>;
  /** SIGKILL to every process of it; resolves when they are gone. */
  kill(): Promise<void>;
}

export interface StartOptions {
  /** Its data: kept when the process ends. */
  dir: string;
  /** Cores that it may use, by number; null where that cannot be said. */
  cores: readonly number[] | null;
}

export interface Engine {
  name: string;
  /** How it is spoken to: a reader must not take a call inside a process for a request. */
  how: "http" | "wire" | "in process";
  /** False for a binding that has none. */
  filters: boolean;
  /** False where a call holds the thread until it is done: there are no two under way. */
  concurrent: boolean;
  /** Brings what it needs into dist/bench; resolves to its version, rejects with why it cannot be had. */
  install(): Promise<string>;
  start(options: StartOptions): Promise<Running>;
}

/** Where the harness leaves a collection for processes that load it themselves. */
export async function writeData(dir: string, name: string, data: Data): Promise<void> {
  await Bun.write(join(dir, `${name}.f32`), data.flat);
  await Bun.write(join(dir, `${name}.json`), JSON.stringify(data.texts));
}

export async function readData(dir: string, name: string): Promise<Data> {
  const flat = new Float32Array(await Bun.file(join(dir, `${name}.f32`)).arrayBuffer());
  const texts = (await Bun.file(join(dir, `${name}.json`)).json()) as string[];
  return { count: texts.length, flat, texts };
}
