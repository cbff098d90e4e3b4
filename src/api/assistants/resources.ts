/** What the tools of an assistant or a thread work on: given as stores that are there, or as files for a new one. */
import { AppError } from "../../errors.ts";
import type { KeptResources } from "../../storage/thread-items.ts";
import type { CreateStoreBody } from "../store-schema.ts";
import type { StoreAccess } from "../store-access.ts";
import type { MakeStore, StoreMaker } from "../attaching/attach.ts";
import type { Within } from "../attaching/attach.ts";
import { checkPairs } from "../attaching/input.ts";
import { presenterFor } from "../presenters/choose.ts";
import { type Asker, assertWrites } from "./access.ts";
import type { GivenResources, RunResources } from "./tools-schema.ts";

export interface ResourceDeps {
  access: StoreAccess;
  stores: StoreMaker;
}

/** What a transaction of the caller's makes of them; members that are null are to go. */
export type MakeResources = (at: Within) => Promise<ResourceChanges>;
export type ResourceChanges = { [K in keyof KeptResources]?: KeptResources[K] | null };

/** `expiresDays`: after so many days without use a new store expires. Throws what can be told before. */
export async function planResources(
  { access, stores }: ResourceDeps,
  asker: Asker,
  given: GivenResources | RunResources,
  { param, expiresDays }: { param: string; expiresDays: number | null },
): Promise<MakeResources> {
  const { code_interpreter: code, file_search: search } = given as GivenResources;
  const { vector_store_ids: ids, vector_stores: wanted } = search ?? {};
  if (ids !== undefined && wanted !== undefined) {
    const at = `${param}.file_search`;
    const text = `Invalid '${at}': only one of 'vector_store_ids' and 'vector_stores' may be given.`;
    throw new AppError("invalid_value", text, { param: at });
  }
  const { rules } = presenterFor(asker.dialect);
  for (const storeId of ids ?? []) await access.visible({ caller: asker.caller, storeId, rules });
  const make = await planStore(stores, asker, { wanted: wanted?.[0], expiresDays, param });
  return async (at) => {
    for (const storeId of ids ?? []) await access.visible({ caller: asker.caller, storeId, rules }, at.tables.stores);
    const made = make === null ? ids : [(await make(at)).id];
    return {
      ...(code === undefined ? {} : { code_interpreter: code === null ? null : { file_ids: code.file_ids ?? [] } }),
      ...(search === undefined ? {} : { file_search: made === undefined ? null : { vector_store_ids: made } }),
    };
  };
}

async function planStore(
  stores: ResourceDeps["stores"],
  { caller, dialect }: Asker,
  {
    wanted,
    expiresDays,
    param,
  }: {
    wanted: NonNullable<NonNullable<GivenResources["file_search"]>["vector_stores"]>[number] | undefined;
    expiresDays: number | null;
    param: string;
  },
): Promise<MakeStore | null> {
  if (wanted === undefined) return null;
  assertWrites(caller);
  const { file_ids, chunking_strategy, metadata } = wanted;
  if (metadata !== undefined) checkPairs(metadata, `${param}.file_search.vector_stores[0].metadata`);
  const body: CreateStoreBody = {
    ...storeBody(expiresDays),
    ...(file_ids === undefined ? {} : { file_ids }),
    ...(chunking_strategy === undefined ? {} : { chunking_strategy }),
    ...(metadata === undefined ? {} : { metadata }),
  };
  return await stores.plan(caller, body, { ...presenterFor(dialect).rules, nameAndModelRequired: false });
}

/** A store that nobody named. */
export function storeBody(expiresDays: number | null): CreateStoreBody {
  return expiresDays === null ? {} : { expires_after: { anchor: "last_active_at", days: expiresDays } };
}

/** Each member is replaced whole. */
export function mergedResources(before: KeptResources, changes: ResourceChanges): KeptResources {
  const merged = Object.entries({ ...before, ...changes }).filter(([, value]) => value !== null);
  return Object.fromEntries(merged) as KeptResources;
}
