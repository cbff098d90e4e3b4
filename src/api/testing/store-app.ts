import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { EmbedResult } from "../../embed/provider.ts";
import { embedFailure } from "../../embed/provider.ts";
import { normaliseRow } from "../../embed/vectors.ts";
import { encodeTerms } from "../../index/analyzer.ts";
import { IndexRegistry } from "../../index/registry.ts";
import { StoreIndex } from "../../index/store-index.ts";
import { createChanges } from "../../platform/changes.ts";
import { newId } from "../../platform/ids.ts";
import { silentLog } from "../../platform/log.ts";
import { createMetrics } from "../../platform/metrics.ts";
import { createBlobs } from "../../storage/blobs.ts";
import { floatsOf } from "../../storage/chunks.ts";
import { openDb } from "../../storage/db.ts";
import type { GenerationRow } from "../../storage/generations.ts";
import type { Storage } from "../../storage/storage.ts";
import { createStorage } from "../../storage/storage.ts";
import type { StoreFileRow } from "../../storage/store-files.ts";
import { createApp } from "../../http/app.ts";
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
import type { KnownModel, ModelCatalog } from "../models/service.ts";
import { modelsService } from "../models/service.ts";
import { hashKey } from "../../http/plugins/auth.ts";
import { rerankOperations } from "../rerank/routes.ts";
import { rerankService } from "../rerank/service.ts";
import { searchOperations } from "../search/routes.ts";
import type { SearchRecord } from "../../search/search.ts";
import { searchService } from "../../search/search.ts";
import { attacher } from "../vector-store-files/attach.ts";
import { storeFileOperations } from "../vector-store-files/routes.ts";
import { storeFilesService } from "../vector-store-files/service.ts";
import { storeAccess } from "../vector-stores/access.ts";
import { storeOperations } from "../vector-stores/routes.ts";
import { storesService } from "../vector-stores/service.ts";
import { testRankers } from "./rankers.ts";

/**
 * The store part of the API over a real database and real indexes in a directory of its own, for tests. Nothing runs
 * in the background: a test says itself when a file has been indexed (`finish`) and with which chunks.
 */
export type StoreApp = ReturnType<typeof storeApp>;

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

export const DIMENSIONS = 64;
const MODEL = "words-64";
const CREATED = 1_700_000_000;

export const WRITER = "sk-test-write-0123456789";
const CALLERS: Record<string, Partial<Caller>> = {
  [WRITER]: {},
  "sk-test-read-0123456789": { keyId: "key_read", role: "read" },
  "sk-test-admin-0123456789": { keyId: "key_admin", role: "admin", isOperator: true },
  "sk-test-other-0123456789": { keyId: "key_other", tenantId: "ten_b" },
};

