import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { tempDir } from "../../../test/helpers/temp-dir.ts";
import { OVER_POSTGRES } from "../../../test/helpers/tool-env.ts";
import { checked } from "../../api/testing/checked.ts";
import { testRankers, type TestRankers } from "../../api/testing/rankers.ts";
import { type Config, type Dialect, readConfig } from "../../config/config.ts";
import { type BlobDirectory, createBlobs } from "../../storage/blob-directory.ts";
import type { App } from "../../http/app.ts";
import type { Operation } from "../../http/operation.ts";
import { hashKey } from "../../http/plugins/auth.ts";
import type { Changes } from "../../platform/changes.ts";
import { newId } from "../../platform/ids.ts";
import { type Log, silentLog } from "../../platform/log.ts";
import { openSqlite, type SqliteDatabase } from "../../storage/sqlite.ts";
import { emptyPostgres, readyPostgres } from "../../storage/testing/kinds.ts";
import { createStorage, type Storage } from "../../storage/storage.ts";
import type { NewKey } from "../../storage/keys.ts";
import { type Context, createContext } from "../context.ts";
import type { Engine } from "../engine.ts";
import { completeFile, placedFile } from "./finished-file.ts";
import { WordsModel } from "./words-model.ts";

/**
 * The server for tests: the one that runs, over a real database and real files in a directory of its own, with a model
 * of words and rerankers that can be foreseen. Nothing runs in the background unless a test starts the jobs: a test says
 * itself when a file has been indexed (`finish`) and with which chunks.
 */
export interface StoreApp extends AsyncDisposable {
  readonly app: App;
  readonly engine: Engine;
  readonly storage: Storage;
  readonly db: SqliteDatabase;
  readonly blobs: BlobDirectory;
  readonly dataDir: string;
  readonly changes: Changes;
  readonly progress: Engine["progress"];
  /** The time of the server, which stands still. */
  readonly clock: { seconds: number };
  readonly stopping: AbortController;
  readonly rankers: TestRankers;
  /** Texts that were embedded, in order. */
  readonly embedded: WordsModel["embedded"];
  /** What each of these calls was for, in order. */
  readonly kinds: WordsModel["kinds"];
  readonly failing: WordsModel["failing"];
  /** Runs before every embedding, for what happens while a search waits for its vector. */
  onEmbed(effect: WordsModel["before"]): void;
  /** Makes a key, of tenant `ten_a` and allowed to write unless said otherwise. */
  addKey(key: string, more?: Partial<NewKey>): Promise<void>;
  /** With the writer's key unless `headers` say otherwise; a body that is not text, bytes or a form is sent as JSON. */
  request(method: string, path: string, body?: unknown, headers?: Record<string, string>): Promise<Response>;
  /** The same, and reads the answer: parsed where it is JSON, else its text. */
  call(method: string, path: string, body?: unknown, headers?: Record<string, string>): Promise<Answer>;
  /** An uploaded file; its bytes are not there. */
  file(filename?: string, tenantId?: string): Promise<string>;
  /** What the ingest does: these chunks, one character apart, are the file's text; it is completed and searchable. */
  finish(storeId: string, fileId: string, texts: readonly string[]): Promise<void>;
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
  maxFileBytes?: number;
  minFreeMb?: number;
  maxJsonMb?: number;
  maxRequestsPerKey?: number;
  /** Event streams open at once. */
  maxStreams?: { perKey: number; perTenant: number };
  dialect?: Dialect;
  /** Origins of pages that may call. */
  corsOrigins?: readonly string[];
  /** Whether remote models may be at addresses of this machine. */
  allowPrivateAddresses?: boolean;
  log?: Log;
  /** Settings that have no name of their own here. */
  settings?: Partial<Config>;
  /** Operations beside the server's, or in place of those of the same address. */
  more?: readonly Operation[];
  /** Which of the server's own are served; default all. */
  only?: (operation: Operation) => boolean;
}

export const KEYS = {
  write: "sk-test-write-0123456789",
  read: "sk-test-read-0123456789",
  admin: "sk-test-admin-0123456789",
  /** Another tenant's. */
  other: "sk-test-other-0123456789",
};
export const WRITER = KEYS.write;

// Not at the cost of the first test's time.
if (OVER_POSTGRES) await readyPostgres();

