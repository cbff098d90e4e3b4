/**
 * What jobs work with, for tests: a database of its own, uploaded bytes in a temporary directory, indexes in memory, a
 * model and a parser that need no model and no worker. All of it is the real thing but the last two.
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { IndexRegistry } from "../../index/registry.ts";
import type { Failpoint, FailpointName } from "../../platform/failpoint.ts";
import { type BlobDirectory, createBlobs } from "../../storage/blob-directory.ts";
import type { GenerationRow } from "../../storage/generations.ts";
import type { JobKind } from "../../storage/jobs.ts";
import { createParsedCache, type ParsedCache } from "../../storage/parsed.ts";
import { openSqlite, type SqliteDatabase } from "../../storage/sqlite.ts";
import { createStorage, type Storage } from "../../storage/storage.ts";
import type { StoreFileRow } from "../../storage/store-files.ts";
import { insertGeneration, insertStore, insertStoreFile } from "../../storage/testing/rows.ts";
import { cachedPassages } from "../cached-passages.ts";
import { type CatchUpDeps, createCatchUpHandler } from "../catch-up.ts";
import { createIngestHandler, type IngestDeps, type IndexWrites } from "../ingest.ts";
import { IngestBrake } from "../ingest-brake.ts";
import { addSlice, loadIndex, replaceFile } from "../load-index.ts";
import { createMigrateHandler, type MigrateDeps } from "../migrate.ts";
import { ProgressBoard } from "../progress.ts";
import { createPurgeFileHandler, createPurgeStoreHandler } from "../purge.ts";
import { createRetireHandler } from "../retire.ts";
import type { JobHandler, JobOutcome } from "../runner.ts";
import { HashModel } from "./hash-model.ts";
import { WordParser } from "./word-parser.ts";

export const TENANT = "ten_a";
export const STORE = "vs_a";
export const MODEL = { model: "m", modelRevision: "r1", dimensions: 8 };
const OWNER = "this run";
const NEVER = new AbortController().signal;

/** How workshops that are made from now on keep vectors, if nothing else is said: of chunks, or of windows that chunks share. */
export const form: { windowTokens: number | null; overlapTokens: number } = { windowTokens: null, overlapTokens: 0 };

/** The process ended as if the power went. */
export class Killed extends Error {
  override name = "Killed";
}

export class Workshop implements AsyncDisposable {
  readonly dir: string;
  readonly db: SqliteDatabase;
  readonly storage: Storage;
  readonly blobs: BlobDirectory;
  readonly parsed: ParsedCache;
  readonly indexes: IndexRegistry;
  readonly model = new HashModel(form.windowTokens);
  readonly parser = new WordParser();
  readonly progress = new ProgressBoard();
  readonly brake: IngestBrake;
  /** Stores of which somebody was told that they changed. */
  readonly changed: string[] = [];
  readonly forgotten: number[] = [];
  /** The order in which failpoints were passed. */
  readonly passed: FailpointName[] = [];
  nowMs = 1_800_000_000_000;
  isCached = false;
  released = 0;
  readonly #ownsDir: boolean;
  #isClosed = false;
  #kill: { at: FailpointName; left: number } | null = null;
  /** What the database held when the process was killed. */
  #left: Uint8Array | null = null;

