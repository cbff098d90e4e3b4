import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Clock } from "../../platform/clock.ts";
import { createMetrics } from "../../platform/metrics.ts";
import { silentLog } from "../../platform/log.ts";
import type { Log } from "../../platform/log.ts";
import type { Blobs } from "../../storage/blobs.ts";
import { createBlobs } from "../../storage/blobs.ts";
import { openSqlite } from "../../storage/sqlite.ts";
import type { Detached } from "../../storage/removal.ts";
import type { Storage } from "../../storage/storage.ts";
import { createStorage } from "../../storage/storage.ts";
import { createApp } from "../../http/app.ts";
import type { App, AppDeps } from "../../http/app.ts";
import type { Caller } from "../../http/caller.ts";
import { checked } from "./checked.ts";
import { createCursors } from "../../http/cursors.ts";
import { fileOperations } from "../files/routes.ts";
import { filesService } from "../files/service.ts";
import { healthOperations } from "../health/routes.ts";
import type { Operation } from "../../http/operation.ts";
import { hashKey } from "../../http/plugins/auth.ts";
import { uploadOperations } from "../uploads/routes.ts";
import { uploadsService } from "../uploads/service.ts";

/** The files part of the API over a real database and real files in a directory of its own, for tests. */
export interface FileApp extends Disposable {
  app: App;
  storage: Storage;
  blobs: Blobs;
  dataDir: string;
  clock: { seconds: number };
  detached: Detached[];
  stopping: AbortController;
  /** A request with the writer's key unless `headers` say otherwise. */
  call(
    method: string,
    path: string,
    body?: Bun.BodyInit | object | null,
    headers?: Record<string, string>,
  ): Promise<Answer>;
}

export interface Answer {
  status: number;
  headers: Headers;
  // Tests look into bodies of every shape.
  // oxlint-disable-next-line typescript/no-explicit-any
  json: any;
}

export const KEYS = {
  write: "sk-test-write-0123456789",
  read: "sk-test-read-0123456789",
  admin: "sk-test-admin-0123456789",
  /** Another tenant's. */
  other: "sk-test-other-0123456789",
};

export function fileApp(
  overrides: Partial<AppDeps> & { maxFileBytes?: number; more?: Operation[]; log?: Log } = {},
): FileApp {
  const dataDir = mkdtempSync(join(tmpdir(), "lectern-api-"));
  const db = openSqlite(join(dataDir, "meta.sqlite"));
  const storage = createStorage(db);
  const blobs = createBlobs(dataDir);
  const time = { seconds: 1_800_000_000 };
  const clock: Clock = { nowMs: () => time.seconds * 1000, nowSeconds: () => time.seconds };
  const detached: Detached[] = [];
  const stopping = new AbortController();
  const metrics = createMetrics();
  const files = filesService({
    storage,
    blobs,
    clock,
    cursors: createCursors(),
    dataDir,
    minFreeBytes: 0,
    byteLimits: () => Promise.resolve({ perTenant: null, perKey: null }),
    afterDetach: (one) => detached.push(one),
  });
  const uploads = uploadsService({ storage, blobs, clock, files });
  const callers = new Map<string, Caller>([
    [keyOf(KEYS.write), caller("key_write", "ten_a", "write")],
    [keyOf(KEYS.read), caller("key_read", "ten_a", "read")],
    [keyOf(KEYS.admin), caller("key_admin", "ten_a", "admin")],
    [keyOf(KEYS.other), caller("key_other", "ten_b", "write")],
  ]);
  const { maxFileBytes = 1024 * 1024, more = [], ...deps } = overrides;
  const app = createApp({
    operations: [
      ...healthOperations({ checks: { database: () => "ok" }, metrics, metricsPublic: false }),
      ...fileOperations(files, maxFileBytes),
      ...uploadOperations(uploads, files),
      ...more,
    ].map(checked),
    authenticate: (sha256) => callers.get(Buffer.from(sha256).toString("hex")) ?? null,
    log: silentLog,
    metrics,
    dialect: "openai",
    stopping: stopping.signal,
    maxJsonBytes: 1024 * 1024,
    maxRequestsPerKey: null,
    slowRequestMs: 60_000,
    ...deps,
  });
  return {
    app,
    storage,
    blobs,
    dataDir,
    clock: time,
    detached,
    stopping,
    async call(method, path, body = null, headers = {}) {
      const isPlain =
        typeof body === "object" &&
        body !== null &&
        [Object.prototype, Array.prototype].includes(Object.getPrototypeOf(body));
      const init: RequestInit = {
        method,
        headers: {
          authorization: `Bearer ${KEYS.write}`,
          ...(isPlain ? { "content-type": "application/json" } : {}),
          ...headers,
        },
      };
      if (body !== null) init.body = isPlain ? JSON.stringify(body) : (body as Bun.BodyInit);
      const response = await app.handle(new Request(`http://localhost${path}`, init));
      const text = await response.text();
      const isJson = text !== "" && response.headers.get("content-type")?.startsWith("application/json") === true;
      return { status: response.status, headers: response.headers, json: isJson ? JSON.parse(text) : text };
    },
    [Symbol.dispose]() {
      void db.close();
      rmSync(dataDir, { recursive: true, force: true });
    },
  };
}

function caller(keyId: string, tenantId: string, role: Caller["role"]): Caller {
  const isOperator = role === "admin";
  return { keyId, tenantId, role, storeIds: null, dialect: null, tenantStatus: "active", isOperator };
}

function keyOf(key: string): string {
  return Buffer.from(hashKey(key)).toString("hex");
}
