import { AppError } from "../../errors.ts";
import type { Embed } from "../../models/failures.ts";
import type { GenerationRow } from "../../storage/generations.ts";
import type { Storage, Tables } from "../../storage/storage.ts";
import type { StoreFileRow } from "../../storage/store-files.ts";
import type { StoreRow } from "../../storage/stores.ts";
import type { Caller } from "../../http/caller.ts";
import { mayUseFile } from "../files/scope.ts";
import { chunkIdOf } from "../../search/search.ts";
import type { Within } from "../vector-store-files/attach.ts";
import type { StoreAccess } from "../vector-stores/access.ts";
import type { Asking } from "../vector-stores/asking.ts";
import { append, fileFor } from "./append.ts";
import { InlineFiles, type InlineFilesDeps } from "./inline-files.ts";
import { type InsertRequest, type Item, passages, withVectors } from "./items.ts";
import type { InsertedVector } from "./schema.ts";

export interface InsertDeps extends InlineFilesDeps, Pick<Storage, "generations"> {
  access: StoreAccess;
  embed: Embed;
  /** The file's chunks change: other generations of the store are behind with it. Part of the transaction. */
  outdate: (tables: Tables, file: StoreFileRow, generation: GenerationRow) => Promise<void>;
  /** The file's chunks changed: its store's index, if it is in memory, takes them. Called in the turn of the commit. */
  reload: (file: StoreFileRow, generation: GenerationRow) => void;
  /** Files that may be in one store; null: no limit. */
  maxFilesPerStore?: (store: StoreRow) => Promise<number | null>;
  notify: (storeId: string) => void;
}

/** Chunks brought by the client, with vectors of its own or embedded here. All are taken in or none. */
export interface VectorInserter {
  insert(asking: Asking, request: InsertRequest, signal: AbortSignal): Promise<InsertedVector[]>;
}

export function vectorInserter(deps: InsertDeps): VectorInserter {
  return new Inserter(deps);
}

class Inserter implements VectorInserter {
  readonly #deps: InsertDeps;
  readonly #inlineFiles: InlineFiles;

  constructor(deps: InsertDeps) {
    this.#deps = deps;
    this.#inlineFiles = new InlineFiles(deps);
  }

  async insert(asking: Asking, request: InsertRequest, signal: AbortSignal): Promise<InsertedVector[]> {
    const { access, clock, embed, generations, transaction } = this.#deps;
    const store = await access.usable(asking);
    const generation = await generations.liveOf(store);
    if (generation === null) throw new Error("a store has no live generation");
    const items = await withVectors(passages(embed, signal), generation, request);
    const perFile = await this.#byFile(store, items);
    const most = (await this.#deps.maxFilesPerStore?.(store)) ?? null;
    const ids = await transaction(async (tables, tx) => {
      const now = await access.usable(asking, tables.stores);
      // Another generation went live while the texts were embedded: they need that one's vectors.
      if (now.live_generation !== generation.id) return null;
      await refuseUnknown(tables, asking.caller, items);
      return await this.#append({ tables, tx }, { store: now, generation, most }, perFile);
    });
    if (ids === null) return await this.insert(asking, request, signal);
    return items.map((item) => ({
      id: chunkIdOf(ids.get(item) ?? 0),
      object: "embedding",
      vector_store_id: store.id,
      content: item.body.content,
      metadata: item.attributes,
      created_at: clock.nowSeconds(),
    }));
  }

  /** The items of each file; files for those that name none are made. */
  async #byFile(store: StoreRow, items: readonly Item[]): Promise<Map<string, Item[]>> {
    const fileIds = new Map<Item, string>();
    const inline = new Set<string>();
    for (const item of items) {
      const id = item.body.file_id ?? (await this.#inlineFiles.next(store, item.attributes));
      fileIds.set(item, id);
      if (item.body.file_id === undefined) inline.add(id);
    }
    for (const id of inline) await this.#inlineFiles.ensure(store.tenant_id, id);
    return Map.groupBy(items, (item) => fileIds.get(item) ?? "");
  }

  /** Returns the row's id of each item's chunk. */
  async #append(
    { tables, tx }: Within,
    { store, generation, most }: { store: StoreRow; generation: GenerationRow; most: number | null },
    perFile: ReadonlyMap<string, readonly Item[]>,
  ): Promise<Map<Item, number>> {
    const { clock, outdate, reload, notify } = this.#deps;
    const idOf = new Map<Item, number>();
    for (const [fileId, own] of perFile) {
      const nowSeconds = clock.nowSeconds();
      const file = await fileFor(tables, store, { fileId, first: own[0] as Item, most, nowSeconds });
      const added = await append(tables, { file, generation }, own);
      own.forEach((item, i) => idOf.set(item, added[i] ?? 0));
      await outdate(tables, file, generation);
      tx.onCommit(() => reload(file, generation));
    }
    await tables.stores.touch(store.tenant_id, store.id, clock.nowSeconds());
    tx.onCommit(() => notify(store.id));
    return idOf;
  }
}

/** A file that the caller names must be one that it may know of. */
async function refuseUnknown(tables: Tables, caller: Caller, items: readonly Item[]): Promise<void> {
  for (const { body, param } of items) {
    if (body.file_id !== undefined && !(await mayUseFile(tables, caller, body.file_id)))
      throw new AppError("file_not_found", `No such File object: ${body.file_id}`, { param: `${param}file_id` });
  }
}
