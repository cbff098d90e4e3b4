/** OpenAI's embeddings, and what speaks the same: Ollama, vLLM, text-embeddings-inference, llama.cpp, LocalAI. */
import type { Dialect, DialectError, DialectRequest } from "./dialect.ts";
import { asObject, bearer, readDataList, textOf, usageTokens } from "./dialect.ts";

export const openaiDialect: Dialect = {
  name: "openai",
  address: "https://api.openai.com/v1",
  limits: { texts: 2048, tokens: 250_000 },
  path: () => "embeddings",
  headers: bearer,
  body: (request) => ({ ...common(request), encoding_format: "base64" }),
  read: (json) => ({ vectors: readDataList(json), tokens: usageTokens(json, "prompt_tokens", "total_tokens") }),
  error: openaiError,
};

/** The least that all of them understand: small batches, numbers, `dimensions` only when asked for. */
export const openaiCompatibleDialect: Dialect = {
  ...openaiDialect,
  name: "openai-compatible",
  address: null,
  limits: { texts: 32, tokens: 16_000 },
  body: (request) => ({ ...common(request), encoding_format: "float" }),
};

function common({ model, texts, dimensions }: DialectRequest): Record<string, unknown> {
  return { model, input: texts, ...(dimensions === null ? {} : { dimensions }) };
}

/** `{ error: { message, type, code } }`; some servers send `{ error: "text" }` or `{ message }`. */
export function openaiError(json: unknown): DialectError {
  const outer = asObject(json);
  const inner = asObject(outer["error"]);
  const message = textOf(inner["message"] ?? outer["error"] ?? outer["message"] ?? outer["detail"]);
  const code = inner["code"] ?? inner["type"] ?? outer["error_type"] ?? outer["code"];
  return { message, code: code === undefined || code === null ? null : textOf(code) };
}
