import { Type } from "@sinclair/typebox";
import type { Static } from "@sinclair/typebox";
import { idText, oneOf } from "../../../http/openai.ts";
import { ManyTexts, Vectors } from "../schema.ts";

const Fields = Type.Object(
  {
    texts: ManyTexts,
    input_type: Type.Optional(
      oneOf(["search_document", "search_query", "classification", "clustering"], {
        description: "`search_query` where the texts are searched for.",
      }),
    ),
    embedding_types: Type.Optional(
      Type.Array(oneOf(["float"]), { minItems: 1, maxItems: 8, description: "No other type is made here." }),
    ),
    output_dimension: Type.Optional(Type.Integer({ minimum: 1 })),
  },
  { additionalProperties: false },
);

export const CohereBody = Type.Object(
  { model: idText({ minLength: 1 }), ...Fields.properties },
  { $id: "CohereEmbedRequest", additionalProperties: false },
);

export const CohereFirstBody = Type.Object(
  {
    model: Type.Optional(idText({ minLength: 1, description: "The server's default model where left out." })),
    ...Fields.properties,
  },
  { $id: "CohereFirstEmbedRequest", additionalProperties: false },
);
export type CohereFirstBody = Static<typeof CohereFirstBody>;

const shared = {
  id: Type.String(),
  texts: Type.Array(Type.String()),
  meta: Type.Object({
    api_version: Type.Object({ version: Type.String() }),
    billed_units: Type.Object({ input_tokens: Type.Integer({ description: "cl100k_base; nothing is billed." }) }),
  }),
};

export const CohereByType = Type.Object(
  { response_type: Type.Literal("embeddings_by_type"), ...shared, embeddings: Type.Object({ float: Vectors }) },
  { $id: "CohereEmbedResponse" },
);
export const CohereFloats = Type.Object(
  { response_type: Type.Literal("embeddings_floats"), ...shared, embeddings: Vectors },
  { $id: "CohereFirstEmbedResponse" },
);

export const CohereError = Type.Object({ message: Type.String() }, { $id: "CohereError" });
export type CohereError = Static<typeof CohereError>;
