import { Type } from "@sinclair/typebox";
import type { Static } from "@sinclair/typebox";
import { nullable, oneOf, unixSeconds } from "../../http/openai.ts";

const milliseconds = () => Type.Number({ description: "Milliseconds, right to 4 %; 0 where nothing was asked." });

const percentiles = () => ({ p50: milliseconds(), p95: milliseconds(), p99: milliseconds() });

export const WINDOWS = ["24h", "7d", "30d"] as const;
export type Window = (typeof WINDOWS)[number];

export const StoreStats = Type.Object(
  {
    object: Type.Literal("vector_store.stats"),
    vector_store_id: Type.String(),
    window: oneOf(WINDOWS),
    since: unixSeconds("Start of the first row of `series`."),
    until: unixSeconds("Now."),
    queries: Type.Object({
      count: Type.Integer(),
      empty: Type.Integer({ description: "Searches that found nothing." }),
      latency_ms: Type.Object(percentiles()),
      stages_ms: Type.Object(
        {
          embed: Type.Object(percentiles(), { description: "The query's vector, from memory or from the model." }),
          vector: Type.Object(percentiles(), {
            description: "Ranking; vectors and keywords together in a hybrid search.",
          }),
          keyword: Type.Object(percentiles(), { description: "Ranking, where only keywords were asked for." }),
          fetch: Type.Object(percentiles(), { description: "Reading the texts." }),
        },
        {
          description: "Each among the searches that had this stage; an hour that an earlier version counted has none.",
        },
      ),
      top: Type.Array(
        Type.Object({
          query: nullable(Type.String(), { description: "Null where the operator keeps hashes only." }),
          query_sha256: Type.String(),
          count: Type.Integer(),
        }),
        { description: "The ten most frequent of the newest 20,000 logged searches." },
      ),
    }),
    ingest: Type.Object({
      completed: Type.Integer(),
      failed: Type.Integer(),
      cancelled: Type.Integer(),
      bytes: Type.Integer({ description: "Of completed files." }),
      chunks: Type.Integer(),
    }),
    store: Type.Object({
      files: Type.Integer(),
      chunks: Type.Integer(),
      bytes: Type.Integer(),
      usage_bytes: Type.Integer(),
    }),
    series: Type.Array(
      Type.Object({
        start: unixSeconds("Unix seconds."),
        queries: Type.Integer(),
        empty: Type.Integer(),
        p95_ms: milliseconds(),
        completed: Type.Integer(),
        failed: Type.Integer(),
      }),
      { description: "24 hours, 28 times six hours, or 30 days; the oldest first." },
    ),
  },
  { $id: "VectorStoreStats", description: "What happened in a store." },
);
export type StoreStats = Static<typeof StoreStats>;

export const StatsQuery = Type.Object({
  window: Type.Optional(Type.String({ maxLength: 16, description: "`24h` (default), `7d` or `30d`.", default: "24h" })),
});
