import { batchesTable } from "./batches.ts";
import { chunkTermsTable } from "./chunk-terms.ts";
import { chunksTable } from "./chunks.ts";
import type { Db } from "./db.ts";
import { deletionsTable } from "./deletions.ts";
import { embeddingCacheTable } from "./embedding-cache.ts";
import { evaluationsTable } from "./evaluations.ts";
import { filesTable } from "./files.ts";
import { generationFilesTable } from "./generation-files.ts";
import { generationsTable } from "./generations.ts";
import { jobsTable } from "./jobs.ts";
import { judgmentsTable } from "./judgments.ts";
import { migrationsTable } from "./migration-table.ts";
import { queryLogTable } from "./query-log.ts";
import { statisticsTable } from "./statistics.ts";
import { storeFilesTable } from "./store-files.ts";
import { storesTable } from "./stores.ts";
import { tenantsTable } from "./tenants.ts";
import { uploadsTable } from "./uploads.ts";

/** Every table over one connection. Functions that read or change what a tenant owns take its id first. */
export function createStorage(db: Db) {
  return {
    db,
    tenants: tenantsTable(db),
    files: filesTable(db),
    uploads: uploadsTable(db),
    stores: storesTable(db),
    generations: generationsTable(db),
    generationFiles: generationFilesTable(db),
    migrations: migrationsTable(db),
    storeFiles: storeFilesTable(db),
    batches: batchesTable(db),
    chunks: chunksTable(db),
    chunkTerms: chunkTermsTable(db),
    jobs: jobsTable(db),
    queryLog: queryLogTable(db),
    judgments: judgmentsTable(db),
    evaluations: evaluationsTable(db),
    statistics: statisticsTable(db),
    deletions: deletionsTable(db),
    embeddingCache: embeddingCacheTable(db),
  };
}

export type Storage = ReturnType<typeof createStorage>;
