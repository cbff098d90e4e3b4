import { Type } from "@sinclair/typebox";
import type { Static } from "@sinclair/typebox";
import type { Asking } from "../api/asking.ts";
import { presenterFor } from "../api/presenters/choose.ts";
import type { VectorStore } from "../api/store-schema.ts";
import type { StoresService } from "../api/vector-stores/service.ts";
import { AppError } from "../errors.ts";
import type { Caller } from "../http/caller.ts";
import { type Tool, type ToolCall, ToolError } from "./tool.ts";

/** Stores shown at a time, and named where one is not found. */
const PAGE = 20;
/** Stores that one search goes through at most. */
export const MOST_SEARCHED = 100;

/** Characters of an id or a name. */
const MAX_NAME = 256;

export const StoreArgument = Type.String({
  minLength: 1,
  maxLength: MAX_NAME,
  description: "The store's id or name, as list_stores gives them.",
});

export type Stores = Pick<StoresService, "list" | "get" | "named">;

export function askingFor(caller: Caller, storeId: string): Asking {
  return { caller, storeId, rules: presenterFor("openai").rules };
}

/** The store of that id, else the one of that name; null where there is none that the caller may see. */
export async function findStore(stores: Stores, caller: Caller, word: string): Promise<VectorStore | null> {
  try {
    return await stores.get(askingFor(caller, word));
  } catch (error) {
    if (!(error instanceof AppError && error.code === "vector_store_not_found")) throw error;
  }
  const ids = await stores.named(caller, word, PAGE);
  const [id] = ids;
  if (id === undefined) return null;
  if (ids.length === 1) return await stores.get(askingFor(caller, id));
  throw new ToolError(`Several stores have that name: say which by its id (${ids.join(", ")}).`);
}

/** The store that a tool is to work in. Throws a `ToolError` that names those that there are. */
export async function storeOf(stores: Stores, args: object, { caller, store }: ToolCall): Promise<VectorStore> {
  if (store !== null) return store;
  const word = "store" in args && typeof args.store === "string" ? args.store : "";
  const found = await findStore(stores, caller, word);
  if (found !== null) return found;
  const { data, hasMore } = await stores.list(caller, newest(PAGE), null);
  if (data.length === 0) throw new ToolError("There is no store that this key may see.");
  const names = data.map(({ id, name }) => (name === "" ? id : `${name} (${id})`)).join(", ");
  throw new ToolError(`There is no such store. There are: ${names}${hasMore ? " and others; see list_stores" : ""}.`);
}

/** The stores that a search for everything goes through: those that can be searched and have something. */
export async function searchedStores(stores: Stores, { caller, store }: ToolCall): Promise<VectorStore[]> {
  if (store !== null) return [store];
  const { data, hasMore } = await stores.list(caller, newest(MOST_SEARCHED), null);
  if (hasMore) {
    const text = `There are more than ${MOST_SEARCHED} stores: search one of them with search_store.`;
    throw new ToolError(text);
  }
  const open = data.filter(({ status, lifecycle }) => status !== "expired" && lifecycle !== "suspended");
  // Nothing found would be taken for an answer.
  if (open.length === 0 && data.length > 0)
    throw new ToolError(
      "No store can be searched: they are suspended or have expired; see the server's administrator.",
    );
  return open.filter(({ file_counts: files }) => files.completed > 0);
}

function newest(limit: number) {
  return { limit, order: "desc", after: null, before: null } as const;
}

const ListStores = Type.Object(
  {
    name: Type.Optional(Type.String({ minLength: 1, maxLength: MAX_NAME, description: "Part of the name." })),
    cursor: Type.Optional(Type.String({ maxLength: MAX_NAME, description: "`next` of the page before." })),
  },
  { additionalProperties: false },
);

const StoreList = Type.Object({
  stores: Type.Array(
    Type.Object({
      id: Type.String(),
      name: Type.String(),
      description: Type.Union([Type.String(), Type.Null()]),
      files: Type.Integer({ description: "Files that can be searched." }),
      updated_at: Type.Union([Type.String(), Type.Null()], { description: "When it was last used, ISO 8601." }),
    }),
  ),
  next: Type.Optional(Type.String({ description: "There are more: pass it as `cursor`." })),
});

export function storeTools(stores: Stores): Tool[] {
  return [
    {
      name: "list_stores",
      title: "List stores",
      description: "Lists the stores of documents that can be searched, the newest first.",
      input: ListStores,
      output: StoreList,
      async run(args, { caller }): Promise<Static<typeof StoreList>> {
        const { name = null, cursor = null } = args as Static<typeof ListStores>;
        const page = await stores.list(caller, { ...newest(PAGE), after: cursor }, name);
        const last = page.data.at(-1);
        return { stores: page.data.map(shownStore), ...(page.hasMore && last ? { next: last.id } : {}) };
      },
    },
  ];
}

function shownStore(store: VectorStore): Static<typeof StoreList>["stores"][number] {
  const { id, name, description, file_counts: files, last_active_at: usedAt } = store;
  const updatedAt = usedAt === null ? null : new Date(usedAt * 1000).toISOString();
  return { id, name, description: description ?? null, files: files.completed, updated_at: updatedAt };
}
