import { AppError } from "../../errors.ts";
import type { Clock } from "../../platform/clock.ts";
import { newId } from "../../platform/ids.ts";
import type { Storage } from "../../storage/storage.ts";
import type { KeyRow, OperatorLimits } from "../../storage/keys.ts";
import { NO_QUOTAS } from "../../storage/quotas.ts";
import type { Caller } from "../../http/caller.ts";
import { isDialect } from "../../http/dialect.ts";
import type { Cursor } from "../../http/openai.ts";
import { notFound } from "../../http/not-found.ts";
import { hashKey, keyHint, newKey } from "../../http/plugins/auth.ts";
import { pageQuery } from "../../http/page-query.ts";
import type { ApiKey, CreateKeyBody, NewApiKey, UpdateKeyBody } from "./schema.ts";
import type { TenantsService } from "./tenants.ts";
import { definedQuotas, mergedQuotas } from "./tenants.ts";

/**
 * API keys. Operators administer those of all tenants, the administrator of another tenant its own tenant's. A key is
 * 238 random bits, shown once; its row is all there is of it, so that revoking it is removing the row.
 */
export interface KeysDeps {
  storage: Pick<Storage, "transaction" | "tenants" | "stores">;
  clock: Clock;
  tenants: Pick<TenantsService, "find">;
}

export interface KeyPage {
  data: ApiKey[];
  hasMore: boolean;
}

export interface KeysService {
  /** The only time that the key itself is told. */
  create(caller: Caller, body: CreateKeyBody): Promise<NewApiKey>;
  /** `tenantId`: only that tenant's keys. */
  list(caller: Caller, cursor: Cursor, tenantId: string | undefined): Promise<KeyPage>;
  get(caller: Caller, id: string): Promise<ApiKey>;
  update(caller: Caller, id: string, body: UpdateKeyBody): Promise<ApiKey>;
  /** From the next request on the key is unknown. */
  remove(caller: Caller, id: string): Promise<void>;
}

export function keysService(deps: KeysDeps): KeysService {
  return new Keys(deps);
}

class Keys implements KeysService {
  readonly #deps: KeysDeps;

  constructor(deps: KeysDeps) {
    this.#deps = deps;
  }

  async create(caller: Caller, asked: CreateKeyBody): Promise<NewApiKey> {
    const { storage, clock, tenants } = this.#deps;
    const body = within(await this.#ownLimits(caller), asked);
    const tenantId = (await tenants.find(caller, body.tenant_id ?? caller.tenantId)).id;
    const role = body.role ?? "write";
    const storeIds = body.vector_store_ids ?? null;
    await this.#check(body, { tenantId, role, storeIds });
    const key = newKey();
    const id = newId("key_");
    await storage.tenants.insertKey({
      id,
      tenantId,
      hash: hashKey(key),
      name: body.name,
      role,
      storeIds,
      dialect: body.dialect ?? null,
      quotas: definedQuotas(body.quotas ?? {}),
      operatorLimits: caller.isOperator === true ? operatorLimits({}, body) : {},
      hint: keyHint(key),
      createdAt: clock.nowSeconds(),
      expiresAt: body.expires_at ?? null,
    });
    return { ...show((await storage.tenants.getKey(id)) as KeyRow), key };
  }

  async list(caller: Caller, cursor: Cursor, tenantId: string | undefined): Promise<KeyPage> {
    const { storage, tenants } = this.#deps;
    const own = caller.isOperator === true ? null : caller.tenantId;
    const only = tenantId === undefined ? own : (await tenants.find(caller, tenantId)).id;
    const place = async (id: string) => {
      const row = await storage.tenants.getKey(id);
      return row === null || (own !== null && row.tenant_id !== own) ? undefined : row.seq;
    };
    const query = await pageQuery(cursor, place, "API key");
    const { rows, hasMore } = await storage.tenants.pageOfKeys(only, query);
    return { data: rows.map(show), hasMore };
  }

  async get(caller: Caller, id: string): Promise<ApiKey> {
    return show(await this.#find(caller, id));
  }

  async update(caller: Caller, id: string, body: UpdateKeyBody): Promise<ApiKey> {
    const row = await this.#find(caller, id);
    const tenantId = row.tenant_id;
    const storeIds = body.vector_store_ids === undefined ? row.store_ids : body.vector_store_ids;
    await this.#check(body, { tenantId, role: body.role ?? row.role, storeIds });
    refuseBeyond(await this.#ownLimits(caller), body, OWN);
    await this.#deps.storage.transaction(async ({ tenants }) => {
      const now = await tenants.getKey(id);
      const before = now?.quotas ?? NO_QUOTAS;
      const limits = now?.operator_limits ?? {};
      if (caller.isOperator !== true) refuseBeyond(limits, body, OPERATORS);
      await tenants.updateKey(tenantId, id, {
        name: body.name,
        role: body.role,
        storeIds: body.vector_store_ids,
        dialect: body.dialect,
        quotas: body.quotas === undefined ? undefined : mergedQuotas(before, body.quotas),
        expiresAt: body.expires_at,
        operatorLimits: caller.isOperator === true ? operatorLimits(limits, body) : undefined,
      });
    });
    return show(await this.#find(caller, id));
  }

  async remove(caller: Caller, id: string): Promise<void> {
    await this.#deps.storage.tenants.removeKey((await this.#find(caller, id)).tenant_id, id);
  }

  /** What the caller's own key is limited to: it hands on no more. The key of verbs on this machine has no row. */
  async #ownLimits(caller: Caller): Promise<OperatorLimits> {
    const row = await this.#deps.storage.tenants.getKey(caller.keyId);
    return row === null ? {} : operatorLimits({}, { quotas: row.quotas, expires_at: row.expires_at });
  }

  async #find(caller: Caller, id: string): Promise<KeyRow> {
    const row = await this.#deps.storage.tenants.getKey(id);
    if (row === null || (caller.isOperator !== true && row.tenant_id !== caller.tenantId)) throw notFound("key", id);
    return row;
  }

