import { AppError } from "../../errors.ts";
import { type Clock, DAY_SECONDS } from "../../platform/clock.ts";
import { newId } from "../../platform/ids.ts";
import { deleteStore } from "../../storage/removal.ts";
import type { Storage, Tables } from "../../storage/storage.ts";
import type { NewStore, StoreRow } from "../../storage/stores.ts";
import { type Caller, mayUseStore, usableStores } from "../../http/caller.ts";
import type { Cursors } from "../../http/cursors.ts";
import type { ChosenModel, ModelCatalog } from "../../models/model-catalog.ts";
import type { Cursor } from "../../http/openai.ts";
import type { DialectRules } from "../presenters/presenter.ts";
import type { Attacher } from "../attaching/attach.ts";
import { readStrategy } from "../attaching/input.ts";
import type { StoreAccess } from "../store-access.ts";
import type { MakeStore, StoreMaker } from "../attaching/attach.ts";
import type { Asking } from "../asking.ts";
import { checkMetadata, checkName, chooseModel } from "./input.ts";
import { pageQuery } from "../../http/page-query.ts";
import type { CreateStoreBody, UpdateStoreBody, VectorStore, VectorStoreDeleted } from "../store-schema.ts";
import { showStore, type ShownFrom, type ShowStoreDeps } from "./show.ts";

export interface StoresDeps extends ShowStoreDeps, Pick<Storage, "transaction" | "stores" | "generations" | "tenants"> {
  clock: Clock;
  access: StoreAccess;
  attacher: Attacher;
  cursors: Cursors;
  models: ModelCatalog;
  /** Stores that a tenant, and one of its keys, may have; null: no limit. */
  storeLimits: (caller: Caller) => Promise<StoreLimits>;
  /** Tells the store's indexes which kind they are to be from now on; called in the turn of the commit. */
  setIndexMode: (storeId: string, mode: StoreRow["index_mode"]) => void;
  wakeJobs: () => void;
  notify: (storeId: string) => void;
}

interface StoreLimits {
  perTenant: number | null;
  perKey: number | null;
}

export interface StorePage {
  data: VectorStore[];
  hasMore: boolean;
}

/** Vector stores. Every function that is asked by a caller throws what the client is told. */
export interface StoresService extends StoreMaker {
  show(row: StoreRow): Promise<VectorStore>;
  /** Makes the store and attaches `file_ids`, or does neither. */
  create(caller: Caller, body: CreateStoreBody, rules: DialectRules): Promise<VectorStore>;
  /** `name`: only those whose name contains it. */
  list(caller: Caller, cursor: Cursor, name: string | null): Promise<StorePage>;
  /** Ids of up to `limit` stores of exactly this name that the caller may see, the oldest first. */
  named(caller: Caller, name: string, limit: number): Promise<string[]>;
  get(asking: Asking): Promise<VectorStore>;
  update(asking: Asking, body: UpdateStoreBody): Promise<VectorStore>;
  /** Gone for clients at once; its data goes in the background. Files themselves stay. */
  remove(asking: Asking): Promise<VectorStoreDeleted>;
}

export function storesService(deps: StoresDeps): StoresService {
  return new Stores(deps);
}

class Stores implements StoresService {
  readonly #deps: StoresDeps;

  constructor(deps: StoresDeps) {
    this.#deps = deps;
  }

