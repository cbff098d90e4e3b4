import { AppError } from "../errors.ts";
import { type Caller, mayUseStore, usableStores } from "../http/caller.ts";
import { shown } from "../platform/words.ts";
import { storeNotFound } from "../search/store-state.ts";
import type { Tables } from "../storage/storage.ts";

/** Stores of one name that a message lists. */
const LISTED = 3;

/**
 * The id of the store that a person named in another program: by its id, or by its exact name. Only what the caller may
 * see is looked at. Throws a 404 where there is none, and a 400 that lists ids where several have the name.
 */
export async function storeByName(
  { stores }: { stores: Pick<Tables["stores"], "get" | "named"> },
  caller: Caller,
  given: { name: string; param: string },
): Promise<string> {
  const { name, param } = given;
  const { tenantId } = caller;
  if (mayUseStore(caller, name) && (await stores.get(tenantId, name)) !== null) return name;
  const ids = await stores.named(tenantId, name, usableStores(caller), LISTED + 1);
  const [id] = ids;
  if (id === undefined) throw storeNotFound(name);
  if (ids.length === 1) return id;
  const list = ids.slice(0, LISTED).map((one) => `'${one}'`);
  const more = ids.length > LISTED ? " and others" : "";
  const text = `Invalid '${param}': several vector stores are called '${shown(name)}': ${list.join(", ")}${more}. Give the id of one.`;
  throw new AppError("invalid_value", text, { param });
}