  /** Throws where a key cannot be as the body says; `tenantId`, `role` and `storeIds` are those it would have. */
  async #check(
    body: UpdateKeyBody,
    { tenantId, role, storeIds }: Pick<KeyRow, "role"> & { tenantId: string; storeIds: readonly string[] | null },
  ): Promise<void> {
    const { storage, clock } = this.#deps;
    if (role === "admin" && storeIds !== null) {
      const text = "Invalid 'vector_store_ids': an administrator's key cannot be limited to some vector stores.";
      throw new AppError("invalid_value", text, { param: "vector_store_ids" });
    }
    for (const id of body.vector_store_ids ?? []) {
      const store = await storage.stores.get(tenantId, id);
      if (store === null || store.lifecycle === "deleting")
        throw new AppError("vector_store_not_found", `No vector store found with id '${id}'`, {
          param: "vector_store_ids",
        });
    }
    if (typeof body.expires_at === "number" && body.expires_at <= clock.nowSeconds())
      throw new AppError("invalid_value", "Invalid 'expires_at': it is in the past.", { param: "expires_at" });
    if (typeof body.quotas?.concurrent_ingests === "number") {
      const text = "Invalid 'quotas.concurrent_ingests': files are indexed for a tenant; set it there.";
      throw new AppError("invalid_value", text, { param: "quotas.concurrent_ingests" });
    }
  }
}

type Limits = Pick<UpdateKeyBody, "quotas" | "expires_at">;

/** The limits that a body sets, or (null) lifts. */
function limitsIn({ quotas, expires_at: expiresAt }: Limits): [name: keyof OperatorLimits, value: number | null][] {
  const given = Object.entries({ ...quotas, expires_at: expiresAt }).filter(([, value]) => value !== undefined);
  return given as [keyof OperatorLimits, number | null][];
}

/** What an operator allows a key at most once it made or changed it so. */
function operatorLimits(before: OperatorLimits, body: Limits): OperatorLimits {
  const after: OperatorLimits = { ...before };
  for (const [name, value] of limitsIn(body)) {
    if (value === null) delete after[name];
    else after[name] = value;
  }
  return after;
}

/** Whose limit it is that a body goes beyond, in words. */
type Refusal = (param: string, most: number) => string;
const OPERATORS: Refusal = (param, most) =>
  `An operator of this server limited '${param}' of this key to ${most}; only an operator may go beyond it.`;
const OWN: Refusal = (param, most) =>
  `The key of this request is itself limited to ${most} in '${param}': it cannot give another key more.`;

/** Limits may be narrowed, and widened again up to `limits`. */
function refuseBeyond(limits: OperatorLimits, body: Limits, refusal: Refusal): void {
  for (const [name, value] of limitsIn(body)) {
    const most = limits[name];
    if (most === undefined || (value !== null && value <= most)) continue;
    const param = name === "expires_at" ? name : `quotas.${name}`;
    throw new AppError("permission_denied", refusal(param, most), { param });
  }
}

/** A new key as it is asked for, with the limits of the key that makes it where it names none. */
function within(own: OperatorLimits, body: CreateKeyBody): CreateKeyBody {
  refuseBeyond(own, body, OWN);
  const { expires_at: expiresAt, ...quotas } = own;
  return {
    ...body,
    quotas: { ...quotas, ...body.quotas },
    ...(expiresAt === undefined ? {} : { expires_at: body.expires_at ?? expiresAt }),
  };
}

function show(row: KeyRow): ApiKey {
  return {
    id: row.id,
    object: "api_key",
    name: row.name,
    tenant_id: row.tenant_id,
    role: row.role,
    vector_store_ids: row.store_ids,
    dialect: isDialect(row.dialect) ? row.dialect : null,
    quotas: row.quotas,
    created_at: row.created_at,
    expires_at: row.expires_at,
    last_used_at: row.last_used_at,
    hint: row.hint,
  };
}
