import { AppError } from "../../errors.ts";
import type { Clock } from "../../platform/clock.ts";
import { newId } from "../../platform/ids.ts";
import type { Blobs } from "../../storage/blobs.ts";
import { deleteFile, deleteStore, type Detached, scheduleEndOfDeletion } from "../../storage/removal.ts";
import type { Storage } from "../../storage/storage.ts";
import { NO_QUOTAS, type Quotas } from "../../storage/quotas.ts";
import type { TenantRow } from "../../storage/tenants.ts";
import type { Caller } from "../../http/caller.ts";
import type { Cursor } from "../../http/openai.ts";
import { notFound } from "../../http/not-found.ts";
import { pageQuery } from "../../http/page-query.ts";
import type { CreateTenantBody, QuotasInput, Tenant, UpdateTenantBody } from "./schema.ts";
import { ALL_STORES } from "../../storage/stores.ts";

/**
 * Tenants. Only operators (administrators of the first tenant) make, change and delete them; the administrator of
 * another tenant sees its own and cannot tell whether there are others.
 */
export interface TenantsDeps {
  storage: Storage;
  blobs: Pick<Blobs, "remove">;
  clock: Clock;
  /** Ends what the tenant is uploading; when it resolves nothing of it comes any more. */
  endUploads: (tenantId: string) => Promise<void>;
  /** Files left these stores: what is in memory forgets them. */
  detached: (files: readonly Detached[]) => void;
  wakeJobs: () => void;
}

export interface TenantPage {
  data: Tenant[];
  hasMore: boolean;
}

export interface TenantsService {
  /** @throws AppError `tenant_not_found`, also for tenants that the caller may not know of. */
  find(caller: Caller, id: string): Promise<TenantRow>;
  create(body: CreateTenantBody): Promise<Tenant>;
  list(caller: Caller, cursor: Cursor): Promise<TenantPage>;
  get(caller: Caller, id: string): Promise<Tenant>;
  update(caller: Caller, id: string, body: UpdateTenantBody): Promise<Tenant>;
  /**
   * Its keys are revoked first and its uploads ended; then everything it owns goes, in steps. Can be repeated where it was interrupted: the
   * tenant stays, suspended and without keys, until nothing of it is left to be deleted.
   */
  remove(caller: Caller, id: string): Promise<void>;
}

/** Files deleted in one go of the event loop. */
const STEP = 50;

export function tenantsService(deps: TenantsDeps): TenantsService {
  return new Tenants(deps);
}

class Tenants implements TenantsService {
  readonly #deps: TenantsDeps;

  constructor(deps: TenantsDeps) {
    this.#deps = deps;
  }

  async find(caller: Caller, id: string): Promise<TenantRow> {
    const { tenants } = this.#deps.storage;
    const row = caller.isOperator === true || caller.tenantId === id ? await tenants.get(id) : null;
    if (row === null) throw notFound("tenant", id);
    return row;
  }

  async create(body: CreateTenantBody): Promise<Tenant> {
    const { storage, clock } = this.#deps;
    const id = newId("ten_");
    await storage.transaction(async ({ tenants }) => {
      await tenants.insert({ id, name: body.name, createdAt: clock.nowSeconds() });
      if (body.quotas !== undefined) await tenants.update(id, { quotas: definedQuotas(body.quotas) });
    });
    return await this.#show((await storage.tenants.get(id)) as TenantRow);
  }

