import { type AsksTable, asksTable } from "./asks.ts";
import { type AssistantsTable, assistantsTable } from "./assistants.ts";
import { type BatchesTable, batchesTable } from "./batches.ts";
import { type ChunksTable, chunksTable } from "./chunk-table.ts";
import { type ChunkTermsTable, chunkTermsTable } from "./chunk-terms.ts";
import { type ConsolePassesTable, consolePassesTable } from "./console-passes.ts";
import { type ConversationsTable, conversationsTable } from "./conversations.ts";
import { type DeletionsTable, deletionsTable } from "./deletions.ts";
import { type EmbeddingCacheTable, embeddingCacheTable } from "./embedding-cache.ts";
import { type EvaluationResultsTable, evaluationResultsTable } from "./evaluation-results.ts";
import { type EvaluationsTable, evaluationsTable } from "./evaluations.ts";
import { type FilesTable, filesTable } from "./files.ts";
import { type GenerationFilesTable, generationFilesTable } from "./generation-files.ts";
import { type GenerationsTable, generationsTable } from "./generations.ts";
import { type HeldTable, heldTable } from "./held.ts";
import { type IndexReads, indexReads } from "./index-reads.ts";
import { type InstanceTable, instanceTable } from "./instance.ts";
import { jobsTable } from "./job-table.ts";
import type { JobsTable } from "./jobs.ts";
import { type JudgmentsTable, judgmentsTable } from "./judgments.ts";
import { type ListPlacesTable, listPlacesTable } from "./list-places.ts";
import { type MigrationsTable, migrationsTable } from "./migration-table.ts";
import { type QueryLogTable, queryLogTable } from "./query-log.ts";
import { type ReplicasTable, replicasTable } from "./replicas.ts";
import { type ResponseSourcesTable, responseSourcesTable } from "./response-sources.ts";
import { type ResponseStepsTable, responseStepsTable } from "./response-steps.ts";
import { type ResponsesTable, responsesTable } from "./responses.ts";
import { type RunsTable, runsTable } from "./runs.ts";
import { type StepsTable, stepsTable } from "./run-steps.ts";
import { SHOWN_ID_ROW, type ShownIds, shownIds } from "./shown-ids.ts";
import type { Database, Durability, Sql, Tx } from "./sql.ts";
import { type StatisticsTable, statisticsTable } from "./statistics.ts";
import { type StoreChangesTable, storeChangesTable } from "./store-changes.ts";
import { type StoreFilesTable, storeFilesTable } from "./store-files.ts";
import { type StoresTable, storesTable } from "./stores.ts";
import { type TenantsTable, tenantsTable } from "./tenants.ts";
import { type MessagesTable, messagesTable } from "./thread-messages.ts";
import { type ThreadSourcesTable, threadSourcesTable } from "./thread-sources.ts";
import { type ThreadsTable, threadsTable } from "./threads.ts";
import { type UploadsTable, uploadsTable } from "./uploads.ts";

/** Every table over one database, or over one transaction. Functions on what a tenant owns take its id first. */
export interface Tables {
  readonly instance: InstanceTable;
  readonly tenants: TenantsTable;
  readonly files: FilesTable;
  readonly uploads: UploadsTable;
  readonly stores: StoresTable;
  readonly generations: GenerationsTable;
  readonly generationFiles: GenerationFilesTable;
  readonly migrations: MigrationsTable;
  readonly storeFiles: StoreFilesTable;
  readonly storeChanges: StoreChangesTable;
  readonly batches: BatchesTable;
  readonly chunks: ChunksTable;
  readonly chunkTerms: ChunkTermsTable;
  readonly jobs: JobsTable;
  readonly queryLog: QueryLogTable;
  readonly judgments: JudgmentsTable;
  readonly evaluations: EvaluationsTable;
  readonly evaluationResults: EvaluationResultsTable;
  readonly statistics: StatisticsTable;
  readonly deletions: DeletionsTable;
  readonly embeddingCache: EmbeddingCacheTable;
  readonly responses: ResponsesTable;
  readonly conversations: ConversationsTable;
  readonly responseSources: ResponseSourcesTable;
  readonly responseSteps: ResponseStepsTable;
  readonly asks: AsksTable;
  readonly held: HeldTable;
  readonly consolePasses: ConsolePassesTable;
  readonly listPlaces: ListPlacesTable;
  readonly assistants: AssistantsTable;
  readonly threads: ThreadsTable;
  readonly messages: MessagesTable;
  readonly runs: RunsTable;
  readonly steps: StepsTable;
  readonly threadSources: ThreadSourcesTable;
  readonly replicas: ReplicasTable;
}

function makeTables(sql: Sql): Tables {
  return {
    instance: instanceTable(sql),
    tenants: tenantsTable(sql),
    files: filesTable(sql),
    uploads: uploadsTable(sql),
    stores: storesTable(sql),
    generations: generationsTable(sql),
    generationFiles: generationFilesTable(sql),
    migrations: migrationsTable(sql),
    storeFiles: storeFilesTable(sql),
    storeChanges: storeChangesTable(sql),
    batches: batchesTable(sql),
    chunks: chunksTable(sql),
    chunkTerms: chunkTermsTable(sql),
    jobs: jobsTable(sql),
    queryLog: queryLogTable(sql),
    judgments: judgmentsTable(sql),
    evaluations: evaluationsTable(sql),
    evaluationResults: evaluationResultsTable(sql),
    statistics: statisticsTable(sql),
    deletions: deletionsTable(sql),
    embeddingCache: embeddingCacheTable(sql),
    responses: responsesTable(sql),
    conversations: conversationsTable(sql),
    responseSources: responseSourcesTable(sql),
    responseSteps: responseStepsTable(sql),
    asks: asksTable(sql),
    held: heldTable(sql),
    consolePasses: consolePassesTable(sql),
    listPlaces: listPlacesTable(sql),
    assistants: assistantsTable(sql),
    threads: threadsTable(sql),
    messages: messagesTable(sql),
    runs: runsTable(sql),
    steps: stepsTable(sql),
    threadSources: threadSourcesTable(sql),
    replicas: replicasTable(sql),
  };
}

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
  readonly shownIds: ShownIds;
  settleErased(): Promise<void>;
  /** All that was committed so far survives a power cut from then on (sql.ts). */
  makeDurable(): Promise<void>;
  /** Gives up to `pages` free pages (4 KiB each) back to the file system. */
  reclaim(pages: number): Promise<void>;
}

/** What is read of a database beside its tables. */
export type BesideTables = Pick<Storage, "indexReads" | "shownIds">;

/** `ofTransaction`: the tables over a transaction, where they are more than the database's. */
export function createStorage(
  db: Database,
  beside: BesideTables = { indexReads: indexReads(db.now), shownIds: shownIds(db.now.all(SHOWN_ID_ROW)) },
  ofTransaction: (sql: Sql) => Tables = tablesOf,
): Storage {
  return {
    ...ofTransaction(db),
    transaction: (fn, durability) => db.transaction((tx) => fn(ofTransaction(tx), tx), durability),
    ...beside,
    settleErased: () => db.settleErased(),
    makeDurable: () => db.makeDurable(),
    reclaim: (pages) => db.reclaim(pages),
  };
}
