import { batchesTable } from "./batches.ts";
import { chunkTermsTable } from "./chunk-terms.ts";
import { chunksTable } from "./chunks.ts";
import { deletionsTable } from "./deletions.ts";
import { embeddingCacheTable } from "./embedding-cache.ts";
import { evaluationsTable } from "./evaluations.ts";
import { filesTable } from "./files.ts";
import { generationFilesTable } from "./generation-files.ts";
import { generationsTable } from "./generations.ts";
import { type IndexReads, indexReads } from "./index-reads.ts";
import { jobsTable } from "./jobs.ts";
import { judgmentsTable } from "./judgments.ts";
import { migrationsTable } from "./migration-table.ts";
import { queryLogTable } from "./query-log.ts";
import type { Database, Durability, Sql, Tx } from "./sql.ts";
import { statisticsTable } from "./statistics.ts";
import { storeFilesTable } from "./store-files.ts";
import { storesTable } from "./stores.ts";
import { tenantsTable } from "./tenants.ts";
import { uploadsTable } from "./uploads.ts";

/** Every table over one database, or over one transaction. Functions on what a tenant owns take its id first. */
function makeTables(sql: Sql) {
  return {
    tenants: tenantsTable(sql),
    files: filesTable(sql),
    uploads: uploadsTable(sql),
    stores: storesTable(sql),
    generations: generationsTable(sql),
    generationFiles: generationFilesTable(sql),
    migrations: migrationsTable(sql),
    storeFiles: storeFilesTable(sql),
    batches: batchesTable(sql),
    chunks: chunksTable(sql),
    chunkTerms: chunkTermsTable(sql),
    jobs: jobsTable(sql),
    queryLog: queryLogTable(sql),
    judgments: judgmentsTable(sql),
    evaluations: evaluationsTable(sql),
    statistics: statisticsTable(sql),
    deletions: deletionsTable(sql),
    embeddingCache: embeddingCacheTable(sql),
  };
}

export type Tables = ReturnType<typeof makeTables>;

const made = new WeakMap<Sql, Tables>();

/** The tables over a database or a transaction, made once of each. */
export function tablesOf(sql: Sql): Tables {
  let tables = made.get(sql);
  if (tables === undefined) made.set(sql, (tables = makeTables(sql)));
  return tables;
}

/** The tables, each function a transaction of its own, and the way to make several of them one. */
export interface Storage extends Tables {
  /** `fn` uses the tables that it is given, and awaits nothing else (sql.ts). Functions that are part of it take them. */
  transaction<T>(fn: (tables: Tables, tx: Tx) => Promise<T>, durability?: Durability): Promise<T>;
  /** For indexes in memory. */
  readonly indexReads: IndexReads;
  settleErased(): Promise<void>;
  /** Gives up to `pages` free pages (4 KiB each) back to the file system. */
  reclaim(pages: number): Promise<void>;
}

export function createStorage(db: Database): Storage {
  return {
    ...tablesOf(db),
    transaction: (fn, durability) => db.transaction((tx) => fn(tablesOf(tx), tx), durability),
    indexReads: indexReads(db.now),
    settleErased: () => db.settleErased(),
    reclaim: (pages) => db.reclaim(pages),
  };
}
