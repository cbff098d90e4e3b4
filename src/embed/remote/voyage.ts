/** Voyage's embeddings. Texts above the model's window are refused (`truncation: false`), never cut off silently. */
import type { Dialect } from "./dialect.ts";
import { asObject, bearer, readDataList, textOf, usageTokens } from "./dialect.ts";

export const voyageDialect: Dialect = {
  name: "voyage",
  address: "https://api.voyageai.com/v1",
  limits: { texts: 128, tokens: 100_000 },
  path: () => "embeddings",
  headers: bearer,
  body: ({ model, texts, kind, dimensions }) => ({
    model,
    input: texts,
    input_type: kind === "query" ? "query" : "document",
    truncation: false,
    encoding_format: "base64",
    ...(dimensions === null ? {} : { output_dimension: dimensions }),
  }),
  read: (json) => ({ vectors: readDataList(json), tokens: usageTokens(json, "total_tokens") }),
  error: (json) => ({ message: textOf(asObject(json)["detail"]), code: null }),
};
