import { Type } from "@sinclair/typebox";
import type { Static } from "@sinclair/typebox";

/** Documents of one request at most. */
export const MAX_DOCUMENTS = 1000;
/** Characters of a query, of a document and of all documents of a request at most. */
export const MAX_QUERY_CHARACTERS = 65_536;
export const MAX_DOCUMENT_CHARACTERS = 262_144;
export const MAX_TOTAL_CHARACTERS = 8_000_000;

const Text = Type.String({ maxLength: MAX_DOCUMENT_CHARACTERS });

export const RerankBody = Type.Object(
  {
    model: Type.Optional(
      Type.String({
        minLength: 1,
        description:
          "A reranker of `GET /v1/models`; by default the operator's, or the only one there is, or `lectern-rank`, the ranking that searches have.",
      }),
    ),
    query: Type.String({ minLength: 1, maxLength: MAX_QUERY_CHARACTERS }),
    documents: Type.Array(Type.Union([Text, Type.Object({ text: Text }, { additionalProperties: false })]), {
      minItems: 1,
      maxItems: MAX_DOCUMENTS,
      description: `Texts, or objects with a \`text\`; ${MAX_TOTAL_CHARACTERS} characters altogether.`,
    }),
    top_n: Type.Optional(Type.Integer({ minimum: 1, description: "Only so many of the best; by default all." })),
    return_documents: Type.Optional(Type.Boolean({ default: false })),
  },
  { $id: "RerankRequest", additionalProperties: false },
);
export type RerankBody = Static<typeof RerankBody>;

export const RerankAnswer = Type.Object(
  {
    id: Type.String(),
    object: Type.Literal("list"),
    model: Type.String({ description: "The one that ran." }),
    results: Type.Array(
      Type.Object({
        index: Type.Integer({ description: "Of the document in the request." }),
        relevance_score: Type.Number({ minimum: 0, maximum: 1 }),
        document: Type.Optional(Type.Object({ text: Type.String() })),
      }),
      { description: "Best first." },
    ),
    usage: Type.Object({
      total_tokens: Type.Integer({ description: "cl100k_base tokens of the query and of all documents." }),
    }),
  },
  { $id: "RerankResponse" },
);
export type RerankAnswer = Static<typeof RerankAnswer>;
