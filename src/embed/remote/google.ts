/** Google's Gemini API, `batchEmbedContents`. It counts no tokens in its answer. */
import type { Dialect } from "./dialect.ts";
import { asObject, readVector, textOf } from "./dialect.ts";

export const googleDialect: Dialect = {
  name: "google",
  address: "https://generativelanguage.googleapis.com/v1beta",
  limits: { texts: 100, tokens: 20_000 },
  path: (model) => `models/${encodeURIComponent(model)}:batchEmbedContents`,
  headers: (apiKey) => (apiKey === "" ? {} : { "x-goog-api-key": apiKey }),
  body: ({ model, texts, kind, dimensions }) => ({
    requests: texts.map((text) => ({
      model: `models/${model}`,
      content: { parts: [{ text }] },
      taskType: kind === "query" ? "RETRIEVAL_QUERY" : "RETRIEVAL_DOCUMENT",
      ...(dimensions === null ? {} : { outputDimensionality: dimensions }),
    })),
  }),
  read: (json) => {
    const list = asObject(json)["embeddings"];
    if (!Array.isArray(list)) throw new Error("the answer has no list 'embeddings'");
    return { vectors: list.map((entry) => readVector(asObject(entry)["values"])), tokens: null };
  },
  error: (json) => {
    const { message, status, details } = asObject(asObject(json)["error"]);
    const retry = (Array.isArray(details) ? details : [])
      .map((d) => asObject(d)["retryDelay"])
      .find((d) => d !== undefined);
    const seconds = /^([0-9.]+)s$/.exec(textOf(retry))?.[1];
    return {
      message: textOf(message),
      code: status === undefined ? null : textOf(status),
      retryAfterMs: seconds === undefined ? undefined : Number(seconds) * 1000,
    };
  },
};
