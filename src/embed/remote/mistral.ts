/** Mistral's embeddings: OpenAI's shape with a small budget of tokens for a whole request. */
import type { Dialect } from "./dialect.ts";
import { asObject, bearer, readDataList, textOf, usageTokens } from "./dialect.ts";

export const mistralDialect: Dialect = {
  name: "mistral",
  address: "https://api.mistral.ai/v1",
  limits: { texts: 512, tokens: 14_000 },
  path: () => "embeddings",
  headers: bearer,
  body: ({ model, texts }) => ({ model, input: texts, encoding_format: "float" }),
  read: (json) => ({ vectors: readDataList(json), tokens: usageTokens(json, "prompt_tokens", "total_tokens") }),
  error: (json) => {
    const { message, detail, code, type } = asObject(json);
    return {
      message: textOf(message ?? detail),
      code: code === undefined && type === undefined ? null : textOf(code ?? type),
    };
  },
};
