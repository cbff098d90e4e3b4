import { AppError } from "../../errors.ts";
import type { Changes } from "../../platform/changes.ts";
import type { Clock } from "../../platform/clock.ts";
import { RUN_KEY_ID } from "../../http/caller.ts";
import type { QuotaPair, QuotaRules } from "../../http/quotas.ts";
import type { Storage, Tables } from "../../storage/storage.ts";
import { freeBytes } from "../../platform/disk-reserve.ts";

/** Whose bytes they are: the tenant's, counted for the key that brings them. */
export interface Owner {
  tenantId: string;
  keyId: string;
}

export interface SpaceDeps {
  storage: Pick<Storage, "files" | "uploads" | "tenants">;
  /** Tells and hears of tenants that end at another server of the database; null where there is none. */
  elsewhere: Pick<Changes, "notify" | "wait"> | null;
  clock: Clock;
  dataDir: string;
  /** Free bytes that must be left. */
  minFreeBytes: number;
  /** Bytes that a tenant, and one of its keys, may have stored; null: no limit. */
  byteLimits: QuotaRules["bytes"];
}

export interface Wanted {
  owner: Owner;
  /** Announced; more may come. */
  bytes: number;
  /** Whether they count for quotas: those that are counted already do not. */
  areNew: boolean;
}

/** Room for one body that is on its way. */
export interface Reservation {
  /** Aborted, with what the client is told, when its tenant ends. */
  readonly signal: AbortSignal;
  /**
   * Must be called before bytes are written: `total` is how many there will be then.
   * @throws AppError `storage_limit_reached`, `insufficient_storage`
   */
  grow(total: number): Promise<void>;
  /** So many are on the disk. */
  wrote(total: number): void;
  /** Once they are stored, and counted as such, or thrown away. */
  release(): void;
}

/**
 * Room for what is being written. A body may come without a length: its room is taken in steps while it is written, beside
 * everybody else's, so that bodies together exceed neither a quota nor the disk. In memory: what is not stored when the
 * process ends is thrown away at the next start.
 */
export interface Space {
  /** @throws AppError `storage_limit_reached`, `insufficient_storage` */
  reserve(wanted: Wanted): Promise<Reservation>;
  /**
   * Within the transaction that stores them: whether it still may be done.
   * @throws AppError where the key or its tenant went meanwhile, `storage_limit_reached`
   */
  assertMayKeep(tables: Tables, wanted: Wanted): Promise<void>;
  /**
   * Ends every body of the tenant that is on its way: of those at this server none is left when this resolves, others end
   * soon, and none of theirs may be kept.
   */
  endOf(tenantId: string): Promise<void>;
}

/** So often a body that is on its way is asked for its tenant again, where another server may have ended that. ms */
const LOOK_EVERY_MS = 5000;
/** Bytes after which quota and disk are asked again. */
const STEP_BYTES = 8 * 1024 * 1024;
/** Where little is left, steps are a small share of it: others may have small bodies under way. */
const SHARE = 8;

export function createSpace(deps: SpaceDeps): Space {
  return new Ledger(deps);
}

class Ledger implements Space {
  readonly #deps: SpaceDeps;
  readonly #held = new Set<Held>();

  constructor(deps: SpaceDeps) {
    this.#deps = deps;
  }

  async reserve(wanted: Wanted): Promise<Reservation> {
    const held = new Held(wanted, {
      take: (more) => this.#take(held, more),
      release: () => void this.#held.delete(held),
    });
    this.#held.add(held);
    try {
      await this.#take(held, wanted.bytes);
    } catch (error) {
      held.release();
      throw error;
    }
    void this.#watch(held);
    return held;
  }

