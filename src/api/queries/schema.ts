import { Type } from "@sinclair/typebox";
import type { Static } from "@sinclair/typebox";
import { cursorQuery, idText, listSchema, nullable, oneOf, unixSeconds } from "../../http/openai.ts";

const milliseconds = (description: string) => Type.Number({ description });

export const LoggedQuery = Type.Object(
  {
    id: Type.String({ description: "`q_…`" }),
    object: Type.Literal("vector_store.query"),
    created_at: unixSeconds("When the search was made."),
    query: nullable(Type.Array(Type.String()), {
      description: "What was asked; null where the operator keeps hashes only.",
    }),
    query_sha256: Type.String({ description: "SHA-256 (hex) of the query; of several, joined by line feeds." }),
    search_mode: Type.String({ description: "`hybrid`, `vector` or `keyword`." }),
    filters: Type.Unknown({
      description: "As given; null for none. Of one longer than 2 KiB the beginning of its JSON, as a string.",
    }),
    filters_cut: Type.Optional(
      Type.Object(
        {
          bytes: Type.Integer({ description: "Of all of its JSON." }),
          sha256: nullable(Type.String(), {
            description:
              "Of all of its JSON (hex, the first 16 digits); null where it was logged by an earlier version.",
          }),
        },
        { description: "Only where `filters` is cut." },
      ),
    ),
    max_num_results: Type.Integer(),
    results: Type.Array(Type.Object({ file_id: Type.String(), chunk_id: Type.String(), score: Type.Number() })),
    latency_ms: Type.Object({
      total: milliseconds("The whole search, without the network."),
      embed: milliseconds("The query's vector, from memory or from the model."),
      vector: milliseconds("Ranking; vectors and keywords together in a hybrid search."),
      keyword: milliseconds("Ranking, where only keywords were asked for."),
      fetch: milliseconds("Reading the texts."),
    }),
    key_id: Type.String({ description: "The key that searched." }),
    model: Type.String({ description: "The embedding model that ran." }),
    generation: Type.Integer({ description: "The generation of the index that answered." }),
    source: oneOf(["search", "response", "run"], {
      description: "A search that was asked for, or one that an answer or a run made.",
    }),
    source_id: nullable(Type.String(), { description: "The answer's or the run's id; null for a search." }),
  },
  { $id: "LoggedQuery", description: "A search that was made." },
);
export type LoggedQuery = Static<typeof LoggedQuery>;

export const LoggedQueryList = listSchema(LoggedQuery, "LoggedQueryList");

export const ListQueriesQuery = Type.Object({
  ...cursorQuery(),
  since: Type.Optional(
    Type.String({ description: "Only searches made from then on: ISO-8601 or Unix seconds.", maxLength: 64 }),
  ),
  until: Type.Optional(Type.String({ description: "Only searches made before then.", maxLength: 64 })),
  query: Type.Optional(
    Type.String({ description: "Only searches for something that contains this, whatever the case.", maxLength: 256 }),
  ),
  empty: Type.Optional(Type.Boolean({ description: "Only searches that found nothing." })),
  min_latency_ms: Type.Optional(
    Type.Number({ minimum: 0, maximum: 86_400_000, description: "Only searches that took so long at least." }),
  ),
  key_id: Type.Optional(idText({ description: "Only searches made with this key." })),
});
export type ListQueriesQuery = Static<typeof ListQueriesQuery>;
