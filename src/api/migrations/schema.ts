import { Type } from "@sinclair/typebox";
import type { Static } from "@sinclair/typebox";
import { idText, nullable, oneOf, unixSeconds } from "../../http/openai.ts";
import { ChunkingStrategyRequest, ChunkingStrategyResponse } from "../attaching/schema.ts";

export const MigrationGate = Type.Object(
  {
    min_recall: Type.Optional(
      Type.Number({
        minimum: 0,
        maximum: 1,
        description: "Least recall at 10 on judged queries, or self-retrieval without any.",
      }),
    ),
    min_overlap: Type.Optional(
      Type.Number({ minimum: 0, maximum: 1, description: "Least overlap of the old and the new ten best." }),
    ),
    max_latency_ratio: Type.Optional(
      Type.Number({ exclusiveMinimum: 0, description: "Most that the 95th percentile of latency may grow." }),
    ),
  },
  {
    $id: "MigrationGate",
    additionalProperties: false,
    description: "What must hold before the swap; if missed, the migration stops at `ready`.",
  },
);

export const MigrateBody = Type.Object(
  {
    embedding_model: idText({ description: "The model to move to; any name that GET /v1/models lists." }),
    dimensions: Type.Optional(
      nullable(Type.Integer({ minimum: 1, description: "Fewer dimensions, where the model allows it." })),
    ),
    chunking_strategy: Type.Optional(ChunkingStrategyRequest),
    gate: Type.Optional(nullable(MigrationGate)),
    dry_run: Type.Optional(
      Type.Boolean({ default: false, description: "Build and compare, and stop before the swap." }),
    ),
    retain_hours: Type.Optional(
      Type.Integer({
        minimum: 0,
        maximum: 8760,
        default: 168,
        description: "How long the old generation is kept for a rollback.",
      }),
    ),
  },
  { $id: "MigrateRequest", additionalProperties: false },
);
export type MigrateBody = Static<typeof MigrateBody>;

export const EstimateBody = Type.Pick(MigrateBody, ["embedding_model", "dimensions", "chunking_strategy"], {
  $id: "MigrationEstimateRequest",
  additionalProperties: false,
});
export type EstimateBody = Static<typeof EstimateBody>;

const Identity = Type.Object(
  {
    generation: nullable(Type.Integer({ description: "Number of the generation within the store." })),
    embedding_model: Type.String({ description: "The name as asked for." }),
    model_revision: Type.String(),
    dimensions: Type.Integer(),
    chunking_strategy: nullable(ChunkingStrategyResponse),
  },
  { $id: "MigrationIdentity" },
);

const Percentiles = Type.Object({ p50: Type.Number(), p95: Type.Number() }, { $id: "LatencyPercentiles" });
const both = <T extends ReturnType<typeof Type.Number> | typeof Percentiles>(item: T) =>
  Type.Object({ from: item, to: item });

export const MigrationReport = Type.Object(
  {
    queries: Type.Integer(),
    source: oneOf(["log", "generated", "judged"]),
    overlap_at_10: Type.Number(),
    rank_correlation: Type.Number(),
    self_retrieval: Type.Number(),
    counts: both(Type.Number()),
    latency_ms: both(Percentiles),
    ndcg_at_10: nullable(both(Type.Number())),
    recall_at_10: nullable(both(Type.Number())),
    gate: oneOf(["passed", "missed", "none"]),
    reasons: Type.Array(Type.String()),
  },
  { $id: "MigrationReport" },
);

const MIGRATION_STATUSES = [
  "queued",
  "building",
  "catching_up",
  "verifying",
  "ready",
  "completed",
  "rolled_back",
  "cancelled",
  "failed",
  "paused",
] as const;

export const Migration = Type.Object(
  {
    id: Type.String(),
    object: Type.Literal("vector_store.migration"),
    vector_store_id: Type.String(),
    created_at: unixSeconds("When it was asked for."),
    started_at: nullable(unixSeconds("When work began.")),
    completed_at: nullable(unixSeconds("When it ended, or became ready.")),
    status: oneOf(MIGRATION_STATUSES),
    from: Identity,
    to: Identity,
    progress: Type.Object({
      chunks_done: Type.Integer(),
      chunks_total: Type.Integer(),
      files_behind: Type.Integer({ description: "Completed files that the new generation does not have whole." }),
      tokens: Type.Integer(),
      chunks_per_second: Type.Number(),
      eta_seconds: nullable(Type.Integer()),
      cost_usd: nullable(Type.Number()),
    }),
    gate: nullable(MigrationGate),
    dry_run: Type.Boolean(),
    report: nullable(MigrationReport),
    last_error: nullable(Type.Object({ code: Type.String(), message: Type.String() })),
    rollback_until: nullable(unixSeconds("Until when it can be rolled back.")),
    rolled_back_at: nullable(unixSeconds("When it was rolled back.")),
  },
  { $id: "Migration" },
);
export type Migration = Static<typeof Migration>;

export const MigrationEstimate = Type.Object(
  {
    object: Type.Literal("vector_store.migration_estimate"),
    vector_store_id: Type.String(),
    to: Identity,
    chunks: Type.Integer({ description: "Chunks of the new index." }),
    tokens: Type.Integer({ description: "About as many tokens are sent to the model." }),
    memory_bytes: Type.Integer({ description: "About as much is taken by the new vectors, in memory and on disk." }),
    seconds: nullable(
      Type.Integer({
        description:
          "About as long as it takes, by what a few chunks took just now; null where the model did not answer.",
      }),
    ),
    cost_usd: nullable(
      Type.Number({ description: "By the price list; null where nothing is paid, or the price is not known." }),
    ),
    sampled_chunks: Type.Integer({ description: "Chunks that were embedded for it." }),
  },
  { $id: "MigrationEstimate", description: "What a migration would cost. Nothing is built." },
);
export type MigrationEstimate = Static<typeof MigrationEstimate>;

const ChangedHit = Type.Object(
  {
    file_id: Type.String(),
    filename: Type.String(),
    start_offset: Type.Integer({ description: "Code points into the file's `/content`." }),
    end_offset: Type.Integer(),
    excerpt: Type.String({ description: "The beginning of the passage." }),
  },
  { $id: "MigrationChangedHit" },
);

export const MigrationChange = Type.Object(
  {
    query: Type.String(),
    overlap_at_10: Type.Number(),
    from: Type.Array(ChangedHit, { description: "What the old index finds, best first." }),
    to: Type.Array(ChangedHit, { description: "What the new one finds." }),
  },
  { $id: "MigrationChange" },
);
export type MigrationChange = Static<typeof MigrationChange>;

export const MigrationChanges = Type.Object(
  { object: Type.Literal("list"), data: Type.Array(MigrationChange) },
  { $id: "MigrationChangeList" },
);
