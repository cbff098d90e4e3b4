/** What differs between providers: address, headers, bodies, limits, how errors are told. */
import type { EmbedKind } from "../provider.ts";

export type DialectName = "openai" | "openai-compatible" | "cohere" | "voyage" | "mistral" | "google";

export interface DialectRequest {
  model: string;
  texts: readonly string[];
  kind: EmbedKind;
  /** Size to ask for, or null where the model has only one. */
  dimensions: number | null;
}

export interface DialectAnswer {
  /** One vector per text, in the order of the texts. */
  vectors: Float32Array[];
  /** Tokens that the provider counted, or null where it does not say. */
  tokens: number | null;
}

export interface DialectLimits {
  /** Texts of one request. */
  texts: number;
  /** Tokens of one request, estimated. */
  tokens: number;
}

export interface Dialect {
  name: DialectName;
  /** The provider's public address, or null where the operator must name one. */
  address: string | null;
  limits: DialectLimits;
  path(model: string): string;
  headers(apiKey: string): Record<string, string>;
  body(request: DialectRequest): unknown;
  /** Throws an Error that says what is wrong with the answer. */
  read(json: unknown): DialectAnswer;
  /** The provider's own words about an error, and how long it asks to wait, where it says so in the body. */
  error(json: unknown): DialectError;
}

export interface DialectError {
  message: string;
  code: string | null;
  retryAfterMs?: number | undefined;
}

export type Json = Record<string, unknown>;

export function bearer(apiKey: string): Record<string, string> {
  return apiKey === "" ? {} : { authorization: `Bearer ${apiKey}` };
}

export function asObject(value: unknown): Json {
  return value !== null && typeof value === "object" && !Array.isArray(value) ? (value as Json) : {};
}

/** `data: [{ index, embedding }]` as OpenAI, Voyage and Mistral answer; vectors as numbers or base64 float32. */
export function readDataList(json: unknown): Float32Array[] {
  const data = asObject(json)["data"];
  if (!Array.isArray(data)) throw new Error("the answer has no list 'data'");
  const vectors = new Array<Float32Array | undefined>(data.length);
  data.forEach((entry, position) => {
    const { index, embedding } = asObject(entry);
    const at = typeof index === "number" ? index : position;
    if (!Number.isInteger(at) || at < 0 || at >= data.length || vectors[at] !== undefined) {
      throw new Error("the answer's indexes do not fit its length");
    }
    vectors[at] = readVector(embedding);
  });
  return vectors as Float32Array[];
}

export function readVector(value: unknown): Float32Array {
  if (typeof value === "string") {
    const bytes = Buffer.from(value, "base64");
    if (bytes.length === 0 || bytes.length % 4 !== 0)
      throw new Error("a vector in the answer is not base64 of float32");
    return checked(new Float32Array(new Uint8Array(bytes).buffer));
  }
  if (!Array.isArray(value) || value.length === 0) throw new Error("a vector in the answer is not a list of numbers");
  const vector = new Float32Array(value.length);
  for (let i = 0; i < vector.length; i++) {
    const x: unknown = value[i];
    if (typeof x !== "number") throw new Error("a vector in the answer is not a list of numbers");
    vector[i] = x;
  }
  return checked(vector);
}

function checked(vector: Float32Array): Float32Array {
  for (let i = 0; i < vector.length; i++) {
    if (!Number.isFinite(vector[i])) throw new Error("a vector in the answer holds something that is no number");
  }
  return vector;
}

export function usageTokens(json: unknown, ...names: string[]): number | null {
  const usage = asObject(asObject(json)["usage"]);
  for (const name of names) {
    const count = usage[name];
    if (typeof count === "number" && Number.isFinite(count)) return count;
  }
  return null;
}

export function textOf(value: unknown): string {
  return typeof value === "string" ? value : value === undefined || value === null ? "" : JSON.stringify(value);
}
