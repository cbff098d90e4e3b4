import { AppError } from "../../errors.ts";
import type { Clock } from "../../platform/clock.ts";
import { newId } from "../../platform/ids.ts";
import { deleteStore } from "../../storage/removal.ts";
import type { Storage } from "../../storage/storage.ts";
import type { StoreRow } from "../../storage/stores.ts";
import type { Caller } from "../../http/caller.ts";
import type { Cursors } from "../../http/cursors.ts";
import type { ModelCatalog } from "../models/service.ts";
import type { Cursor } from "../../http/openai.ts";
import type { DialectRules } from "../presenters/presenter.ts";
import type { Attacher } from "../vector-store-files/attach.ts";
import { readStrategy } from "../vector-store-files/input.ts";
import type { StoreAccess } from "./access.ts";
import { isExpired } from "./access.ts";
import { checkMetadata, checkName, chooseModel, SECONDS_A_DAY } from "./input.ts";
import { pageQuery } from "../../http/page-query.ts";
import type { CreateStoreBody, UpdateStoreBody, VectorStore } from "./schema.ts";

export interface StoresDeps extends Pick<Storage, "db" | "stores" | "generations" | "jobs" | "tenants" | "deletions"> {
  clock: Clock;
  access: StoreAccess;
  attacher: Attacher;
  cursors: Cursors;
  models: ModelCatalog;
  /** Stores that a tenant, and one of its keys, may have; null: no limit. */
  storeLimits: (caller: Caller) => { perTenant: number | null; perKey: number | null };
  /** What answers searches of the store now. */
  indexType: (store: StoreRow) => "exact" | "hnsw";
  /** Tells the store's indexes which kind they are to be from now on. */
  setIndexMode: (storeId: string, mode: StoreRow["index_mode"]) => void;
  wakeJobs: () => void;
  notify: (storeId: string) => void;
}

export type StoresService = ReturnType<typeof storesService>;

