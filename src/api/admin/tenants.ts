import { AppError } from "../../errors.ts";
import type { Clock } from "../../platform/clock.ts";
import { newId } from "../../platform/ids.ts";
import type { Blobs } from "../../storage/blobs.ts";
import { deleteFile, deleteStore, type Detached } from "../../storage/removal.ts";
import type { Storage } from "../../storage/storage.ts";
import { NO_QUOTAS, type Quotas } from "../../storage/quotas.ts";
import type { TenantRow } from "../../storage/tenants.ts";
import type { Caller } from "../../http/caller.ts";
import type { Cursor } from "../../http/openai.ts";
import { pageQuery } from "../../http/page-query.ts";
import type { CreateTenantBody, QuotasInput, Tenant, UpdateTenantBody } from "./schema.ts";

/**
 * Tenants. Only operators (administrators of the first tenant) make, change and delete them; the administrator of
 * another tenant sees its own and cannot tell whether there are others.
 */
export interface TenantsDeps {
  storage: Storage;
  blobs: Pick<Blobs, "remove">;
  clock: Clock;
  /** Files left these stores: what is in memory forgets them. */
  detached: (files: readonly Detached[]) => void;
  wakeJobs: () => void;
}

export type TenantsService = ReturnType<typeof tenantsService>;

/** Files deleted in one go of the event loop. */
const STEP = 50;

export function tenantsService({ storage, blobs, clock, detached, wakeJobs }: TenantsDeps) {
  const { tenants, files, stores } = storage;

  async function show(row: TenantRow): Promise<Tenant> {
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

  /** @throws AppError `tenant_not_found`, also for tenants that the caller may not know of. */
  async function find(caller: Caller, id: string): Promise<TenantRow> {
    const row = caller.isOperator === true || caller.tenantId === id ? await tenants.get(id) : null;
    if (row === null) throw new AppError("tenant_not_found", `No tenant found with id '${id.slice(0, 100)}'`);
    return row;
  }

  async function removeFiles(tenantId: string): Promise<void> {
    for (;;) {
      const ids = await files.someOf(tenantId, STEP);
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

  return {
    find,

    async create(body: CreateTenantBody): Promise<Tenant> {
      const id = newId("ten_");
      await storage.transaction(async ({ tenants }) => {
        await tenants.insert({ id, name: body.name, createdAt: clock.nowSeconds() });
        if (body.quotas !== undefined) await tenants.update(id, { quotas: definedQuotas(body.quotas) });
      });
      return await show((await tenants.get(id)) as TenantRow);
    },

    async list(caller: Caller, cursor: Cursor): Promise<{ data: Tenant[]; hasMore: boolean }> {
      const seen = (id: string) => caller.isOperator === true || id === caller.tenantId;
      const query = await pageQuery(cursor, async (id) => (seen(id) ? (await tenants.get(id))?.seq : undefined), {
        code: "tenant_not_found",
        message: (id) => `No tenant found with id '${id.slice(0, 100)}'`,
      });
      const { rows, hasMore } = await tenants.list(query, caller.isOperator === true ? null : caller.tenantId);
      return { data: await Promise.all(rows.map(show)), hasMore };
    },

    get: async (caller: Caller, id: string): Promise<Tenant> => show(await find(caller, id)),

    async update(caller: Caller, id: string, body: UpdateTenantBody): Promise<Tenant> {
      await find(caller, id);
      if (body.status === "suspended" && (await tenants.first())?.id === id)
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
      return await show(await find(caller, id));
    },

    /**
     * Its keys are revoked first; then everything it owns goes, in steps. Can be repeated where it was interrupted: the
     * tenant stays, suspended and without keys, until nothing of it is left to be deleted.
     */
    async remove(caller: Caller, id: string): Promise<void> {
      await find(caller, id);
      if ((await tenants.first())?.id === id)
        throw new AppError("permission_denied", "The server's first tenant cannot be deleted: its keys administer it.");
      await storage.transaction(async ({ tenants }) => {
        await tenants.removeKeys(id);
        await tenants.update(id, { status: "suspended" });
      });
      for (;;) {
        const { rows } = await stores.list(id, { limit: STEP, order: "asc" }, null);
        if (rows.length === 0) break;
        for (const row of rows) await storage.transaction((tables) => deleteStore(tables, id, row.id, clock.nowMs()));
      }
      await removeFiles(id);
      for (const part of await storage.uploads.removeOfTenant(id)) await blobs.remove(part);
      await tenants.remove(id);
      wakeJobs();
    },
  };
}

export function definedQuotas(quotas: QuotasInput): Partial<Quotas> {
  return Object.fromEntries(Object.entries(quotas).filter(([, value]) => value !== undefined && value !== null));
}

/** What was left out stays, null becomes the default again. */
export function mergedQuotas(before: Quotas, changes: QuotasInput): Partial<Quotas> {
  return definedQuotas({ ...before, ...changes });
}