  /** `before`: a workshop that was killed; this one finds what it left. */
  constructor(before?: Workshop) {
    this.#ownsDir = before === undefined;
    this.dir = before?.dir ?? mkdtempSync(join(tmpdir(), "lectern-jobs-"));
    mkdirSync(join(this.dir, "tmp"), { recursive: true });
    this.db = before === undefined ? openSqlite(":memory:") : openSqlite(before.#leftBehind(), { flush: false });
    this.storage = createStorage(this.db);
    this.blobs = createBlobs(this.dir);
    this.parsed = createParsedCache(this.dir);
    this.brake = new IngestBrake(() => void (this.released += 1));
    const { storage } = this;
    this.indexes = new IndexRegistry({
      budgetBytes: 2 ** 30,
      load: async (_storeId, id, signal) => {
        const generation = await storage.generations.byId(id);
        if (generation === null) throw new Error("no such generation");
        return await loadIndex({ storage }, generation, signal);
      },
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.indexes.close();
    await this.db.close();
    if (this.#ownsDir) rmSync(this.dir, { recursive: true, force: true });
  }

  readonly clock = { nowMs: () => this.nowMs, nowSeconds: () => Math.floor(this.nowMs / 1000) };

  readonly failpoint: Failpoint = (name) => {
    if (this.#left !== null) throw new Killed("nothing runs any more");
    this.passed.push(name);
    if (this.#kill?.at !== name || --this.#kill.left > 0) return;
    this.#left = this.db.raw.serialize();
    throw new Killed(name);
  };

  /** Ends "the process" when the failpoint is passed for the n-th time: what is written later is lost. */
  killAt(at: FailpointName, n = 1): void {
    this.#kill = { at, left: n };
  }

  get isKilled(): boolean {
    return this.#left !== null;
  }

  /** A store with a live generation. */
  async store(more: { dimensions?: number; windowTokens?: number | null } = {}): Promise<GenerationRow> {
    await this.storage.tenants.insert({ id: TENANT, name: "a", createdAt: 1 });
    await insertStore(this.storage, { tenantId: TENANT, id: STORE });
    const { windowTokens } = form;
    const made = { tenantId: TENANT, storeId: STORE, ...MODEL, windowTokens, ...more };
    const generation = await insertGeneration(this.storage, made);
    await this.storage.stores.setLiveGeneration(TENANT, STORE, generation.id);
    return generation;
  }

  /** Uploads a text and attaches it; nothing works on it yet. `text` null: bytes came one by one, through the API. */
  async attach(
    fileId: string,
    text: string | null,
    strategy = { maxTokens: 10, overlapTokens: form.overlapTokens },
  ): Promise<StoreFileRow> {
    const bytes = new TextEncoder().encode(text ?? "");
    const writer = await this.blobs.writer();
    await writer.write(bytes);
    const { sha256 } = await writer.commit(fileId);
    await this.storage.files.insert({
      id: fileId,
      tenant_id: TENANT,
      filename: `${fileId}.txt`,
      bytes: bytes.length,
      purpose: "assistants",
      mime: "text/plain",
      sha256,
      created_at: 1,
      expires_at: null,
    });
    const file = { tenantId: TENANT, storeId: STORE, fileId, filename: `${fileId}.txt`, fileBytes: bytes.length };
    return await insertStoreFile(this.storage, { ...file, ...strategy });
  }

  /** A file with everything that an ingest gives it. */
  async ingested(fileId: string, text: string): Promise<StoreFileRow> {
    const { seq } = await this.attach(fileId, text);
    const outcome = await this.run(this.ingest(), String(seq));
    const row = await this.storage.storeFiles.bySeq(TENANT, seq);
    if (outcome.type !== "done" || row?.status !== "completed") throw new Error(`not ingested: ${row?.error_message}`);
    return row;
  }

  /** Runs a handler on one subject, without a runner. */
  async run(
    handler: JobHandler,
    subject: string,
    { attempt = 1, signal = NEVER }: { attempt?: number; signal?: AbortSignal } = {},
  ): Promise<JobOutcome> {
    const job = { id: 1, tenant_id: TENANT, kind: handler.kind, store_id: STORE, subject, priority: 1 };
    return await handler.run({ ...job, attempt, payload: "{}" }, signal);
  }

  /** Does what is due, and what that makes due, whatever its time, as the runner would; at most 100 runs. */
  async drain(kinds: readonly JobKind[] = ["ingest", "migrate", "catch_up", "retire", "purge_file"]): Promise<number> {
    const handlers = this.handlers().filter(({ kind }) => kinds.includes(kind));
    let runs = 0;
    for (let idle = false; !idle && runs < 100;) {
      idle = true;
      for (const handler of handlers) {
        const job = await this.storage.jobs.claim(handler.kind, TENANT, Number.MAX_SAFE_INTEGER, OWNER, 0);
        if (job === null) continue;
        idle = false;
        runs += 1;
        const outcome = await handler.run(job, NEVER);
        if (outcome.type === "done") await this.storage.jobs.finish(job.id, OWNER);
        else await this.storage.jobs.retry(job.id, OWNER, this.nowMs);
      }
    }
    return runs;
  }

  handlers(): JobHandler[] {
    const { storage, failpoint } = this;
    return [
      this.ingest(),
      createMigrateHandler(this.migrateDeps()),
      createCatchUpHandler(this.catchUpDeps()),
      createRetireHandler({ storage, failpoint, forgetIndex: (...at) => this.forget(...at), removeGraph: () => {} }),
      createPurgeFileHandler({ storage }),
      createPurgeStoreHandler({ storage, removeIndexFiles: () => Promise.resolve(), cancelStore: () => {} }),
    ];
  }

  handler(kind: JobKind): JobHandler {
    const found = this.handlers().find((one) => one.kind === kind);
    if (found === undefined) throw new Error(`no handler of ${kind}`);
    return found;
  }

  ingest(more: Partial<IngestDeps> = {}): JobHandler {
    const { storage, blobs, parsed, progress, clock } = this;
    return createIngestHandler({
      storage,
      blobs,
      parsed,
      parse: this.parser,
      embed: this.embed(),
      index: this.indexWrites(),
      changed: (storeId) => this.changed.push(storeId),
      progress,
      clock,
      concurrency: 1,
      ...more,
    });
  }

  indexWrites(): IndexWrites {
    const { indexes, storage } = this;
    return {
      addChunks: (file, { id }, slice) => indexes.apply(STORE, id, (index) => addSlice(index, file, slice)),
      removeFile: (storeId, id, seq) => indexes.apply(storeId, id, (index) => index.removeFile(seq)),
      completed: () => {},
      loadOf: (storeId, id) => indexes.loadOf(storeId, id),
      replaceFile: ({ seq }, generation) =>
        indexes.apply(STORE, generation.id, (index) => replaceFile(storage.indexReads, index, { generation, seq })),
    };
  }

  embed() {
    return cachedPassages({
      embed: (model, texts, asker) => this.model.embed(model, texts, asker),
      batching: () => this.model.batching(),
      cache: this.storage.embeddingCache,
      isCached: () => this.isCached,
      onLookup: () => {},
    });
  }

  catchUpDeps(): CatchUpDeps {
    const { storage, blobs, parsed, brake, indexes } = this;
    return {
      storage,
      blobs,
      parsed,
      parse: this.parser,
      embed: this.embed(),
      openIndex: async ({ id }) => (indexes.has(STORE, id) ? await indexes.acquire(STORE, id) : null),
      indexGrew: () => {},
      brake,
    };
  }

  migrateDeps(): MigrateDeps {
    const { clock, failpoint, dir: dataDir } = this;
    return {
      ...this.catchUpDeps(),
      dataDir,
      clock,
      failpoint,
      embedQuery: (model, text, asker) => this.model.embedQuery(model, text, asker),
      search: () => Promise.resolve({ ok: true, generation: 1, hits: [], ms: { total: 1, embed: 0 } }),
      acquire: (storeId, id) => this.indexes.acquire(storeId, id),
      changed: (storeId) => this.changed.push(storeId),
      loadedElsewhere: () => Promise.resolve(),
      forgetIndex: (...at) => this.forget(...at),
    };
  }

  async forget(storeId: string, generation: number): Promise<void> {
    this.forgotten.push(generation);
    await this.indexes.retire(storeId, generation);
  }

  /** Ids of the chunks that are nearest to a text in a generation, best first. */
  async nearest({ id, model, model_revision: revision, dimensions }: GenerationRow, text: string): Promise<number[]> {
    using lease = await this.indexes.acquire(STORE, id);
    const embedded = await this.model.embedQuery({ id: model, revision, dimensions }, text, {
      tenant: TENANT,
      signal: NEVER,
    });
    if (!embedded.ok) throw new Error(embedded.detail);
    const found = lease.index.search({ vector: embedded.vector, terms: null, filter: null, depth: 10 });
    return found.vector.map(({ chunkId }) => chunkId);
  }

  count(table: string): number {
    return this.db.raw.query<{ n: number }, []>(`SELECT count(*) AS n FROM ${table}`).get()?.n ?? 0;
  }

  #leftBehind(): string {
    if (this.#left === null) throw new Error("nothing was killed");
    const path = join(this.dir, `left-${crypto.randomUUID()}.sqlite`);
    writeFileSync(path, this.#left);
    return path;
  }
}