  async assertMayKeep(tables: Tables, { owner, bytes, areNew }: Wanted): Promise<void> {
    await assertStillThere(tables, owner, this.#deps.clock.nowSeconds());
    const { perTenant, perKey } = await this.#deps.byteLimits(owner, tables.tenants);
    // Parts of uploads were counted when they came.
    const pending = areNew ? await tables.uploads.pendingBytes(owner.tenantId, owner.keyId) : NOTHING;
    const used = async (id: string) => (await tables.files.usage(id)).bytes + bytes;
    if (perTenant !== null && (await used(owner.tenantId)) + pending.ofTenant > perTenant)
      throw aboveQuota("This organisation", perTenant);
    if (perKey !== null && (await used(owner.keyId)) + pending.ofKey > perKey) throw aboveQuota("This key", perKey);
  }

  async endOf(tenantId: string): Promise<void> {
    const own = [...this.#held].filter(({ owner }) => owner.tenantId === tenantId);
    for (const held of own) held.end(ended());
    this.#deps.elsewhere?.notify(endKey(tenantId));
    await Promise.all(own.map((held) => held.released));
  }

  /** Ends it where its key or its tenant went at another server. */
  async #watch(held: Held): Promise<void> {
    const { elsewhere, storage, clock } = this.#deps;
    if (elsewhere === null) return;
    const over = new AbortController();
    void held.released.then(() => over.abort());
    for (;;) {
      await elsewhere.wait(endKey(held.owner.tenantId), over.signal, LOOK_EVERY_MS);
      if (over.signal.aborted) return;
      try {
        await assertStillThere(storage, held.owner, clock.nowSeconds());
      } catch (error) {
        // A database that is away says nothing of a tenant: the transaction that stores it looks as well.
        if (error instanceof AppError && error.code !== "storage_unavailable") held.end(error);
      }
    }
  }

  /** Takes at least `needed` bytes more, a step where there is room for one. */
  async #take(held: Held, needed: number): Promise<void> {
    const { storage, byteLimits, dataDir, minFreeBytes } = this.#deps;
    const { owner, areNew } = held;
    const limits = areNew ? await byteLimits(owner) : NO_LIMITS;
    const isLimited = limits.perTenant !== null || limits.perKey !== null;
    const pending = isLimited ? await storage.uploads.pendingBytes(owner.tenantId, owner.keyId) : NOTHING;
    const ofTenant = limits.perTenant === null ? 0 : (await storage.files.usage(owner.tenantId)).bytes;
    const ofKey = limits.perKey === null ? 0 : (await storage.files.usage(owner.keyId)).bytes;
    const free = await freeBytes(dataDir);
    // From here on nothing is awaited: what is found free is taken before anybody else looks.
    const tenantRoom = roomOf(limits.perTenant, ofTenant + pending.ofTenant + this.#sum("tenantId", owner));
    const keyRoom = roomOf(limits.perKey, ofKey + pending.ofKey + this.#sum("keyId", owner));
    const diskRoom = free - this.#unwritten() - minFreeBytes;
    if (tenantRoom < needed) throw aboveQuota("This organisation", limits.perTenant ?? 0);
    if (keyRoom < needed) throw aboveQuota("This key", limits.perKey ?? 0);
    if (diskRoom < needed) throw diskFull();
    const room = Math.min(tenantRoom, keyRoom, diskRoom);
    held.granted += Math.max(needed, held.granted === 0 ? 0 : Math.min(STEP_BYTES, Math.floor(room / SHARE)));
  }

  /** Granted to bodies under way that count for quotas. */
  #sum(by: keyof Owner, owner: Owner): number {
    let sum = 0;
    for (const held of this.#held) if (held.areNew && held.owner[by] === owner[by]) sum += held.granted;
    return sum;
  }

  /** Granted, and not on the disk yet. */
  #unwritten(): number {
    let sum = 0;
    for (const held of this.#held) sum += Math.max(0, held.granted - held.written);
    return sum;
  }
}

class Held implements Reservation {
  readonly owner: Owner;
  readonly areNew: boolean;
  /** Resolves once it is released. */
  readonly released: Promise<void>;
  granted = 0;
  written = 0;
  readonly #ledger: { take: (more: number) => Promise<void>; release: () => void };
  readonly #over = new AbortController();
  readonly #noteRelease: () => void;

  constructor({ owner, areNew }: Wanted, ledger: { take: (more: number) => Promise<void>; release: () => void }) {
    this.owner = { tenantId: owner.tenantId, keyId: owner.keyId };
    this.areNew = areNew;
    this.#ledger = ledger;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.released = promise;
    this.#noteRelease = resolve;
  }

  get signal(): AbortSignal {
    return this.#over.signal;
  }

  async grow(total: number): Promise<void> {
    this.signal.throwIfAborted();
    if (total > this.granted) await this.#ledger.take(total - this.granted);
    this.signal.throwIfAborted();
  }

  wrote(total: number): void {
    this.written = total;
  }

  end(why: AppError): void {
    this.#over.abort(why);
  }

  release(): void {
    this.#ledger.release();
    this.#noteRelease();
  }
}

const NOTHING = { ofTenant: 0, ofKey: 0 };
const NO_LIMITS: QuotaPair = { perTenant: null, perKey: null };

function roomOf(limit: number | null, used: number): number {
  return limit === null ? Infinity : limit - used;
}

function aboveQuota(whose: string, most: number): AppError {
  return new AppError("storage_limit_reached", `${whose} may store ${most} bytes at most; delete files first.`);
}

function ended(): AppError {
  return new AppError("invalid_api_key", "The key of this request is not valid any more; nothing was stored.");
}

/** Told when a tenant ends. */
function endKey(tenantId: string): string {
  return `no uploads of ${tenantId}`;
}

/**
 * Whether something may still be kept for an owner, as part of the transaction that keeps it.
 * @throws AppError where the key or its tenant went meanwhile
 */
export async function assertStillThere(
  tables: Pick<Tables, "tenants">,
  owner: Owner,
  nowSeconds: number,
): Promise<void> {
  const keyId = owner.keyId === RUN_KEY_ID ? null : owner.keyId;
  if (!(await tables.tenants.mayKeep(owner.tenantId, keyId, nowSeconds))) throw await whyNot(tables, owner);
}

async function whyNot({ tenants }: Pick<Tables, "tenants">, { tenantId, keyId }: Owner): Promise<AppError> {
  const isKnown = keyId === RUN_KEY_ID || (await tenants.getKey(keyId)) !== null;
  if (!isKnown || (await tenants.get(tenantId))?.status !== "suspended") return ended();
  const text = "This organisation is suspended and may only read and delete; ask the administrator of this server.";
  return new AppError("vector_store_suspended", text);
}

/** The place that keeps the bytes of uploads does not answer. */
export function storageAway(cause: unknown): AppError {
  return new AppError("storage_unavailable", "The server's storage for files does not answer; try again in a moment.", {
    cause,
    retryAfterSeconds: 2,
  });
}

export function diskFull(cause?: unknown): AppError {
  return new AppError("insufficient_storage", "There is not enough free disk space on the server for this upload.", {
    cause,
  });
}