/** Unix seconds. */
const START = 1_800_000_000;
const MB = 1024 * 1024;
/** Features whose answers are held against their schemas: the others have answers in several dialects. */
const CHECKED_TAGS: readonly string[] = ["Files", "Uploads", "Service"];

export async function storeApp(options: StoreAppOptions = {}): Promise<StoreApp> {
  await using stack = new AsyncDisposableStack();
  const { path: dataDir } = stack.use(tempDir());
  const over = OVER_POSTGRES ? stack.use(await emptyPostgres(fillDatabase)) : null;
  if (over === null) writeFileSync(join(dataDir, "meta.sqlite"), await firstDatabase());
  const clock = { seconds: START };
  const model = new WordsModel();
  const rankers = testRankers();
  const stopping = new AbortController();
  const context = stack.use(
    await createContext(
      { ...configOf(dataDir, options), database: over?.address ?? null },
      {
        log: options.log ?? silentLog,
        clock: { nowMs: () => clock.seconds * 1000, nowSeconds: () => clock.seconds },
        provider: model,
        rankers,
        stopping,
        // These tests are not about power cuts, and a disk may take 10 ms to flush.
        flush: false,
        operations: (own) => served(own, options),
      },
    ),
  );
  return new Kit({ context, dataDir, clock, model, rankers, stopping, teardown: stack.move() });
}

interface Parts {
  context: Context;
  dataDir: string;
  clock: { seconds: number };
  model: WordsModel;
  rankers: TestRankers;
  stopping: AbortController;
  teardown: AsyncDisposableStack;
}

class Kit implements StoreApp {
  readonly app: App;
  readonly engine: Engine;
  readonly storage: Storage;
  readonly blobs: BlobDirectory;
  readonly dataDir: string;
  readonly changes: Changes;
  readonly progress: Engine["progress"];
  readonly clock: { seconds: number };
  readonly stopping: AbortController;
  readonly rankers: TestRankers;
  readonly embedded: WordsModel["embedded"];
  readonly kinds: WordsModel["kinds"];
  readonly failing: WordsModel["failing"];
  readonly #model: WordsModel;
  readonly #teardown: AsyncDisposableStack;

  constructor({ context, dataDir, clock, model, rankers, stopping, teardown }: Parts) {
    const { app, engine } = context;
    this.app = app;
    this.engine = engine;
    this.storage = engine.data.storage;
    this.blobs = createBlobs(dataDir);
    this.dataDir = dataDir;
    this.changes = engine.changes;
    this.progress = engine.progress;
    this.clock = clock;
    this.stopping = stopping;
    this.rankers = rankers;
    this.embedded = model.embedded;
    this.kinds = model.kinds;
    this.failing = model.failing;
    this.#model = model;
    this.#teardown = teardown;
  }

  get db(): SqliteDatabase {
    const { embedded } = this.engine.data;
    if (embedded === null) throw new Error("this test looks into SQLite's file, and there is none");
    return embedded.database;
  }

  onEmbed(effect: WordsModel["before"]): void {
    this.#model.before = effect;
  }

  async addKey(key: string, more: Partial<NewKey> = {}): Promise<void> {
    await insertKey(this.storage, key, { createdAt: this.clock.seconds, ...more });
  }

  async request(method: string, path: string, body?: unknown, headers: Record<string, string> = {}): Promise<Response> {
    const isJson = body !== undefined && body !== null && !isBody(body);
    const type = isJson ? { "content-type": "application/json" } : {};
    const init: RequestInit = { method, headers: { authorization: `Bearer ${WRITER}`, ...type, ...headers } };
    if (isJson) init.body = JSON.stringify(body);
    else if (isBody(body)) init.body = body;
    return await this.app.handle(new Request(`http://localhost${path}`, init));
  }

  async call(method: string, path: string, body?: unknown, headers: Record<string, string> = {}): Promise<Answer> {
    const response = await this.request(method, path, body, headers);
    const text = await response.text();
    const isJson = text !== "" && response.headers.get("content-type")?.startsWith("application/json") === true;
    return { status: response.status, headers: response.headers, json: isJson ? JSON.parse(text) : text };
  }

  async file(filename = "notes.txt", tenantId = "ten_a"): Promise<string> {
    const id = newId("file-");
    const row = { id, tenant_id: tenantId, filename, bytes: 100, purpose: "assistants", mime: null, sha256: "0" };
    await this.storage.files.insert({ ...row, created_at: this.clock.seconds, expires_at: null });
    return id;
  }

