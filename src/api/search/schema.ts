import { Type } from "@sinclair/typebox";
import type { Static } from "@sinclair/typebox";
import { idText, nullable, oneOf } from "../../http/openai.ts";
import { SEARCH_MODES } from "../../search/ranking.ts";
import { RankingOptions } from "../ranking-options.ts";
import { Attributes } from "../attaching/schema.ts";

/** Queries of one request at most. */
const MAX_QUERIES = 64;
/** Characters of all queries of a request at most: they are taken apart on the thread that serves requests. */
export const MAX_QUERY_CHARACTERS = 65_536;
/** Of a vector; more than any model has. In base64, with line ends. */
const MAX_DIMENSIONS = 16_384;
const MAX_VECTOR_CHARACTERS = 8 * MAX_DIMENSIONS;
/** Attributes that are asked for in the plain form. */
export const MAX_FILTER_MEMBERS = 1024;

export const SearchBody = Type.Object(
  {
    query: Type.Union(
      [
        Type.String({ maxLength: MAX_QUERY_CHARACTERS }),
        Type.Array(Type.String({ minLength: 1, maxLength: MAX_QUERY_CHARACTERS }), {
          minItems: 1,
          maxItems: MAX_QUERIES,
        }),
      ],
      {
        description: "One query, or several answered as one.",
      },
    ),
    filters: Type.Optional(
      nullable(Type.Record(Type.String(), Type.Unknown(), { maxProperties: MAX_FILTER_MEMBERS }), {
        description: 'OpenAI\'s comparison and compound filters, or plain attributes such as `{"category":"support"}`.',
      }),
    ),
    max_num_results: Type.Optional(Type.Integer({ minimum: 1, maximum: 50, default: 10 })),
    ranking_options: Type.Optional(RankingOptions),
    rewrite_query: Type.Optional(Type.Boolean({ default: false })),
    search_mode: Type.Optional(oneOf(SEARCH_MODES, { default: "hybrid" })),
    query_vector: Type.Optional(
      Type.Union(
        [Type.Array(Type.Number(), { maxItems: MAX_DIMENSIONS }), Type.String({ maxLength: MAX_VECTOR_CHARACTERS })],
        {
          description: "Numbers, or base64 of little-endian float32: used instead of embedding `query`.",
        },
      ),
    ),
    context_window: Type.Optional(
      Type.Integer({
        minimum: 0,
        maximum: 5,
        default: 0,
        description: "Neighbouring chunks joined to each hit, on either side.",
      }),
    ),
    max_chunks_per_file: Type.Optional(Type.Integer({ minimum: 1 })),
    explain: Type.Optional(Type.Boolean({ default: false })),
    migration_id: Type.Optional(
      idText({
        description:
          "A migration that is `ready`: its new index answers instead of the live one, to be compared with it. For keys that may write; such a search is not logged and is no use of the store.",
      }),
    ),
    limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 50, description: "Another name of `max_num_results`." })),
  },
  { $id: "SearchRequest", additionalProperties: false },
);
export type SearchBody = Static<typeof SearchBody>;

const SearchScores = Type.Object(
  {
    vector: nullable(Type.Number()),
    keyword: nullable(Type.Number()),
    fused: nullable(Type.Number()),
    rescored: nullable(Type.Number()),
  },
  { $id: "SearchScores" },
);

export const SearchResult = Type.Object(
  {
    file_id: Type.String(),
    filename: Type.String(),
    score: Type.Number({ minimum: 0, maximum: 1 }),
    attributes: nullable(Attributes),
    content: Type.Array(Type.Object({ type: Type.Literal("text"), text: Type.String() })),
    object: Type.Optional(Type.Literal("vector_store.search_result")),
    type: Type.Optional(Type.Literal("file_content")),
    chunk_id: Type.Optional(Type.String()),
    chunk_index: Type.Optional(Type.Integer()),
    start_offset: Type.Optional(Type.Integer({ description: "Code points into the file's `/content`." })),
    end_offset: Type.Optional(Type.Integer()),
    page: Type.Optional(nullable(Type.Integer())),
    page_end: Type.Optional(nullable(Type.Integer())),
    line: Type.Optional(
      nullable(Type.Integer(), { description: "1-based line of the file's text; null where it has pages." }),
    ),
    line_end: Type.Optional(nullable(Type.Integer())),
    heading: Type.Optional(Type.Array(Type.String())),
    scores: Type.Optional(SearchScores),
  },
  { $id: "SearchResult" },
);
export type SearchResult = Static<typeof SearchResult>;

export const SearchPage = Type.Object(
  {
    object: Type.Literal("vector_store.search_results.page"),
    search_query: Type.Array(Type.String(), { description: "What was searched, after rewriting." }),
    data: Type.Array(SearchResult),
    has_more: Type.Boolean(),
    next_page: nullable(Type.String()),
  },
  { $id: "SearchResultsPage" },
);
export type SearchPage = Static<typeof SearchPage>;
