import { beyondFloat32, unitVector } from "../../embed/vectors.ts";
import { AppError } from "../../errors.ts";
import { numberTooLarge } from "../../http/problem-words.ts";
import { parseFilter } from "../../search/filters.ts";
import { fusionOf } from "../../search/fusion.ts";
import type { SearchRequest } from "../../search/request.ts";
import { rewritten } from "../../search/questions.ts";
import type { DialectRules } from "../presenters/presenter.ts";
import { MAX_QUERY_CHARACTERS } from "./schema.ts";
import type { SearchBody } from "./schema.ts";

const DEFAULT_RESULTS = 10;

/** Throws a 400 for what the schema cannot say. */
export function readSearch(body: SearchBody, { typedOnly }: Pick<DialectRules, "typedOnly"> = {}): SearchRequest {
  const asked = typeof body.query === "string" ? [body.query] : body.query;
  const queryVector = body.query_vector === undefined ? null : readVector(body.query_vector);
  if (queryVector === null && asked.every((query) => query.trim() === "")) {
    throw new AppError(
      "string_below_min_length",
      "Invalid 'query': empty string. Expected a string with minimum length 1, but got an empty string instead.",
      {
        param: "query",
      },
    );
  }
  const characters = asked.reduce((sum, query) => sum + query.length, 0);
  if (characters > MAX_QUERY_CHARACTERS) {
    const text = `Invalid 'query': string too long. Expected at most ${MAX_QUERY_CHARACTERS} characters, but got ${characters} instead.`;
    throw new AppError("string_above_max_length", text, { param: "query" });
  }
  if (body.limit !== undefined && body.max_num_results !== undefined && body.limit !== body.max_num_results) {
    throw new AppError(
      "invalid_value",
      "Invalid 'limit': it is another name of 'max_num_results', and the two differ.",
      { param: "limit" },
    );
  }
  const searched = body.rewrite_query === true ? asked.map(rewritten) : asked;
  return {
    asked,
    searched,
    mode: body.search_mode ?? "hybrid",
    filter: body.filters ? parseFilter(body.filters, { typedOnly }) : null,
    maxResults: body.max_num_results ?? body.limit ?? DEFAULT_RESULTS,
    scoreThreshold: body.ranking_options?.score_threshold ?? 0,
    fusion: fusionOf(body.ranking_options ?? {}),
    queryVector,
    contextWindow: body.context_window ?? 0,
    maxChunksPerFile: body.max_chunks_per_file ?? null,
    isRescored: body.ranking_options?.ranker !== "none" && body.search_mode !== "vector",
    explain: body.explain ?? false,
  };
}

function readVector(given: number[] | string): Float32Array {
  const invalid = (reason: string) =>
    new AppError("invalid_value", `Invalid 'query_vector': ${reason}.`, { param: "query_vector" });
  if (typeof given !== "string") {
    const wrong = beyondFloat32(given);
    if (wrong !== null) throw numberTooLarge(`query_vector[${wrong}]`);
    return unitVector(given);
  }
  const bytes = Buffer.from(given, "base64");
  if (!/^[A-Za-z0-9+/\s]*={0,2}\s*$/.test(given) || bytes.length === 0 || bytes.length % 4 !== 0) {
    throw invalid("expected base64 of little-endian float32 numbers");
  }
  const vector = new Float32Array(bytes.length / 4);
  new Uint8Array(vector.buffer).set(bytes);
  if (!vector.every(Number.isFinite)) throw invalid("every number must be finite");
  return unitVector(vector);
}
