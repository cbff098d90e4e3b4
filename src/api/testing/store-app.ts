import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { EmbedResult } from "../../embed/provider.ts";
import { embedFailure } from "../../embed/provider.ts";
import { IndexRegistry } from "../../index/registry.ts";
import { type Changes, createChanges } from "../../platform/changes.ts";
import { newId } from "../../platform/ids.ts";
import { silentLog } from "../../platform/log.ts";
import { counter, createMetrics } from "../../platform/metrics.ts";
import { createBlobs } from "../../storage/blobs.ts";
import { openSqlite, type SqliteDatabase } from "../../storage/sqlite.ts";
import type { GenerationRow } from "../../storage/generations.ts";
import type { Storage } from "../../storage/storage.ts";
import { createStorage } from "../../storage/storage.ts";
import type { StoreFileRow } from "../../storage/store-files.ts";
import { type App, createApp } from "../../http/app.ts";
import type { Caller } from "../../http/caller.ts";
import { vectorInserter } from "../chunks/insert.ts";
import { chunkOperations } from "../chunks/routes.ts";
import { chunksService } from "../chunks/service.ts";
import { createCursors } from "../../http/cursors.ts";
import { embeddingOperations } from "../embeddings/routes.ts";
import { embeddingsService } from "../embeddings/service.ts";
import { eventOperations } from "../events/routes.ts";
import { eventsService } from "../events/service.ts";
import { batchOperations } from "../file-batches/routes.ts";
import { batchesService } from "../file-batches/service.ts";
import { modelOperations } from "../models/routes.ts";
import { modelsService } from "../models/service.ts";
import { hashKey } from "../../http/plugins/auth.ts";
import { rerankOperations } from "../rerank/routes.ts";
import { rerankService } from "../rerank/service.ts";
import { searchOperations } from "../search/routes.ts";
import { createSearch } from "../../search/search.ts";
import type { SearchRecord } from "../search/service.ts";
import { searchService } from "../search/service.ts";
import { attacher } from "../vector-store-files/attach.ts";
import { storeFileOperations } from "../vector-store-files/routes.ts";
import { storeFilesService } from "../vector-store-files/service.ts";
import { storeAccess } from "../vector-stores/access.ts";
import { storeOperations } from "../vector-stores/routes.ts";
import { storesService } from "../vector-stores/service.ts";
import { addFile, complete, loadIndex, rowsOf } from "./ingested.ts";
import { testRankers, type TestRankers } from "./rankers.ts";
import { CATALOG, DIMENSIONS, MODEL, vectorOf } from "./word-model.ts";

/**
 * The store part of the API over a real database and real indexes in a directory of its own, for tests. Nothing runs
 * in the background: a test says itself when a file has been indexed (`finish`) and with which chunks.
 */
export interface StoreApp extends Disposable {
  app: App;
  db: SqliteDatabase;
  storage: Storage;
  clock: { seconds: number };
  changes: Changes;
  stopping: AbortController;
  /** What was searched for, in order. */
  searches: SearchRecord[];
  rankers: TestRankers;
  /** Texts that were embedded, in order. */
  embedded: string[];
  /** Store files whose ingest was stopped. */
  cancelled: number[];
  /** How far store files in progress are. */
  progress: Map<number, { stage: "embed"; done: number; total: number }>;
  /** While `reason` is set, nothing can be embedded. */
  failing: { reason: "overloaded" | "unavailable" | null };
  addKey(key: string, more: Partial<Caller>): void;
  /** A request with the writer's key unless `headers` say otherwise. */
  request(method: string, path: string, body?: unknown, headers?: Record<string, string>): Promise<Response>;
  /** The same, with the answer read. */
  call(method: string, path: string, body?: unknown, headers?: Record<string, string>): Promise<Answer>;
  /** Runs before every embedding, for what happens while a search waits for its vector. */
  onEmbed(effect: () => void): void;
  /** An uploaded file; its bytes are not there. Returns its id. */
  file(filename?: string, tenantId?: string): Promise<string>;
  /** What the ingest does: these chunks, one line apart, are the file's text; it is completed and searchable. */
  finish(storeId: string, fileId: string, texts: readonly string[]): Promise<void>;
  /** The file cannot be indexed. */
  fail(storeId: string, fileId: string): Promise<void>;
}

