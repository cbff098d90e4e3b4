import { Type } from "@sinclair/typebox";
import type { Static } from "@sinclair/typebox";
import { idText, oneOf } from "../../http/openai.ts";

/** Inputs of one request, and cl100k tokens of one input, at most. */
export const MAX_INPUTS = 2048;
export const MAX_INPUT_TOKENS = 8192;

/** Of one input. The service counts tokens, and tells in tokens how much too much there is; these bound what it is given. */
const Tokens = Type.Array(Type.Integer({ minimum: 0 }), { minItems: 1, maxItems: 8 * MAX_INPUT_TOKENS });
const MAX_INPUT_CHARACTERS = 8 * 1024 * 1024;

/** In other dialects: one text, and texts, which may be empty there. */
export const OneText = Type.String({ maxLength: MAX_INPUT_CHARACTERS });
export const ManyTexts = Type.Array(OneText, { maxItems: MAX_INPUTS });
export const Vectors = Type.Array(Type.Array(Type.Number()));

/** What the makers of embedding models call what a text is for. */
const INPUT_TYPES = [
  "query",
  "search_query",
  "passage",
  "document",
  "search_document",
  "classification",
  "clustering",
] as const;

const Fields = Type.Object(
  {
    input: Type.Union(
      [
        Type.String({ maxLength: MAX_INPUT_CHARACTERS }),
        Type.Array(Type.String({ minLength: 1, maxLength: MAX_INPUT_CHARACTERS }), {
          minItems: 1,
          maxItems: MAX_INPUTS,
        }),
        Tokens,
        Type.Array(Tokens, { minItems: 1, maxItems: MAX_INPUTS }),
      ],
      {
        description:
          "Text, texts, cl100k_base tokens, or lists of them; at most 8,192 tokens each. A text alone may be empty, one in a list may not.",
      },
    ),
    encoding_format: Type.Optional(oneOf(["float", "base64"], { default: "float" })),
    dimensions: Type.Optional(
      Type.Integer({
        minimum: 1,
        description:
          "Fewer than the model has: the first ones, brought back to length 1. More, up to 4,096, under a name that stands for a smaller model: zeros follow, which change no cosine.",
      }),
    ),
    output_dimension: Type.Optional(Type.Integer({ minimum: 1, description: "Voyage's name of `dimensions`." })),
    output_dtype: Type.Optional(oneOf(["float"], { description: "Voyage's; no other type is made here." })),
    user: Type.Optional(Type.String({ maxLength: 1024 })),
    input_type: Type.Optional(
      oneOf(INPUT_TYPES, {
        description: "`query` where the input is searched for, not found; some models embed the two differently.",
      }),
    ),
    task: Type.Optional(idText({ description: 'Jina\'s: `retrieval.query` is `input_type: "query"`.' })),
  },
  { additionalProperties: false },
);

export const EmbeddingsBody = Type.Object(
  { ...Fields.properties, model: idText({ minLength: 1 }) },
  { $id: "CreateEmbeddingRequest", additionalProperties: false },
);
export type EmbeddingsBody = Static<typeof EmbeddingsBody>;

export const DeploymentEmbeddingsBody = Type.Object(
  { ...Fields.properties, model: Type.Optional(idText({ description: "Not used: the address names it." })) },
  { $id: "CreateDeploymentEmbeddingRequest", additionalProperties: false },
);

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
