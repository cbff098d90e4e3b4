import { Type } from "@sinclair/typebox";
import type { Static } from "@sinclair/typebox";
import { oneOf } from "../../http/openai.ts";

/** Inputs of one request, and cl100k tokens of one input, at most. */
export const MAX_INPUTS = 2048;
export const MAX_INPUT_TOKENS = 8192;

const Tokens = Type.Array(Type.Integer({ minimum: 0 }), { minItems: 1, maxItems: MAX_INPUTS });

export const EmbeddingsBody = Type.Object(
  {
    input: Type.Union(
      [
        Type.String({ minLength: 1 }),
        Type.Array(Type.String({ minLength: 1 }), { minItems: 1, maxItems: MAX_INPUTS }),
        Tokens,
        Type.Array(Tokens, { minItems: 1, maxItems: MAX_INPUTS }),
      ],
      { description: "Text, texts, cl100k_base tokens, or lists of them." },
    ),
    model: Type.String({ minLength: 1 }),
    encoding_format: Type.Optional(oneOf(["float", "base64"], { default: "float" })),
    dimensions: Type.Optional(Type.Integer({ minimum: 1 })),
    user: Type.Optional(Type.String()),
    input_type: Type.Optional(
      Type.String({
        description: "Says `query` where the input is searched for, not found; some models embed the two differently.",
      }),
    ),
  },
  { $id: "CreateEmbeddingRequest", additionalProperties: false },
);
export type EmbeddingsBody = Static<typeof EmbeddingsBody>;

export const EmbeddingsAnswer = Type.Object(
  {
    object: Type.Literal("list"),
    data: Type.Array(
      Type.Object({
        object: Type.Literal("embedding"),
        index: Type.Integer(),
        embedding: Type.Union([
          Type.Array(Type.Number()),
          Type.String({ description: "base64 of little-endian float32" }),
        ]),
      }),
    ),
    model: Type.String(),
    usage: Type.Object({ prompt_tokens: Type.Integer(), total_tokens: Type.Integer() }),
  },
  { $id: "CreateEmbeddingResponse" },
);
export type EmbeddingsAnswer = Static<typeof EmbeddingsAnswer>;
