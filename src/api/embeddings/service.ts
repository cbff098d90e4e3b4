import { AppError } from "../../errors.ts";
import { combineWindows, fitVectors } from "../../embed/vectors.ts";
import { countTokens, decodeTokens, UnknownTokenError } from "../../chunk/tokens.ts";
import type { TextAnalysis, TextAsker } from "../../index/text-analysis.ts";
import type { Embed } from "../../models/failures.ts";
import { embedError } from "../../models/failures.ts";
import type { ChosenModel, ModelCatalog } from "../../models/model-catalog.ts";
import type { EmbeddingsAnswer, EmbeddingsBody } from "./schema.ts";
import { MAX_INPUT_TOKENS } from "./schema.ts";

export interface EmbeddingsDeps {
  models: ModelCatalog;
  embed: Embed;
  texts: TextAnalysis;
}

/** What can go wrong with a model that there is. */
export const EMBEDDING_ERRORS = [
  "invalid_dimensions",
  "invalid_embedding_model",
  "embedding_model_unavailable",
  "embedding_provider_error",
  "overloaded",
] as const;

/** A request, in which null stands for the default model. */
export type EmbeddingsWanted = Omit<EmbeddingsBody, "model"> & { model: string | null };

export interface EmbeddingsService {
  /** In turns with other tenants. */
  create(body: EmbeddingsWanted, asker: TextAsker): Promise<EmbeddingsAnswer>;
  /** The vectors themselves. */
  vectors(body: EmbeddingsWanted, asker: TextAsker): Promise<EmbeddedTexts>;
}

export interface EmbeddedTexts {
  /** The model that ran. */
  model: string;
  vectors: number[][];
  tokens: number;
}

/** Characters of a request that are counted on the serving thread: a fraction of a millisecond. */
const COUNTED_HERE = 8192;

export function embeddingsService({ models, embed, texts: lane }: EmbeddingsDeps): EmbeddingsService {
  async function embedded(body: EmbeddingsWanted, asker: TextAsker) {
    const model = choose(models, body);
    const inputs = inputsOf(body.input);
    const tokens = await count(lane, inputs, asker);
    const isQuery = [body.input_type, body.task].some((name) => name?.includes("query") === true);
    const kind = isQuery ? "query" : "passage";
    const texts = inputs.map((input) => input.text);
    const result = await embed(model.model, texts, { ...asker, kind });
    if (!result.ok) throw embedError(result);
    const vectors = result.texts.map((text) => {
      const whole = combineWindows(text, text.vectors.length / text.windows);
      return fitVectors(whole, whole.length, model.dimensions);
    });
    return { model: model.model, tokens, vectors };
  }

  return {
    async create(body, asker) {
      const { model, tokens, vectors } = await embedded(body, asker);
      return {
        object: "list",
        data: vectors.map((vector, index) => ({
          object: "embedding",
          index,
          embedding: body.encoding_format === "base64" ? toBase64(vector) : Array.from(vector),
        })),
        model,
        usage: { prompt_tokens: tokens, total_tokens: tokens },
      };
    },
    async vectors(body, asker) {
      const { vectors, ...rest } = await embedded(body, asker);
      return { ...rest, vectors: vectors.map((vector) => Array.from(vector)) };
    },
  };
}

function choose(models: ModelCatalog, { model, dimensions, output_dimension: other }: EmbeddingsWanted): ChosenModel {
  if (dimensions !== undefined && other !== undefined && dimensions !== other) {
    const text = "Invalid 'output_dimension': it is another name of 'dimensions', and the two differ.";
    throw new AppError("invalid_value", text, { param: "output_dimension" });
  }
  const choice = models.choose(model, dimensions ?? other ?? null);
  if (choice.ok) return choice;
  switch (choice.reason) {
    case "unknown":
      throw new AppError("model_not_found", `The model '${model}' does not exist or you do not have access to it.`, {
        param: "model",
      });
    case "reranker":
      throw new AppError("invalid_embedding_model", choice.message, { param: "model" });
    case "dimensions":
      throw new AppError("invalid_dimensions", choice.message, { param: "dimensions" });
    case "unavailable":
      throw new AppError("embedding_model_unavailable", choice.message, { param: "model" });
  }
}

interface Input {
  text: string;
  /** Null: not counted yet. */
  tokens: number | null;
  param: string;
}

function inputsOf(input: EmbeddingsBody["input"]): Input[] {
  if (typeof input === "string") return [{ text: input, tokens: null, param: "input" }];
  if (isTokens(input)) return [decoded(input, "input")];
  return input.map((item, i) =>
    typeof item === "string" ? { text: item, tokens: null, param: `input[${i}]` } : decoded(item, `input[${i}]`),
  );
}

function isTokens(input: string[] | number[] | number[][]): input is number[] {
  return typeof input[0] === "number";
}

function decoded(ids: number[], param: string): Input {
  refuseTooLong(ids.length, param);
  try {
    return { text: decodeTokens(ids), tokens: ids.length, param };
  } catch (cause) {
    if (!(cause instanceof UnknownTokenError)) throw cause;
    throw new AppError("invalid_value", `Invalid '${param}': ${cause.token} is not a token of cl100k_base.`, {
      param,
      cause,
    });
  }
}

/** Tokens of all inputs. Few texts are counted here: that takes less than to hand them over. */
async function count(texts: TextAnalysis, inputs: readonly Input[], asker: TextAsker): Promise<number> {
  const open = inputs.filter(({ tokens }) => tokens === null);
  // A token is at most 128 bytes of text, nearly always under 20: what is surely too long is not counted.
  for (const { text, param } of open) if (text.length > MAX_INPUT_TOKENS * 128) refuseTooLong(Infinity, param);
  const characters = open.reduce((sum, { text }) => sum + text.length, 0);
  const uncounted = open.map(({ text }) => text);
  const counted = characters > COUNTED_HERE ? await texts.count(uncounted, asker) : uncounted.map(countTokens);
  open.forEach(({ param }, i) => refuseTooLong(counted[i] ?? 0, param));
  const given = inputs.reduce((sum, { tokens }) => sum + (tokens ?? 0), 0);
  return counted.reduce((sum, tokens) => sum + tokens, given);
}

function refuseTooLong(tokens: number, param: string): void {
  if (tokens <= MAX_INPUT_TOKENS) return;
  const requested = Number.isFinite(tokens) ? `you requested ${tokens} tokens` : "you requested many more";
  throw new AppError(
    "invalid_value",
    `This model's maximum context length is ${MAX_INPUT_TOKENS} tokens, however ${requested}. Please reduce your input.`,
    {
      param,
    },
  );
}

/** Little-endian float32, as clients decode it. */
function toBase64(vector: Float32Array): string {
  return Buffer.from(vector.buffer, vector.byteOffset, vector.byteLength).toString("base64");
}
