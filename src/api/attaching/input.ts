import { AppError } from "../../errors.ts";
import { MAX_PAIRS, MAX_TEXT } from "./schema.ts";
import type { Attributes, ChunkingStrategyRequest, ChunkingStrategyResponse } from "./schema.ts";

/** What a body says of a file's attributes and chunks, checked and in the form that storage keeps. */
export interface Strategy {
  maxTokens: number;
  overlapTokens: number;
}

export const AUTO_STRATEGY: Strategy = { maxTokens: 800, overlapTokens: 400 };
const MIN_CHUNK_TOKENS = 100;
const MAX_CHUNK_TOKENS = 4096;
const MAX_KEY = 64;

/**
 * Null where the body says nothing. The two numbers may stand beside `type` instead of inside `static`,
 * as in an example of OpenAI's own. `param` is the path of the value in the body.
 */
export function readStrategy(given: ChunkingStrategyRequest | undefined, param: string): Strategy | null {
  if (given === undefined) return null;
  const { type, static: inner, ...beside } = given;
  if (type === "auto") {
    const extra = inner === undefined ? Object.keys(beside)[0] : "static";
    if (extra !== undefined) throw unknownParameter(`${param}.${extra}`);
    return AUTO_STRATEGY;
  }
  const isBeside = inner === undefined && Object.keys(beside).length > 0;
  if (inner === undefined && !isBeside) throw missing(`${param}.static`);
  const [extra] = Object.keys(beside);
  if (!isBeside && extra !== undefined) throw unknownParameter(`${param}.${extra}`);
  const path = isBeside ? param : `${param}.static`;
  const { max_chunk_size_tokens: maxTokens, chunk_overlap_tokens: overlapTokens } = inner ?? beside;
  if (maxTokens === undefined) throw missing(`${path}.max_chunk_size_tokens`);
  if (overlapTokens === undefined) throw missing(`${path}.chunk_overlap_tokens`);
  inRange(maxTokens, MIN_CHUNK_TOKENS, MAX_CHUNK_TOKENS, `${path}.max_chunk_size_tokens`);
  inRange(overlapTokens, 0, MAX_CHUNK_TOKENS / 2, `${path}.chunk_overlap_tokens`);
  if (overlapTokens * 2 > maxTokens) {
    const at = `${path}.chunk_overlap_tokens`;
    throw new AppError(
      "invalid_value",
      `Invalid '${at}': the overlap must not exceed half of 'max_chunk_size_tokens'.`,
      {
        param: at,
      },
    );
  }
  return { maxTokens, overlapTokens };
}

export function showStrategy({ maxTokens, overlapTokens }: Strategy): ChunkingStrategyResponse {
  return { type: "static", static: { max_chunk_size_tokens: maxTokens, chunk_overlap_tokens: overlapTokens } };
}

/**
 * `attributes`, or `metadata` as some clients call them; undefined where neither is given, null to clear.
 * Throws where both are given and differ, or where OpenAI's limits are exceeded.
 */
export function readAttributes(
  body: { attributes?: Attributes | null | undefined; metadata?: Attributes | null | undefined },
  prefix = "",
): Attributes | null | undefined {
  const { attributes, metadata } = body;
  // Clients that know both names write null for the one that they do not use.
  if (attributes && metadata && !sameAttributes(attributes, metadata)) {
    throw new AppError(
      "invalid_value",
      `Invalid '${prefix}metadata': it is another name of 'attributes', and the two differ.`,
      {
        param: `${prefix}metadata`,
      },
    );
  }
  const given = attributes ?? (metadata === undefined ? attributes : metadata);
  if (given) checkPairs(given, `${prefix}${attributes ? "attributes" : "metadata"}`);
  return given;
}

/** At most 16 pairs, keys of 64 characters, strings of 512. */
export function checkPairs(pairs: Record<string, unknown>, param: string): void {
  const entries = Object.entries(pairs);
  if (entries.length > MAX_PAIRS) {
    throw new AppError(
      "object_above_max_properties",
      `Invalid '${param}': too many properties. Expected an object with at most ${MAX_PAIRS} properties, but got an object with ${entries.length} properties instead.`,
      { param },
    );
  }
  for (const [key, value] of entries) {
    tooLong(key, MAX_KEY, param, `key of '${param}'`);
    if (typeof value === "string") tooLong(value, MAX_TEXT, `${param}.${key}`, `'${param}.${key}'`);
  }
}

/** Equal maps, whatever the order of their keys. */
export function sameAttributes(a: Attributes | null, b: Attributes | null): boolean {
  const [x, y] = [Object.entries(a ?? {}), b ?? {}];
  return x.length === Object.keys(y).length && x.every(([key, value]) => Object.hasOwn(y, key) && y[key] === value);
}

function tooLong(text: string, most: number, param: string, what: string): void {
  // Characters, not UTF-16 units: an emoji is one.
  if (text.length <= most || [...text].length <= most) return;
  throw new AppError(
    "string_above_max_length",
    `Invalid ${what}: string too long. Expected a string with maximum length ${most}, but got a string with length ${[...text].length} instead.`,
    { param },
  );
}

function inRange(value: number, least: number, most: number, param: string): void {
  if (value >= least && value <= most) return;
  const above = value > most;
  throw new AppError(
    above ? "integer_above_max_value" : "integer_below_min_value",
    `Invalid '${param}': integer ${above ? "above maximum" : "below minimum"} value. Expected a value ${above ? `<= ${most}` : `>= ${least}`}, but got ${value} instead.`,
    { param },
  );
}

function missing(param: string): AppError {
  return new AppError("missing_required_parameter", `Missing required parameter: '${param}'.`, { param });
}

function unknownParameter(param: string): AppError {
  return new AppError("unknown_parameter", `Unknown parameter: '${param}'.`, { param });
}
