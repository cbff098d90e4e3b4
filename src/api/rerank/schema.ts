import { Type } from "@sinclair/typebox";
import type { Static } from "@sinclair/typebox";
import { idText, nullable } from "../../http/openai.ts";

/** Documents of one request at most. */
export const MAX_DOCUMENTS = 1000;
/** Characters of a query, of a document and of all documents of a request at most. */
export const MAX_QUERY_CHARACTERS = 65_536;
export const MAX_DOCUMENT_CHARACTERS = 262_144;
export const MAX_TOTAL_CHARACTERS = 8_000_000;

/** Of a document that is an object. */
const MAX_FIELDS = 100;

const Text = Type.String({ maxLength: MAX_DOCUMENT_CHARACTERS });

export const RerankBody = Type.Object(
  {
    model: Type.Optional(
      idText({
        minLength: 1,
        description:
          "A reranker of `GET /v1/models`; by default the operator's, or the only one there is, or `lectern-rank`, the ranking that searches have.",
      }),
    ),
    query: Type.String({ minLength: 1, maxLength: MAX_QUERY_CHARACTERS }),
    documents: Type.Optional(
      Type.Array(Type.Union([Text, Type.Record(Type.String(), Type.Unknown(), { maxProperties: MAX_FIELDS })]), {
        minItems: 1,
        maxItems: MAX_DOCUMENTS,
        description: `Texts, or objects with a \`text\` and whatever else; ${MAX_TOTAL_CHARACTERS} characters altogether.`,
      }),
    ),
    texts: Type.Optional(
      Type.Array(Text, {
        minItems: 1,
        maxItems: MAX_DOCUMENTS,
        description: "As text-embeddings-inference calls `documents`; the answer is then the list that it gives.",
      }),
    ),
    top_n: Type.Optional(Type.Integer({ minimum: 1, description: "Only so many of the best; by default all." })),
    top_k: Type.Optional(
      nullable(Type.Integer({ minimum: 1 }), {
        description: "Voyage's name of `top_n`; the answer then has `data`, which is `results`.",
      }),
    ),
    rank_fields: Type.Optional(
      Type.Array(Type.String({ minLength: 1, maxLength: 256 }), {
        minItems: 1,
        maxItems: 64,
        description: "Fields of documents that are objects, read one after another; `text` alone by default.",
      }),
    ),
    return_documents: Type.Optional(Type.Boolean({ default: false })),
    return_text: Type.Optional(
      Type.Boolean({ default: false, description: "With `texts`: each comes back as `text`." }),
    ),
  },
  { $id: "RerankRequest", additionalProperties: false, description: "`documents`, or `texts` instead." },
);
export type RerankBody = Static<typeof RerankBody>;

const Result = Type.Object(
  {
    index: Type.Integer({ description: "Of the document in the request." }),
    relevance_score: Type.Number({ minimum: 0, maximum: 1 }),
    document: Type.Optional(
      Type.Record(Type.String(), Type.Unknown(), { description: "As it was sent; a text as `text`." }),
    ),
  },
  { $id: "RerankResult" },
);

export const RerankAnswer = Type.Object(
  {
    id: Type.String(),
    object: Type.Literal("list"),
    model: Type.String({ description: "The one that ran." }),
    results: Type.Array(Result, { description: "Best first." }),
    data: Type.Optional(Type.Array(Result, { description: "The same, where `top_k` was sent." })),
    meta: Type.Object(
      {
        api_version: Type.Object({ version: Type.String() }),
        billed_units: Type.Object({ search_units: Type.Integer() }),
      },
      { description: "Cohere's; its clients ask for it." },
    ),
    usage: Type.Object({
      total_tokens: Type.Integer({ description: "cl100k_base tokens of the query and of all documents." }),
    }),
  },
  { $id: "RerankResponse" },
);
export type RerankAnswer = Static<typeof RerankAnswer>;

export const RankedTexts = Type.Array(
  Type.Object({
    index: Type.Integer({ description: "Of the text in the request." }),
    score: Type.Number({ minimum: 0, maximum: 1 }),
    text: Type.Optional(Type.String()),
  }),
  { $id: "RankedTexts", description: "Best first; the answer to `texts`." },
);
export type RankedTexts = Static<typeof RankedTexts>;
