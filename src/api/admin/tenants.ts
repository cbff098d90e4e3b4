import { AppError } from "../../errors.ts";
import type { Clock } from "../../platform/clock.ts";
import { newId } from "../../platform/ids.ts";
import type { Blobs } from "../../storage/blobs.ts";
import { deleteFile, deleteStore, type Detached } from "../../storage/removal.ts";
import type { Storage } from "../../storage/storage.ts";
import type { Quotas, TenantRow } from "../../storage/tenants.ts";
import { parseQuotas } from "../../storage/tenants.ts";
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

  function show(row: TenantRow): Tenant {
    return {
      id: row.id,
      object: "tenant",
      name: row.name,
      created_at: row.created_at,
      status: row.status,
      quotas: { ...parseQuotas(row.quotas) },
      usage: { vector_stores: stores.countByTenant(row.id), ...files.usage(row.id) },
    };
  }

  /** @throws AppError `tenant_not_found`, also for tenants that the caller may not know of. */
  function find(caller: Caller, id: string): TenantRow {
    const row = caller.isOperator === true || caller.tenantId === id ? tenants.get(id) : null;
    if (row === null) throw new AppError("tenant_not_found", `No tenant found with id '${id.slice(0, 100)}'`);
    return row;
  }

  async function removeFiles(tenantId: string): Promise<void> {
    for (;;) {
      const ids = files.someOf(tenantId, STEP);
      if (ids.length === 0) return;
      for (const id of ids) {
        detached(deleteFile(storage, tenantId, id, clock.nowSeconds())?.detached ?? []);
        await blobs.remove(id);
      }
    }
  }

  return {
    find,

    create(body: CreateTenantBody): Tenant {
      const id = newId("ten_");
      tenants.insert({ id, name: body.name, createdAt: clock.nowSeconds() });
      if (body.quotas !== undefined) tenants.update(id, { quotas: definedQuotas(body.quotas) });
      return show(tenants.get(id) as TenantRow);
    },

    list(caller: Caller, cursor: Cursor): { data: Tenant[]; hasMore: boolean } {
      const seen = (id: string) => caller.isOperator === true || id === caller.tenantId;
      const query = pageQuery(cursor, (id) => (seen(id) ? tenants.get(id)?.seq : undefined), "tenant");
      const { rows, hasMore } = tenants.list(query, caller.isOperator === true ? null : caller.tenantId);
      return { data: rows.map(show), hasMore };
    },

    get: (caller: Caller, id: string): Tenant => show(find(caller, id)),

    update(caller: Caller, id: string, body: UpdateTenantBody): Tenant {
      const row = find(caller, id);
      if (body.status === "suspended" && tenants.first()?.id === id)
        throw new AppError("invalid_value", "The server's first tenant cannot be suspended.", { param: "status" });
      tenants.update(id, {
        ...(body.name === undefined ? {} : { name: body.name }),
        ...(body.status === undefined ? {} : { status: body.status }),
        ...(body.quotas === undefined ? {} : { quotas: mergedQuotas(row.quotas, body.quotas) }),
      });
      wakeJobs();
      return show(find(caller, id));
    },

    /**
     * Its keys are revoked first; then everything it owns goes, in steps. Can be repeated where it was interrupted: the
     * tenant stays, suspended and without keys, until nothing of it is left to be deleted.
     */
    async remove(caller: Caller, id: string): Promise<void> {
      find(caller, id);
      if (tenants.first()?.id === id)
        throw new AppError("permission_denied", "The server's first tenant cannot be deleted: its keys administer it.");
      storage.db.transaction(() => {
        tenants.removeKeys(id);
        tenants.update(id, { status: "suspended" });
      });
      for (;;) {
        const { rows } = stores.list(id, { limit: STEP, order: "asc" }, null);
        if (rows.length === 0) break;
        for (const row of rows) deleteStore(storage, id, row.id, clock.nowMs());
      }
      await removeFiles(id);
      for (const part of storage.uploads.removeOfTenant(id)) await blobs.remove(part);
      tenants.remove(id);
      wakeJobs();
    },
  };
}

export function definedQuotas(quotas: QuotasInput): Partial<Quotas> {
  return Object.fromEntries(Object.entries(quotas).filter(([, value]) => value !== undefined && value !== null));
}

/** What was left out stays, null becomes the default again. */
export function mergedQuotas(before: string, changes: QuotasInput): Partial<Quotas> {
  return definedQuotas({ ...parseQuotas(before), ...changes });
}
