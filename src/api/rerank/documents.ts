import { AppError } from "../../errors.ts";
import { kindOf, shown } from "../../platform/words.ts";
import type { RerankBody } from "./schema.ts";
import { MAX_DOCUMENT_CHARACTERS, MAX_TOTAL_CHARACTERS } from "./schema.ts";

/** What a request wants ranked. */
export interface RerankInput {
  query: string;
  texts: readonly string[];
  /** How many of the best; null: all. */
  most: number | null;
}

/** Throws a 400 for what the schema cannot say. */
export function readRerank(body: RerankBody): RerankInput {
  const { query, documents, texts: bare, top_n: topN, top_k: topK } = body;
  if (documents !== undefined && bare !== undefined)
    throw invalid("texts", "it is another name of 'documents'; give one of the two");
  const given = documents ?? bare;
  if (given === undefined) throw missing("documents");
  if (topN !== undefined && topK != null && topN !== topK)
    throw invalid("top_k", "it is another name of 'top_n', and the two differ");
  if (query.trim() === "") throw invalid("query", "it holds nothing but blanks");
  const texts = given.map((document, i) => textOf(document, body.rank_fields ?? ["text"], `documents[${i}]`));
  const characters = texts.reduce((sum, text) => sum + text.length, 0);
  if (characters > MAX_TOTAL_CHARACTERS) {
    const text = `Invalid 'documents': too much text. Expected at most ${MAX_TOTAL_CHARACTERS} characters altogether, but got ${characters} instead.`;
    throw new AppError("string_above_max_length", text, { param: "documents" });
  }
  return { query, texts, most: topN ?? topK ?? null };
}

/** The text of a document that is an object: those of its fields that are to be read, one a line. */
function textOf(document: string | Record<string, unknown>, fields: readonly string[], param: string): string {
  if (typeof document === "string") return document;
  const found = fields.filter((field) => Object.hasOwn(document, field) && document[field] !== null);
  if (found.length === 0) throw missing(`${param}.${shown(fields[0] ?? "text")}`);
  const text = found.map((field) => lineOf(document[field], `${param}.${shown(field)}`)).join("\n");
  if (text.length <= MAX_DOCUMENT_CHARACTERS) return text;
  throw new AppError(
    "string_above_max_length",
    `Invalid '${param}': string too long. Expected a string with maximum length ${MAX_DOCUMENT_CHARACTERS}, but got a string with length ${text.length} instead.`,
    { param },
  );
}

function lineOf(value: unknown, param: string): string {
  if (typeof value === "string") return value;
  const text = `Invalid type for '${param}': expected a string, but got ${kindOf(value)} instead.`;
  throw new AppError("invalid_type", text, { param });
}

function missing(param: string): AppError {
  return new AppError("missing_required_parameter", `Missing required parameter: '${param}'.`, { param });
}

function invalid(param: string, reason: string): AppError {
  return new AppError("invalid_value", `Invalid '${param}': ${reason}.`, { param });
}