  async list(caller: Caller, cursor: Cursor): Promise<TenantPage> {
    const { tenants } = this.#deps.storage;
    const seen = (id: string) => caller.isOperator === true || id === caller.tenantId;
    const query = await pageQuery(
      cursor,
      async (id) => (seen(id) ? (await tenants.get(id))?.seq : undefined),
      "tenant",
    );
    const { rows, hasMore } = await tenants.list(query, caller.isOperator === true ? null : caller.tenantId);
    return { data: await Promise.all(rows.map((row) => this.#show(row))), hasMore };
  }

  async get(caller: Caller, id: string): Promise<Tenant> {
    return await this.#show(await this.find(caller, id));
  }

  async update(caller: Caller, id: string, body: UpdateTenantBody): Promise<Tenant> {
    const { storage, wakeJobs } = this.#deps;
    await this.find(caller, id);
    if (body.status === "suspended" && (await storage.tenants.first())?.id === id)
      throw new AppError("invalid_value", "The server's first tenant cannot be suspended.", { param: "status" });
    await storage.transaction(async ({ tenants }) => {
      const before = (await tenants.get(id))?.quotas ?? NO_QUOTAS;
      await tenants.update(id, {
        ...(body.name === undefined ? {} : { name: body.name }),
        ...(body.status === undefined ? {} : { status: body.status }),
        ...(body.quotas === undefined ? {} : { quotas: mergedQuotas(before, body.quotas) }),
      });
    });
    wakeJobs();
    return await this.#show(await this.find(caller, id));
  }

  async remove(caller: Caller, id: string): Promise<void> {
    const { storage, endUploads, wakeJobs } = this.#deps;
    await this.find(caller, id);
    if ((await storage.tenants.first())?.id === id)
      throw new AppError("permission_denied", "The server's first tenant cannot be deleted: its keys administer it.");
    await storage.transaction(async ({ tenants }) => {
      await tenants.removeKeys(id);
      await tenants.update(id, { status: "suspended" });
    });
    // From here on no transaction takes anything in for the tenant.
    await endUploads(id);
    await this.#removeStores(id);
    await this.#removeFiles(id);
    await this.#removeResponses(id);
    await this.#removeConversations(id);
    await this.#removeUploads(id);
    await storage.tenants.remove(id);
    wakeJobs();
  }

  async #removeStores(tenantId: string): Promise<void> {
    const { storage, clock } = this.#deps;
    for (;;) {
      const { rows } = await storage.stores.list(tenantId, { limit: STEP, order: "asc" }, ALL_STORES);
      if (rows.length === 0) return;
      for (const row of rows)
        await storage.transaction((tables) => deleteStore(tables, tenantId, row.id, clock.nowMs()));
    }
  }

  async #removeResponses(tenantId: string): Promise<void> {
    const { responses, conversations } = this.#deps.storage;
    let removed: number;
    do removed = await responses.removeOfTenant(tenantId, STEP);
    while (removed > 0);
    do removed = await conversations.removeOfTenant(tenantId, STEP);
    while (removed > 0);
  }

  /** Threads with all that is in them, and assistants. */
  async #removeConversations(tenantId: string): Promise<void> {
    const { threads, assistants } = this.#deps.storage;
    for (const table of [threads, assistants]) {
      let removed: number;
      do removed = await table.removeOfTenant(tenantId, STEP);
      while (removed > 0);
    }
  }

  async #removeFiles(tenantId: string): Promise<void> {
    const { storage, blobs, clock, detached } = this.#deps;
    for (;;) {
      const ids = await storage.files.someOf(tenantId, STEP);
      if (ids.length === 0) return;
      for (const id of ids) {
        await storage.transaction(async (tables, tx) => {
          const removed = await deleteFile(tables, tenantId, id, clock.nowSeconds());
          tx.onCommit(() => detached(removed?.detached ?? []));
        });
        await blobs.remove(id);
      }
    }
  }

  /** Their parts are bytes that somebody uploaded: each deletion is recorded, and proven, as that of a file is. */
  async #removeUploads(tenantId: string): Promise<void> {
    const { storage, blobs, clock } = this.#deps;
    const at = clock.nowSeconds();
    const parts = await storage.transaction(async (tables) => {
      const removed = await tables.uploads.removeOfTenant(tenantId);
      for (const { id, bytes } of removed) {
        const deletion = await tables.deletions.open({ tenantId, type: "file", id, at, files: 1, bytes, cached: null });
        await scheduleEndOfDeletion(tables, tenantId, deletion.id);
      }
      return removed;
    });
    for (const { id } of parts) await blobs.remove(id);
  }

  async #show(row: TenantRow): Promise<Tenant> {
    const { stores, files } = this.#deps.storage;
    return {
      id: row.id,
      object: "tenant",
      name: row.name,
      created_at: row.created_at,
      status: row.status,
      quotas: row.quotas,
      usage: { vector_stores: await stores.countByTenant(row.id), ...(await files.usage(row.id)) },
    };
  }
}

export function definedQuotas(quotas: QuotasInput): Partial<Quotas> {
  return Object.fromEntries(Object.entries(quotas).filter(([, value]) => value !== undefined && value !== null));
}

/** What was left out stays, null becomes the default again. */
export function mergedQuotas(before: Quotas, changes: QuotasInput): Partial<Quotas> {
  return definedQuotas({ ...before, ...changes });
}