export interface Answer {
  status: number;
  headers: Headers;
  // Tests look into bodies of every shape.
  // oxlint-disable-next-line typescript/no-explicit-any
  json: any;
}

export interface StoreAppOptions {
  maxStores?: number;
  maxFilesPerStore?: number;
  maxQueuedFiles?: number;
  maxBatchFiles?: number;
}

const RERANKS = counter("reranks", "Reranks", ["model", "ok"]);

export const WRITER = "sk-test-write-0123456789";
const CALLERS: Record<string, Partial<Caller>> = {
  [WRITER]: {},
  "sk-test-read-0123456789": { keyId: "key_read", role: "read" },
  "sk-test-admin-0123456789": { keyId: "key_admin", role: "admin", isOperator: true },
  "sk-test-other-0123456789": { keyId: "key_other", tenantId: "ten_b" },
};

export function storeApp(options: StoreAppOptions = {}): StoreApp {
  const dataDir = mkdtempSync(join(tmpdir(), "lectern-stores-"));
  // These tests are not about power cuts, and a disk may take 10 ms to flush.
  const db = openSqlite(join(dataDir, "meta.sqlite"), { flush: false });
  const storage = createStorage(db);
  const blobs = createBlobs(dataDir);
  const time = { seconds: 1_800_000_000 };
  const clock = { nowMs: () => time.seconds * 1000, nowSeconds: () => time.seconds };
  const stopping = new AbortController();
  const changes = createChanges();
  const cursors = createCursors();
  const metrics = createMetrics();
  const searches: SearchRecord[] = [];
  const embedded: string[] = [];
  const cancelled: number[] = [];
  const progress = new Map<number, { stage: "embed"; done: number; total: number }>();
  const failing: { reason: "overloaded" | "unavailable" | null } = { reason: null };
  const rankers = testRankers();
  let beforeEmbed = () => {};

  const embed = (_model: string, texts: readonly string[]): Promise<EmbedResult> => {
    if (failing.reason !== null) return Promise.resolve(embedFailure(failing.reason, "for a test", 2000));
    embedded.push(...texts);
    beforeEmbed();
    return Promise.resolve({
      ok: true,
      texts: texts.map((text) => ({ vectors: vectorOf(text), windows: 1, tokens: 1 })),
    });
  };
  const indexes = new IndexRegistry({
    budgetBytes: 1e9,
    load: (_store, id) => loadIndex(storage, id),
  });
  const reload = (file: StoreFileRow, generation: GenerationRow) => {
    indexes.apply(file.store_id, generation.id, (index) => addFile(storage.indexReads, index, file, generation));
  };

  const access = storeAccess({ stores: storage.stores, clock });
  const attach = attacher({
    ...storage,
    clock,
    index: {
      removeFile: (storeId, storeFile) => indexes.applyToStore(storeId, (index) => index.removeFile(storeFile)),
      setAttributes: (storeId, storeFile, { attributes }) =>
        indexes.applyToStore(storeId, (index) => index.setAttributes(storeFile, attributes)),
    },
    wakeJobs: () => {},
    cancelIngest: (storeFile) => cancelled.push(storeFile),
    notify: changes.notify,
    maxFilesPerStore: () => Promise.resolve(options.maxFilesPerStore ?? null),
    maxQueuedFiles: options.maxQueuedFiles ?? 1_000_000,
  });
  const progressOf = (storeFile: number) => progress.get(storeFile) ?? null;
  const stores = storesService({
    ...storage,
    clock,
    access,
    attacher: attach,
    cursors,
    models: CATALOG,
    storeLimits: () => Promise.resolve({ perTenant: options.maxStores ?? null, perKey: null }),
    indexType: () => "exact",
    setIndexMode: () => {},
    wakeJobs: () => {},
    notify: changes.notify,
  });
  const storeFiles = storeFilesService({ ...storage, access, attacher: attach, cursors, progressOf });
  const batches = batchesService({
    ...storage,
    clock,
    access,
    attacher: attach,
    files: storeFiles,
    maxBatchFiles: options.maxBatchFiles ?? 2000,
  });
  const search = searchService({
    ...storage,
    clock,
    access,
    rankers,
    search: createSearch({
      ...storage,
      indexes,
      rankers,
      isEnglishModel: () => false,
      unrelatedCosine: () => 0,
      embedQuery: async ({ id }, text) => {
        const result = await embed(id, [text]);
        return result.ok ? { ok: true, vector: result.texts[0]?.vectors ?? new Float32Array(DIMENSIONS) } : result;
      },
    }),
    onSearch: (record) => searches.push(record),
  });
  const inserter = vectorInserter({
    ...storage,
    blobs,
    clock,
    access,
    embed,
    outdate: () => Promise.resolve(),
    reload,
    notify: changes.notify,
  });
  const rerank = rerankService({
    rankers,
    bundled: { embed, model: MODEL },
    bundledName: "lectern-rank",
    onRerank: ({ model, ok }) => metrics.count(RERANKS, { model, ok: String(ok) }),
  });
  const poll = { changes, pollAfterMs: () => Promise.resolve(100) };
  const callers = new Map<string, Caller>();
  const addKey = (key: string, more: Partial<Caller>) => callers.set(keyOf(key), { ...DEFAULT_CALLER, ...more });
  for (const [key, more] of Object.entries(CALLERS)) addKey(key, more);

  const app = createApp({
    operations: [
      ...storeOperations(stores, poll),
      ...storeFileOperations(storeFiles, poll),
      ...batchOperations(batches, poll),
      ...searchOperations(search),
      ...rerankOperations(rerank),
      ...embeddingOperations(embeddingsService({ models: CATALOG, embed })),
      ...modelOperations(modelsService({ models: CATALOG, ...storage, rescan: () => Promise.resolve([]) })),
      ...chunkOperations(chunksService({ ...storage, access, cursors }), inserter),
      ...eventOperations(eventsService({ ...storage, access, batchesService: batches, changes, progressOf })),
    ],
    authenticate: (sha256) => callers.get(Buffer.from(sha256).toString("hex")) ?? null,
    log: silentLog,
    metrics,
    dialect: "openai",
    stopping: stopping.signal,
    maxJsonBytes: 1024 * 1024,
    maxRequestsPerKey: null,
    slowRequestMs: 60_000,
  });

  const request = (method: string, path: string, body?: unknown, headers: Record<string, string> = {}) => {
    const init: RequestInit = { method, headers: { authorization: `Bearer ${WRITER}`, ...headers } };
    if (body !== undefined) init.body = JSON.stringify(body);
    return app.handle(new Request(`http://localhost${path}`, init));
  };

  return {
    app,
    db,
    storage,
    clock: time,
    changes,
    stopping,
    searches,
    rankers,
    embedded,
    cancelled,
    progress,
    failing,
    addKey,
    request,
    onEmbed(effect) {
      beforeEmbed = effect;
    },
    async call(method, path, body, headers = {}) {
      const response = await request(method, path, body, headers);
      const text = await response.text();
      return { status: response.status, headers: response.headers, json: text === "" ? null : JSON.parse(text) };
    },
    async file(filename = "notes.txt", tenantId = "ten_a") {
      const id = newId("file-");
      const row = { id, tenant_id: tenantId, filename, bytes: 100, purpose: "assistants", mime: null, sha256: "0" };
      await storage.files.insert({ ...row, created_at: time.seconds, expires_at: null });
      return id;
    },
    async finish(storeId, fileId, texts) {
      const { file, generation } = await rowsOf(storage, storeId, fileId);
      await storage.transaction(async (tables, tx) => {
        await complete(tables, file, generation, texts);
        await tables.jobs.drop(file.tenant_id, "ingest", String(file.seq));
        tx.onCommit(() => {
          reload(file, generation);
          changes.notify(storeId);
        });
      });
    },
    async fail(storeId, fileId) {
      const { file } = await rowsOf(storage, storeId, fileId);
      await storage.storeFiles.fail(
        file.tenant_id,
        file.seq,
        file.revision,
        "unsupported_file",
        "The file type is not supported.",
      );
      changes.notify(storeId);
    },
    [Symbol.dispose]() {
      indexes.close();
      void db.close();
      rmSync(dataDir, { recursive: true, force: true });
    },
  };
}

const DEFAULT_CALLER: Caller = {
  keyId: "key_write",
  tenantId: "ten_a",
  role: "write",
  storeIds: null,
  dialect: null,
  tenantStatus: "active",
};

function keyOf(key: string): string {
  return Buffer.from(hashKey(key)).toString("hex");
}
