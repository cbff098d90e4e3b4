import { Type } from "@sinclair/typebox";
import type { Static } from "@sinclair/typebox";
import { nullable } from "../../../http/openai.ts";
import { ManyTexts, OneText } from "../schema.ts";

export const TeiBody = Type.Object(
  {
    inputs: Type.Union([OneText, ManyTexts]),
    dimensions: Type.Optional(Type.Integer({ minimum: 1 })),
    prompt_name: Type.Optional(
      Type.String({ maxLength: 256, description: "`query` where the texts are searched for." }),
    ),
    normalize: Type.Optional(Type.Boolean({ description: "Vectors have length 1, whatever is asked." })),
  },
  { $id: "TeiEmbedRequest", additionalProperties: false },
);
export type TeiBody = Static<typeof TeiBody>;

export const TeiVectors = Type.Array(Type.Array(Type.Number()), {
  $id: "TeiEmbedResponse",
  description: "A vector for each text, in order; of one text too it is a list.",
});

export const TeiInfo = Type.Object(
  {
    model_id: Type.String(),
    model_sha: nullable(Type.String()),
    model_dtype: Type.String(),
    model_type: Type.Object({ embedding: Type.Object({ pooling: Type.String() }) }),
    max_concurrent_requests: Type.Integer(),
    max_input_length: Type.Integer(),
    max_batch_tokens: Type.Integer(),
    max_batch_requests: nullable(Type.Integer()),
    max_client_batch_size: Type.Integer(),
    auto_truncate: Type.Boolean(),
    tokenization_workers: Type.Integer(),
    version: Type.String(),
  },
  { $id: "TeiInfo" },
);
export type TeiInfo = Static<typeof TeiInfo>;

export const TeiError = Type.Object({ error: Type.String(), error_type: Type.String() }, { $id: "TeiError" });
export type TeiError = Static<typeof TeiError>;
