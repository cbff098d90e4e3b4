/** The columns that the table modules declare are those of the schema, each with its kind and whether it may be null. */
import { afterAll, expect, test } from "bun:test";
import { ASSISTANT } from "./assistants.ts";
import { FILE_BATCH, FILE_BATCH_MEMBER } from "./batches.ts";
import { CHUNK, CHUNK_ATTRIBUTES, CHUNK_TERMS, VECTOR } from "./chunks.ts";
import { CONSOLE_PASS } from "./console-passes.ts";
import { CONVERSATION } from "./conversations.ts";
import { DELETION, DELETION_FILE, DELETION_RANGE } from "./deletions.ts";
import { EMBEDDING_CACHE, EMBEDDING_CACHE_SIZE } from "./embedding-cache.ts";
import { EVALUATION_RESULT } from "./evaluation-results.ts";
import { EVALUATION } from "./evaluations.ts";
import { FILE, USAGE } from "./files.ts";
import { GENERATION_FILE } from "./generation-files.ts";
import { GENERATION } from "./generations.ts";
import { HELD } from "./held.ts";
import { INSTANCE } from "./instance.ts";
import { JOB, JOB_COUNT } from "./jobs.ts";
import { JUDGMENT } from "./judgments.ts";
import { API_KEY } from "./keys.ts";
import { LIST_PLACE } from "./list-places.ts";
import { MIGRATION } from "./migration-table.ts";
import { QUERY_LOG, QUERY_LOG_SIZE } from "./query-log.ts";
import { COMMIT_MARK } from "./postgres/commit-outcome.ts";
import { DUTY, RATE, REPLICA } from "./replicas.ts";
import { RESPONSE_SOURCE } from "./response-sources.ts";
import { RESPONSE_STEP } from "./response-steps.ts";
import { RESPONSE, RESPONSE_ITEM } from "./responses.ts";
import { RUN_STEP } from "./run-steps.ts";
import { RUN } from "./runs.ts";
import { SHOWN_ID } from "./shown-ids.ts";
import { openSqlite } from "./sqlite.ts";
import { INGEST_HOUR, QUERY_HOUR } from "./statistics.ts";
import { STORE_CHANGE } from "./store-changes.ts";
import { STORE_FILE } from "./store-files.ts";
import { VECTOR_STORE } from "./stores.ts";
import type { Column, Columns, Table } from "./table.ts";
import { THREAD_MESSAGE } from "./thread-messages.ts";
import { THREAD_SOURCE } from "./thread-sources.ts";
import { THREAD } from "./threads.ts";
import { TENANT } from "./tenants.ts";
import { UPLOAD, UPLOAD_PART } from "./uploads.ts";

const TABLES: readonly Table<Columns>[] = [
  INSTANCE,
  TENANT,
  API_KEY,
  FILE,
  USAGE,
  UPLOAD,
  UPLOAD_PART,
  VECTOR_STORE,
  GENERATION,
  GENERATION_FILE,
  STORE_FILE,
  STORE_CHANGE,
  FILE_BATCH,
  FILE_BATCH_MEMBER,
  CHUNK,
  CHUNK_TERMS,
  CHUNK_ATTRIBUTES,
  VECTOR,
  JOB,
  JOB_COUNT,
  MIGRATION,
  QUERY_LOG,
  QUERY_LOG_SIZE,
  SHOWN_ID,
  QUERY_HOUR,
  INGEST_HOUR,
  JUDGMENT,
  EVALUATION,
  EVALUATION_RESULT,
  DELETION,
  DELETION_FILE,
  DELETION_RANGE,
  EMBEDDING_CACHE,
  EMBEDDING_CACHE_SIZE,
  CONVERSATION,
  RESPONSE,
  RESPONSE_ITEM,
  RESPONSE_SOURCE,
  RESPONSE_STEP,
  HELD,
  CONSOLE_PASS,
  LIST_PLACE,
  ASSISTANT,
  THREAD,
  THREAD_MESSAGE,
  RUN,
  RUN_STEP,
  THREAD_SOURCE,
  REPLICA,
  DUTY,
  RATE,
  COMMIT_MARK,
];
const TYPES: Record<Column<unknown>["kind"], string> = {
  text: "TEXT",
  json: "TEXT",
  integer: "INTEGER",
  boolean: "INTEGER",
  blob: "BLOB",
};

const db = openSqlite(":memory:");
afterAll(() => db.close());

test.each(TABLES.map((table) => [table.name, table] as const))(
  "the columns of %s are those of the schema",
  (name, { columns }) => {
    const real = db.raw
      .query<{ name: string; type: string; notnull: number; pk: number }, []>(`PRAGMA table_info(${name})`)
      .all()
      .map((column) => ({ name: column.name, type: column.type, isNullable: column.notnull === 0 && column.pk === 0 }));
    const declared = Object.entries(columns)
      .filter(([, { from }]) => from === undefined)
      .map(([column, { kind, isNullable }]) => ({ name: column, type: TYPES[kind], isNullable }));
    const byName = (a: { name: string }, b: { name: string }) => (a.name < b.name ? -1 : 1);
    expect(declared.sort(byName)).toEqual(real.sort(byName));
  },
);

test("every table is declared", () => {
  const real = db.raw
    .query<{ name: string }, []>("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")
    .all()
    .map(({ name }) => name)
    .filter((name) => name !== "schema_version");
  expect(TABLES.map(({ name }) => name).sort()).toEqual(real.sort());
});
