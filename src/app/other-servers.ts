import { CachesElsewhere } from "../jobs/caches-elsewhere.ts";
import type { JanitorDeps } from "../jobs/janitor.ts";
import { LoadsElsewhere } from "../jobs/loads-elsewhere.ts";
import type { Changes } from "../platform/changes.ts";
import type { Log } from "../platform/log.ts";
import type { OwnCaches } from "../storage/deletion-check.ts";
import type { Replica } from "../storage/postgres/replica.ts";
import type { Indexes } from "./open-indexes.ts";
import type { OpenStorage } from "./open-storage.ts";

export interface OtherServersParts {
  data: OpenStorage;
  replica: Replica;
  indexes: Indexes;
  changes: Changes;
  log: Log;
  /** A store is gone: nothing of its indexes stays in memory or on this disk. */
  forgetStore(storeId: string): Promise<void>;
}

/** For so long the upkeep of all servers is one's alone, unless it goes; taken anew with every round. */
const UPKEEP_MS = 60_000;

/** What servers that share a database ask of one another, and what of it one does for all. */
export class OtherServers implements AsyncDisposable {
  readonly caches: CachesElsewhere;
  readonly loads: LoadsElsewhere;
  readonly #parts: OtherServersParts;

  constructor(parts: OtherServersParts) {
    const { data, indexes, replica, changes, log } = parts;
    const { storage, parsed } = data;
    this.#parts = parts;
    this.caches = new CachesElsewhere({
      ...ownCaches(data, indexes),
      storage,
      parsed,
      changes,
      replica,
      log,
      forgetStore: parts.forgetStore,
      forgetCopy: (storeId, storeFile) => {
        if (indexes.registry.holds(storeId, (index) => index.hasFile(storeFile))) return;
        storage.indexReads.forget(storeFile);
      },
    });
    this.loads = new LoadsElsewhere({
      storage,
      changes,
      replica,
      log,
      load: async ({ store_id: storeId, id }) =>
        indexes.registry.hasStore(storeId) ? await indexes.acquireNow(storeId, id) : null,
    });
  }

  start(): void {
    this.caches.start();
    this.loads.start();
  }

  /** What upkeep is done only by the one whose turn it is. */
  upkeep(): Pick<JanitorDeps, "mayRun" | "trimRates"> {
    const { data, replica } = this.#parts;
    const { storage, permits } = data;
    return {
      mayRun: () => storage.replicas.takeDuty("upkeep", replica.id, UPKEEP_MS),
      trimRates: async (step) => (await permits?.trim(step)) ?? 0,
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([this.caches[Symbol.asyncDispose](), this.loads[Symbol.asyncDispose]()]);
  }
}

/** What this server has in its memory and on its disk. */
export function ownCaches({ storage, parsed }: OpenStorage, indexes: Indexes): OwnCaches {
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