/** Vector stores. Every function takes the caller first and throws what the client is told. */
export function storesService(deps: StoresDeps) {
  const { db, stores, generations, clock, access } = deps;

  function show(row: StoreRow): VectorStore {
    const generation = row.live_generation === null ? null : generations.get(row.tenant_id, row.live_generation);
    const status = isExpired(row, clock.nowSeconds()) ? "expired" : row.n_in_progress > 0 ? "in_progress" : "completed";
    return {
      id: row.id,
      object: "vector_store",
      created_at: row.created_at,
      name: row.name,
      description: row.description,
      usage_bytes: row.usage_bytes,
      file_counts: {
        in_progress: row.n_in_progress,
        completed: row.n_completed,
        failed: row.n_failed,
        cancelled: row.n_cancelled,
        total: row.n_in_progress + row.n_completed + row.n_failed + row.n_cancelled,
      },
      status,
      expires_after: row.expires_days === null ? null : { anchor: "last_active_at", days: row.expires_days },
      expires_at: row.expires_at,
      last_active_at: row.last_active_at,
      metadata: row.metadata === null ? {} : (JSON.parse(row.metadata) as Record<string, unknown>),
      bytes: row.file_bytes,
      embedding_model: row.embedding_model,
      embedding_dimensions: row.embedding_dimensions,
      last_used_at: row.last_active_at,
      lifecycle: lifecycleOf(row),
      ...(generation === null
        ? {}
        : {
            index: {
              generation: generation.number,
              type: deps.indexType(row),
              model: generation.model,
              model_revision: generation.model_revision,
              dimensions: generation.dimensions,
              chunks: row.n_chunks,
              vectors: row.n_vectors,
            },
          }),
    };
  }

  /** A suspended tenant's stores are suspended. */
  function lifecycleOf(row: StoreRow): StoreRow["lifecycle"] {
    const isActive = row.lifecycle === "active";
    return isActive && deps.tenants.get(row.tenant_id)?.status === "suspended" ? "suspended" : row.lifecycle;
  }

  function refuseAboveLimits(caller: Caller): void {
    const { tenantId, keyId } = caller;
    const { perTenant, perKey } = deps.storeLimits(caller);
    const refuse = (whose: string, most: number) =>
      new AppError("vector_store_limit_reached", `${whose} may have ${most} vector stores at most; delete one first.`);
    if (perTenant !== null && stores.countByTenant(tenantId) >= perTenant) throw refuse("This organisation", perTenant);
    if (perKey !== null && stores.countByKey(tenantId, keyId) >= perKey) throw refuse("This key", perKey);
  }

  return {
    show,

    /** Makes the store and attaches `file_ids`, or does neither. */
    create(caller: Caller, body: CreateStoreBody, rules: DialectRules): VectorStore {
      if (caller.storeIds !== null) {
        throw new AppError("permission_denied", "This key is limited to certain vector stores and cannot make others.");
      }
      if (caller.tenantStatus === "suspended") {
        throw new AppError(
          "vector_store_suspended",
          "This organisation is suspended; ask the administrator of this server.",
        );
      }
      const name = checkName(body.name, rules);
      checkMetadata(body.metadata, rules);
      if (rules.nameAndModelRequired && !body.embedding_model) {
        throw new AppError("invalid_embedding_model", "Missing required parameter: 'embedding_model'.", {
          param: "embedding_model",
        });
      }
      const strategy = readStrategy(body.chunking_strategy, "chunking_strategy");
      const model = chooseModel(deps.models, body);
      const now = clock.nowSeconds();
      const days = body.expires_after?.days ?? null;
      const store = {
        id: newId("vs_"),
        tenantId: caller.tenantId,
        keyId: caller.keyId,
        name,
        description: body.description ?? null,
        metadata: body.metadata ? JSON.stringify(body.metadata) : null,
        createdAt: now,
        expiresDays: days,
        expiresAt: days === null ? null : now + days * SECONDS_A_DAY,
        embeddingModel: model.name,
        embeddingDimensions: body.dimensions ?? null,
        indexMode: body.index_type ?? "auto",
      };
      return db.transaction(() => {
        refuseAboveLimits(caller);
        stores.insert(store);
        const generation = generations.insert({
          tenantId: caller.tenantId,
          storeId: store.id,
          model: model.model,
          modelRevision: model.revision,
          dimensions: model.dimensions,
          chunkSet: null,
          state: "live",
          createdAt: now,
        });
        stores.setLiveGeneration(caller.tenantId, store.id, generation.id);
        const made = stores.get(caller.tenantId, store.id);
        if (made === null) throw new Error("a store that was just made is not there");
        if (body.file_ids === undefined || body.file_ids.length === 0) return show(made);
        deps.attacher.attach(
          caller,
          made,
          body.file_ids.map((fileId) => ({ fileId, attributes: undefined, strategy, param: "file_ids" })),
          body.file_ids.length === 1 ? 0 : 1,
        );
        return show(stores.get(caller.tenantId, store.id) ?? made);
      });
    },

    list(caller: Caller, cursor: Cursor): { data: VectorStore[]; hasMore: boolean } {
      const { tenantId } = caller;
      const find = (id: string) => stores.get(tenantId, id)?.seq ?? deps.cursors.find(tenantId, id);
      const page = pageQuery(cursor, find, "vector store");
      const { rows, hasMore } = stores.list(tenantId, page, caller.storeIds === null ? null : [...caller.storeIds]);
      deps.cursors.remember(tenantId, rows);
      return { data: rows.map(show), hasMore };
    },

    get: (caller: Caller, id: string, rules: DialectRules): VectorStore => show(access.visible(caller, id, rules)),

    update(caller: Caller, id: string, body: UpdateStoreBody, rules: DialectRules): VectorStore {
      const row = access.open(caller, id, rules);
      checkMetadata(body.metadata, rules);
      const days = body.expires_after === undefined ? undefined : (body.expires_after?.days ?? null);
      stores.update(caller.tenantId, id, {
        name: body.name === undefined ? undefined : checkName(body.name, { ...rules, nameAndModelRequired: false }),
        description: body.description,
        metadata: body.metadata === undefined ? undefined : JSON.stringify(body.metadata ?? {}),
        expiresDays: days,
        expiresAt: days === undefined || days === null ? days : row.last_active_at + days * SECONDS_A_DAY,
        indexMode: body.index_type,
      });
      if (body.index_type !== undefined) deps.setIndexMode(id, body.index_type);
      return show(stores.get(caller.tenantId, id) ?? row);
    },

    /** Gone for clients at once; its data goes in the background. Files themselves stay. */
    remove(
      caller: Caller,
      id: string,
      rules: DialectRules,
    ): { id: string; object: "vector_store.deleted"; deleted: true } {
      access.visible(caller, id, rules);
      access.noteDeleted(caller.tenantId, id);
      db.transaction(() => {
        deleteStore(deps, caller.tenantId, id, clock.nowMs());
        db.onCommit(() => {
          deps.wakeJobs();
          deps.notify(id);
        });
      });
      return { id, object: "vector_store.deleted", deleted: true };
    },
  };
}
