import { Type } from "@sinclair/typebox";
import type { Static } from "@sinclair/typebox";
import { idText } from "../../../http/openai.ts";
import { ManyTexts, OneText, Vectors } from "../schema.ts";

export const OllamaBody = Type.Object(
  {
    model: idText({ minLength: 1, description: "`:latest` at its end means nothing." }),
    input: Type.Union([OneText, ManyTexts]),
    dimensions: Type.Optional(Type.Integer({ minimum: 1 })),
  },
  { $id: "OllamaEmbedRequest", additionalProperties: false },
);
export type OllamaBody = Static<typeof OllamaBody>;

const Count = Type.Integer({ minimum: 0 });

export const OllamaVectors = Type.Object(
  {
    model: Type.String({ description: "As it was asked for." }),
    embeddings: Vectors,
    total_duration: Type.Integer({ minimum: 0, description: "Nanoseconds." }),
    load_duration: Count,
    prompt_eval_count: Type.Integer({ minimum: 0, description: "cl100k_base tokens." }),
  },
  { $id: "OllamaEmbedResponse" },
);

export const OllamaPromptBody = Type.Object(
  { model: idText({ minLength: 1 }), prompt: OneText },
  { $id: "OllamaEmbeddingsRequest", additionalProperties: false },
);

export const OllamaVector = Type.Object({ embedding: Type.Array(Type.Number()) }, { $id: "OllamaEmbeddingsResponse" });

const Tag = Type.Object(
  {
    name: Type.String(),
    model: Type.String(),
    modified_at: Type.String(),
    size: Count,
    digest: Type.String(),
    details: Type.Object({
      parent_model: Type.String(),
      format: Type.String(),
      family: Type.String(),
      families: Type.Array(Type.String()),
      parameter_size: Type.String(),
      quantization_level: Type.String(),
    }),
  },
  { $id: "OllamaModel" },
);
export type OllamaTag = Static<typeof Tag>;
export const OllamaTags = Type.Object({ models: Type.Array(Tag) }, { $id: "OllamaTags" });

export const OllamaVersion = Type.Object({ version: Type.String() }, { $id: "OllamaVersion" });
export const OllamaError = Type.Object({ error: Type.String() }, { $id: "OllamaError" });
export type OllamaError = Static<typeof OllamaError>;
