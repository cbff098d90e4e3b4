/** Cohere's v2 embed. Texts above the model's 512 tokens are refused (`truncate: NONE`), never cut off silently. */
import type { Dialect } from "./dialect.ts";
import { asObject, bearer, readVector, textOf } from "./dialect.ts";

export const cohereDialect: Dialect = {
  name: "cohere",
  address: "https://api.cohere.com/v2",
  limits: { texts: 96, tokens: 48_000 },
  path: () => "embed",
  headers: bearer,
  body: ({ model, texts, kind }) => ({
    model,
    texts,
    input_type: kind === "query" ? "search_query" : "search_document",
    embedding_types: ["float"],
    truncate: "NONE",
  }),
  read: (json) => {
    const embeddings = asObject(json)["embeddings"];
    const list = Array.isArray(embeddings) ? embeddings : asObject(embeddings)["float"];
    if (!Array.isArray(list)) throw new Error("the answer has no list 'embeddings.float'");
    const billed = asObject(asObject(asObject(json)["meta"])["billed_units"])["input_tokens"];
    return { vectors: list.map(readVector), tokens: typeof billed === "number" ? billed : null };
  },
  error: (json) => ({ message: textOf(asObject(json)["message"]), code: null }),
};