  show(row: StoreRow, from: ShownFrom = this.#deps): Promise<VectorStore> {
    return showStore(this.#deps, row, from);
  }

  async create(caller: Caller, body: CreateStoreBody, rules: DialectRules): Promise<VectorStore> {
    const make = await this.plan(caller, body, rules);
    return await this.#deps.transaction(async (tables, tx) => await this.show(await make({ tables, tx }), tables));
  }

  async plan(caller: Caller, body: CreateStoreBody, rules: DialectRules): Promise<MakeStore> {
    const { clock, models, storeLimits, attacher } = this.#deps;
    refuseBound(caller);
    const name = checkName(body.name, rules);
    checkMetadata(body.metadata, rules);
    if (rules.nameAndModelRequired && !body.embedding_model) {
      throw new AppError("invalid_embedding_model", "Missing required parameter: 'embedding_model'.", {
        param: "embedding_model",
      });
    }
    const strategy = readStrategy(body.chunking_strategy, "chunking_strategy");
    const model = chooseModel(models, body);
    const store = newStore(caller, body, { name, model: model.name, nowSeconds: clock.nowSeconds() });
    const limits = await storeLimits(caller);
    const most = await attacher.limitOf({ tenant_id: caller.tenantId, key_id: caller.keyId });
    return async (at) => {
      const { tables } = at;
      // Its tenant may have been suspended, or deleted, since the caller was found.
      if ((await tables.tenants.get(caller.tenantId))?.status !== "active") throw suspended();
      await refuseAboveLimits(tables, caller, limits);
      const made = await insert(tables, store, model);
      if (body.file_ids === undefined || body.file_ids.length === 0) return made;
      const wanted = body.file_ids.map((fileId) => ({ fileId, attributes: undefined, strategy, param: "file_ids" }));
      await attacher.attachWithin(at, { caller, store: made, wanted, priority: wanted.length === 1 ? 0 : 1, most });
      return (await tables.stores.get(caller.tenantId, store.id)) ?? made;
    };
  }

  async list(caller: Caller, cursor: Cursor, name: string | null): Promise<StorePage> {
    const { stores, cursors } = this.#deps;
    const { tenantId } = caller;
    // A store that the key may not know of is no place in its list.
    const find = async (id: string) =>
      mayUseStore(caller, id) ? ((await stores.get(tenantId, id))?.seq ?? cursors.find(tenantId, id)) : undefined;
    const page = await pageQuery(cursor, find, "vector store");
    const { rows, hasMore } = await stores.list(tenantId, page, { only: usableStores(caller), name });
    cursors.remember(tenantId, rows);
    return { data: await Promise.all(rows.map((row) => this.show(row))), hasMore };
  }

  async named(caller: Caller, name: string, limit: number): Promise<string[]> {
    return await this.#deps.stores.named(caller.tenantId, name, usableStores(caller), limit);
  }

  async get(asking: Asking): Promise<VectorStore> {
    return await this.show(await this.#deps.access.visible(asking));
  }

  async update(asking: Asking, body: UpdateStoreBody): Promise<VectorStore> {
    const { access, transaction, setIndexMode } = this.#deps;
    const { caller, storeId: id, rules } = asking;
    await access.open(asking);
    checkMetadata(body.metadata, rules);
    const days = body.expires_after === undefined ? undefined : (body.expires_after?.days ?? null);
    const name = body.name === undefined ? undefined : checkName(body.name, { ...rules, nameAndModelRequired: false });
    return await transaction(async (tables, tx) => {
      const row = await access.open(asking, tables.stores);
      await tables.stores.update(caller.tenantId, id, {
        name,
        description: body.description,
        metadata: body.metadata === undefined ? undefined : (body.metadata ?? {}),
        expiresDays: days,
        expiresAt: days === undefined || days === null ? days : row.last_active_at + days * DAY_SECONDS,
        indexMode: body.index_type,
      });
      const { index_type: mode } = body;
      if (mode !== undefined) tx.onCommit(() => setIndexMode(id, mode));
      return await this.show((await tables.stores.get(caller.tenantId, id)) ?? row, tables);
    });
  }

  async remove(asking: Asking): Promise<VectorStoreDeleted> {
    const { access, clock, transaction, wakeJobs, notify } = this.#deps;
    const { caller, storeId: id } = asking;
    await transaction(async (tables, tx) => {
      await access.visible(asking, tables.stores);
      await deleteStore(tables, caller.tenantId, id, clock.nowMs());
      tx.onCommit(() => {
        access.noteDeleted(caller.tenantId, id);
        wakeJobs();
        notify(id);
      });
    });
    return { id, object: "vector_store.deleted", deleted: true };
  }
}

/** Callers that may make no store at all. */
function refuseBound(caller: Caller): void {
  if (caller.storeIds !== null) {
    throw new AppError("permission_denied", "This key is limited to certain vector stores and cannot make others.");
  }
  if (caller.tenantStatus === "suspended") throw suspended();
}

function suspended(): AppError {
  return new AppError(
    "vector_store_suspended",
    "This organisation is suspended; ask the administrator of this server.",
  );
}

function newStore(
  caller: Caller,
  body: CreateStoreBody,
  { name, model, nowSeconds }: { name: string; model: string; nowSeconds: number },
): NewStore {
  const days = body.expires_after?.days ?? null;
  return {
    id: newId("vs_"),
    tenantId: caller.tenantId,
    keyId: caller.keyId,
    name,
    description: body.description ?? null,
    metadata: body.metadata ?? null,
    createdAt: nowSeconds,
    expiresDays: days,
    expiresAt: days === null ? null : nowSeconds + days * DAY_SECONDS,
    embeddingModel: model,
    embeddingDimensions: body.dimensions ?? null,
    indexMode: body.index_type ?? "auto",
  };
}

/** The store with its first generation, which is live at once. */
async function insert({ stores, generations }: Tables, store: NewStore, model: ChosenModel): Promise<StoreRow> {
  const { tenantId, id } = store;
  await stores.insert(store);
  const generation = await generations.insert({
    tenantId,
    storeId: id,
    model: model.model,
    modelRevision: model.revision,
    dimensions: model.dimensions,
    chunkSet: null,
    state: "live",
    createdAt: store.createdAt,
    windowTokens: model.windowTokens,
  });
  await stores.setLiveGeneration(tenantId, id, generation.id);
  const made = await stores.get(tenantId, id);
  if (made === null) throw new Error("a store that was just made is not there");
  return made;
}

async function refuseAboveLimits(
  { stores }: Pick<Tables, "stores">,
  { tenantId, keyId }: Caller,
  { perTenant, perKey }: StoreLimits,
): Promise<void> {
  const refuse = (whose: string, most: number) =>
    new AppError("vector_store_limit_reached", `${whose} may have ${most} vector stores at most; delete one first.`);
  if (perTenant !== null && (await stores.countByTenant(tenantId)) >= perTenant)
    throw refuse("This organisation", perTenant);
  if (perKey !== null && (await stores.countByKey(tenantId, keyId)) >= perKey) throw refuse("This key", perKey);
}
