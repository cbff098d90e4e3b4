/** What jobs have beside what they have with one server, where several share a database. */
import { CachesElsewhere } from "../jobs/caches-elsewhere.ts";
import { endedElsewhere } from "../jobs/elsewhere.ts";
import type { JanitorDeps } from "../jobs/janitor.ts";
import type { JobHandler } from "../jobs/runner.ts";
import { SharedBrake } from "../jobs/shared-brake.ts";
import type { Changes } from "../platform/changes.ts";
import type { Log } from "../platform/log.ts";
import type { OwnCaches } from "../storage/deletion-check.ts";
import type { StoreId } from "../storage/ids.ts";
import type { JobKind, JobRow } from "../storage/jobs.ts";
import type { Replica } from "../storage/postgres/replica.ts";
import type { Indexes } from "./open-indexes.ts";
import type { OpenStorage } from "./open-storage.ts";

export interface SharedParts {
  data: OpenStorage;
  indexes: Indexes;
  changes: Changes;
  log: Log;
}

/** So long the upkeep of all servers is one's alone, unless he goes; taken anew with every round. */
const UPKEEP_MS = 60_000;

/** What of deleted things this server has in its memory and on its disk, whether or not it has the database alone. */
export function ownCaches({ data: { storage, parsed }, indexes }: Pick<SharedParts, "data" | "indexes">): OwnCaches {
  const isCopied = (seq: number) => storage.indexReads.kept(seq - 1, 1)[0]?.store_file === seq;
  return {
    storage,
    parsed,
    inMemory: (storeId, storeFile) =>
      indexes.registry.holds(storeId, (index) => storeFile === null || index.hasFile(storeFile)) ||
      (storeFile !== null && isCopied(storeFile)),
    imaged: (storeId, atSeconds) => indexes.imagesOf(storeId, atSeconds).length > 0,
    onDisk: (storeId) => indexes.hasFilesOf(storeId),
  };
}

interface AskedParts extends SharedParts {
  caches: OwnCaches;
  /** A store is gone: nothing of its indexes stays in memory or on this disk. */
  forgetStore(storeId: StoreId): Promise<void>;
}

export function cachesElsewhere(replica: Replica, parts: AskedParts): CachesElsewhere {
  const { data, changes, log, indexes, caches, forgetStore } = parts;
  const { storage, parsed } = data;
  return new CachesElsewhere({
    ...caches,
    storage,
    parsed,
    changes,
    replica,
    log,
    forgetStore,
    forgetCopy: (storeId, storeFile) => {
      if (indexes.registry.holds(storeId, (index) => index.hasFile(storeFile))) return;
      storage.indexReads.forget(storeFile);
    },
  });
}

/** What a request ends is ended at whichever server that comes to. */
export function endedAnywhere(
  handler: JobHandler,
  { data, changes }: Pick<SharedParts, "data" | "changes">,
): JobHandler {
  const { responses, runs, migrations } = data.storage;
  const isUnderWay = (status: string | undefined) => status === "queued" || status === "in_progress";
  const ends: Partial<Record<JobKind, (job: JobRow) => Promise<boolean>>> = {
    answer: async ({ tenant_id, subject }) => !isUnderWay((await responses.get(tenant_id, subject))?.status),
    run: async ({ tenant_id, subject }) => !isUnderWay((await runs.get(tenant_id, subject))?.status),
    migrate: async ({ tenant_id, subject }) => (await migrations.ofJob(tenant_id, subject))?.asked === "cancel",
  };
  const isOver = ends[handler.kind];
  return isOver === undefined ? handler : endedElsewhere(handler, changes, isOver);
}

/** What of several servers one does at a time. */
export function sharedUpkeep(
  { storage, permits }: OpenStorage,
  { id }: Replica,
): Pick<JanitorDeps, "mayRun" | "trimRates"> {
  return {
    mayRun: () => storage.replicas.takeDuty("upkeep", id, UPKEEP_MS),
    trimRates: async (step) => (await permits?.trim(step)) ?? 0,
  };
}

export function sharedBrake({ data, log }: Pick<SharedParts, "data" | "log">): SharedBrake {
  return new SharedBrake(data.storage.migrations, (error) =>
    log.error("what may enter a store is not written down", { error: String(error) }),
  );
}
