import { statSync } from "node:fs";
import { statfs } from "node:fs/promises";
import { join } from "node:path";
import type { ServerStatus } from "../api/admin/schema.ts";
import type { QueryRecorder } from "../api/queries/recorder.ts";
import type { Config } from "../config/config.ts";
import type { Engine } from "./engine.ts";
import { AppError } from "../errors.ts";
import { remoteBytes } from "../storage/postgres/storage.ts";
import { isThere } from "../storage/replicas.ts";
import { modelFinder } from "./found-models.ts";
import { version } from "../platform/build-info.ts";

export interface StatusSources {
  config: Config;
  engine: Engine;
  dataDir: string;
  /** Unix seconds. */
  startedAt: number;
  queries: QueryRecorder;
}

/** What the server is doing, for `GET /v1/admin/status`. */
export async function serverStatus({
  config,
  engine,
  dataDir,
  startedAt,
  queries,
}: StatusSources): Promise<ServerStatus> {
  const { bavail, blocks, bsize } = await statfs(dataDir);
  return {
    object: "server.status",
    version,
    started_at: startedAt,
    lanes: engine.workers.stats().map(([name, { busy, waiting, restarts }]) => ({ name, busy, waiting, restarts })),
    queues: await engine.jobs.runner.stats(),
    indexes: { ...engine.indexes.registry.stats },
    models: (await engine.data.storage.generations.modelsInUse()).map(({ model, stores }) => ({
      id: model,
      vector_stores: stores,
    })),
    disk: {
      free_bytes: bavail * bsize,
      total_bytes: blocks * bsize,
      database_bytes: await databaseBytes(engine.data, dataDir),
    },
    memory: { resident_bytes: process.memoryUsage.rss() },
    replicas: (await engine.data.storage.replicas.list()).map((replica) => ({
      id: replica.id,
      name: replica.name,
      version: replica.version,
      started_at: replica.started_at,
      is_this: replica.id === engine.data.replica?.id,
      state: isThere(replica) ? "there" : "gone",
      silent_seconds: replica.silent_ms / 1000,
      clock_ahead_seconds: replica.clock_ms / 1000,
    })),
    query_log: { mode: config.queryLog, waiting: queries.waiting },
    outbound: {
      offline: config.offline,
      private_addresses: config.allowPrivateAddresses,
      addresses: calledAddresses(engine),
    },
  };
}

function calledAddresses(engine: Engine): string[] {
  const addresses = modelFinder(engine)
    .found()
    .flatMap(({ address }) => address ?? []);
  return [...new Set(addresses)].sort();
}

async function databaseBytes({ embedded, database }: Engine["data"], dataDir: string): Promise<number> {
  if (embedded === null) return await remoteBytes(database);
  const sizes = ["meta.sqlite", "meta.sqlite-wal"].map(
    (name) => statSync(join(dataDir, name), { throwIfNoEntry: false })?.size ?? 0,
  );
  return sizes.reduce((sum, size) => sum + size, 0);
}

/** "ok", or why the database cannot be used just now, for `/readyz`. */
export async function databaseCheck({ away, storage }: Engine["data"]): Promise<string> {
  try {
    return away() ?? ((await storage.tenants.first()) === null ? "no tenant" : "ok");
  } catch (error) {
    // Found out by this look.
    if (error instanceof AppError && error.code === "storage_unavailable") return away() ?? error.message;
    throw error;
  }
}