export function storeApp(options: StoreAppOptions = {}) {
  const dataDir = mkdtempSync(join(tmpdir(), "lectern-stores-"));
  const db = openDb(join(dataDir, "meta.sqlite"));
  // These tests are not about power cuts, and a disk may take 10 ms to flush.
  db.raw.run("PRAGMA synchronous = OFF");
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
    load: (_store, id) => Promise.resolve(loadIndex(storage, id)),
  });
  const reload = (file: StoreFileRow, generation: GenerationRow) => {
    indexes.apply(file.store_id, generation.id, (index) => addFile(storage, index, file, generation));
  };
  const forEachIndex = (storeId: string, write: (index: StoreIndex) => void) => {
    for (const generation of storage.generations.idsOfStore(storeId)) indexes.apply(storeId, generation, write);
  };

  const access = storeAccess({ stores: storage.stores, clock });
  const attach = attacher({
    ...storage,
    clock,
    index: {
      removeFile: (storeId, storeFile) => forEachIndex(storeId, (index) => index.removeFile(storeFile)),
      setAttributes: (storeId, storeFile, { attributes }) =>
        forEachIndex(storeId, (index) => index.setAttributes(storeFile, attributes)),
    },
    wakeJobs: () => {},
    cancelIngest: (storeFile) => cancelled.push(storeFile),
    notify: changes.notify,
    maxFilesPerStore: () => options.maxFilesPerStore ?? null,
    maxQueuedFiles: options.maxQueuedFiles ?? 1_000_000,
    queuedFiles: () => storage.jobs.depth().find(({ kind }) => kind === "ingest")?.waiting ?? 0,
  });
  const progressOf = (storeFile: number) => progress.get(storeFile) ?? null;
  const stores = storesService({
    ...storage,
    clock,
    access,
    attacher: attach,
    cursors,
    models: CATALOG,
    storeLimits: () => ({ perTenant: options.maxStores ?? null, perKey: null }),
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
    indexes,
    isEnglishModel: () => false,
    unrelatedCosine: () => 0,
    rankers,
    embedQuery: async ({ id }, text) => {
      const result = await embed(id, [text]);
      return result.ok ? { ok: true, vector: result.texts[0]?.vectors ?? new Float32Array(DIMENSIONS) } : result;
    },
    onSearch: (record) => searches.push(record),
  });
  const inserter = vectorInserter({ ...storage, blobs, clock, access, embed, reload, notify: changes.notify });
  const rerank = rerankService({
    rankers,
    bundled: { embed, model: MODEL },
    bundledName: "lectern-rank",
    onRerank: ({ model, ok }) => metrics.count("reranks", { model, ok: String(ok) }),
  });
  const poll = { changes, pollAfterMs: () => 100 };
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
    /** Runs before every embedding, for what happens while a search waits for its vector. */
    onEmbed(effect: () => void) {
      beforeEmbed = effect;
    },
    async call(method: string, path: string, body?: unknown, headers: Record<string, string> = {}): Promise<Answer> {
      const response = await request(method, path, body, headers);
      const text = await response.text();
      return { status: response.status, headers: response.headers, json: text === "" ? null : JSON.parse(text) };
    },
    /** An uploaded file; its bytes are not there. */
    file(filename = "notes.txt", tenantId = "ten_a"): string {
      const id = newId("file-");
      const row = { id, tenant_id: tenantId, filename, bytes: 100, purpose: "assistants", mime: null, sha256: "0" };
      storage.files.insert({ ...row, created_at: time.seconds, expires_at: null });
      return id;
    },
    /** What the ingest does: these chunks, one line apart, are the file's text; it is completed and searchable. */
    finish(storeId: string, fileId: string, texts: readonly string[]): void {
      const { file, generation } = rowsOf(storage, storeId, fileId);
      storage.db.transaction(() => {
        complete(storage, file, generation, texts);
        storage.jobs.drop(file.tenant_id, "ingest", String(file.seq));
        storage.db.onCommit(() => {
          reload(file, generation);
          changes.notify(storeId);
        });
      });
    },
    fail(storeId: string, fileId: string): void {
      const { file } = rowsOf(storage, storeId, fileId);
      storage.storeFiles.fail(
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
      storage.db.close();
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

const KNOWN: KnownModel = {
  name: MODEL,
  type: "embedding",
  model: MODEL,
  revision: "r1",
  dimensions: DIMENSIONS,
  maxTokens: 512,
  location: "bundled",
  ownedBy: "lectern",
  created: CREATED,
};
const NAMES = [MODEL, "text-embedding-3-small", "text-embedding-3-large"];

const CATALOG: ModelCatalog = {
  list: () => NAMES.flatMap((name) => CATALOG.get(name) ?? []),
  get: (name) => (NAMES.includes(name) ? { ...KNOWN, name, location: name === MODEL ? "bundled" : "alias" } : null),
  choose(name, dimensions) {
    if (name !== null && !NAMES.includes(name)) {
      return { ok: false, reason: "unknown", message: `Unknown embedding model '${name}'.` };
    }
    // Zeros follow the vectors under other names than the model's own.
    const most = name === null || name === MODEL ? DIMENSIONS : 4096;
    if (dimensions !== null && dimensions > most) {
      return { ok: false, reason: "dimensions", message: `At most ${most} dimensions.` };
    }
    return { ok: true, name: name ?? MODEL, model: MODEL, revision: "r1", dimensions: dimensions ?? DIMENSIONS };
  },
  remove: () => false,
};

/** A bag of words: texts that share words are near each other. */
export function vectorOf(text: string): Float32Array {
  const vector = new Float32Array(DIMENSIONS);
  for (const word of text.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? []) {
    const at = Number(Bun.hash(word) % BigInt(DIMENSIONS));
    vector[at] = (vector[at] ?? 0) + 1;
  }
  normaliseRow(vector, 0, DIMENSIONS);
  return vector;
}

function rowsOf(storage: Storage, storeId: string, fileId: string): { file: StoreFileRow; generation: GenerationRow } {
  const [file] = storage.storeFiles.ofFile("ten_a", fileId).filter((row) => row.store_id === storeId);
  const store = storage.stores.get("ten_a", storeId);
  const generation = store?.live_generation == null ? null : storage.generations.byId(store.live_generation);
  if (file === undefined || generation === null) throw new Error(`${fileId} is not in ${storeId}`);
  return { file, generation };
}

function complete(storage: Storage, file: StoreFileRow, generation: GenerationRow, texts: readonly string[]): void {
  const owner = { storeFile: file.seq, chunkSet: generation.chunk_set, revision: file.revision };
  let start = 0;
  const chunks = texts.map((text, idx) => {
    const end = start + [...text].length;
    const terms = encodeTerms({ text, heading: [], title: "" });
    const chunk = {
      idx,
      text,
      tokens: text.length,
      start,
      end,
      page: idx + 1,
      pageEnd: idx + 1,
      line: null,
      lineEnd: null,
      heading: ["Top"],
      terms,
    };
    start = end + 1;
    return chunk;
  });
  storage.chunks.add({ tenantId: file.tenant_id, storeId: file.store_id, ...owner }, chunks);
  const rows = storage.chunks.withoutVector(file.tenant_id, owner, generation.id, texts.length);
  const vectors = rows.map(({ id, text }) => ({ chunkId: id, data: vectorOf(text).slice(0, generation.dimensions) }));
  storage.chunks.addVectors(file.tenant_id, generation.id, vectors);
  const usageBytes = texts.join("").length + texts.length * generation.dimensions * 4;
  const result = { usageBytes, chunks: texts.length, vectors: texts.length };
  if (!storage.storeFiles.complete(file.tenant_id, file.seq, file.revision, result)) throw new Error("not in progress");
}

function loadIndex(storage: Storage, generationId: number): StoreIndex {
  const generation = storage.generations.byId(generationId);
  if (generation === null) throw new Error("no such generation");
  const index = new StoreIndex({
    dimensions: generation.dimensions,
    fetchVectors: (ids) => ids.map((id) => storage.chunks.vector(id, generation.id)),
  });
  for (const { seq } of storage.chunks.completedFiles(generation.tenant_id, generation.store_id, 0, 10_000)) {
    const file = storage.storeFiles.bySeq(generation.tenant_id, seq);
    if (file !== null) addFile(storage, index, file, generation);
  }
  return index;
}

function addFile(storage: Storage, index: StoreIndex, file: StoreFileRow, generation: GenerationRow): void {
  const owner = { storeFile: file.seq, chunkSet: generation.chunk_set, revision: file.revision };
  const rows = storage.chunks.forIndex(file.tenant_id, owner, generation.id, 0, 10_000);
  index.addFile({
    fileKey: file.seq,
    fileId: file.file_id,
    filename: file.filename,
    attributes: file.attributes === null ? {} : JSON.parse(file.attributes),
    chunks: rows.map((row) => ({ chunkId: row.chunk_id, terms: row.terms, vectors: floatsOf(row.data) })),
  });
}

function keyOf(key: string): string {
  return Buffer.from(hashKey(key)).toString("hex");
}