  async finish(storeId: string, fileId: string, texts: readonly string[]): Promise<void> {
    const placed = await placedFile(this.storage, storeId, fileId);
    await this.storage.transaction(async (tables, tx) => {
      await completeFile(tables, placed, texts);
      tx.onCommit(() => {
        this.engine.indexes.writes.replaceFile(placed.file, placed.generation);
        this.changes.notify(storeId);
      });
    });
  }

  async fail(storeId: string, fileId: string): Promise<void> {
    const { tenant_id, seq, revision } = (await placedFile(this.storage, storeId, fileId)).file;
    const message = "The file type is not supported.";
    await this.storage.storeFiles.fail(tenant_id, seq, revision, "unsupported_file", message);
    this.changes.notify(storeId);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#teardown.disposeAsync();
  }
}

function configOf(dataDir: string, options: StoreAppOptions): Config {
  const defaults = readConfig({ argv: [], env: {}, machine: { cpus: 1 }, readFile: () => "" });
  return {
    ...defaults,
    dataDir,
    dialect: options.dialect ?? "openai",
    maxTeamVectorStores: options.maxStores ?? null,
    maxVectorStoreFiles: options.maxFilesPerStore ?? null,
    maxQueuedFiles: options.maxQueuedFiles ?? defaults.maxQueuedFiles,
    maxBatchFiles: options.maxBatchFiles ?? 2000,
    maxUploadMb: (options.maxFileBytes ?? MB) / MB,
    maxUserRequests: options.maxRequestsPerKey ?? null,
    ...(options.maxStreams === undefined
      ? {}
      : { maxUserStreams: options.maxStreams.perKey, maxTeamStreams: options.maxStreams.perTenant }),
    corsOrigins: options.corsOrigins ?? [],
    allowPrivateAddresses: options.allowPrivateAddresses ?? false,
    maxJsonMb: options.maxJsonMb ?? 64,
    minFreeDiskMb: options.minFreeMb ?? 0,
    slowRequestMs: 60_000,
    ...options.settings,
  };
}

function served(own: readonly Operation[], { more = [], only = () => true }: StoreAppOptions): Operation[] {
  const addressOf = ({ spec }: Operation) => `${spec.method} ${spec.path.replaceAll(/\{\w+\}/g, "{}")}`;
  const taken = new Set(more.map(addressOf));
  const kept = own.filter((operation) => only(operation) && !taken.has(addressOf(operation)));
  return [
    ...kept.map((operation) => (CHECKED_TAGS.includes(operation.spec.tag) ? checked(operation) : operation)),
    ...more,
  ];
}

let made: Promise<Uint8Array> | undefined;

/** A database with two tenants and their keys. Making one takes longer than most tests: the others get copies. */
function firstDatabase(): Promise<Uint8Array> {
  return (made ??= makeDatabase());
}

async function makeDatabase(): Promise<Uint8Array> {
  using directory = tempDir();
  const path = join(directory.path, "meta.sqlite");
  const database = openSqlite(path, { flush: false });
  await fillDatabase(createStorage(database));
  await database.close();
  return readFileSync(path);
}

async function fillDatabase(storage: Storage): Promise<void> {
  // The administrators of the first administer the server.
  for (const id of ["ten_a", "ten_b"]) await storage.tenants.insert({ id, name: id, createdAt: START });
  await insertKey(storage, KEYS.write, { id: "key_write" });
  await insertKey(storage, KEYS.read, { id: "key_read", role: "read" });
  await insertKey(storage, KEYS.admin, { id: "key_admin", role: "admin" });
  await insertKey(storage, KEYS.other, { id: "key_other", tenantId: "ten_b" });
}

async function insertKey({ tenants }: Storage, key: string, more: Partial<NewKey>): Promise<void> {
  const plain = { name: "", role: "write", storeIds: null, dialect: null, hint: "", expiresAt: null } as const;
  const owner = { id: newId("key_"), tenantId: "ten_a", hash: hashKey(key), createdAt: START };
  await tenants.insertKey({ ...plain, ...owner, ...more });
}

function isBody(value: unknown): value is Bun.BodyInit {
  if (typeof value === "string") return true;
  if (typeof value !== "object" || value === null) return false;
  return ![Object.prototype, Array.prototype].includes(Object.getPrototypeOf(value));
}
