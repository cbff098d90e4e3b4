import type { TextAnalysis, TextAsker } from "../../index/text-analysis.ts";
import type { Embed } from "../../models/failures.ts";
import type { GenerationRow } from "../../storage/generations.ts";
import type { Storage, Tables } from "../../storage/storage.ts";
import type { StoreFileRow } from "../../storage/store-files.ts";
import type { StoreRow } from "../../storage/stores.ts";
import type { Caller } from "../../http/caller.ts";
import { nextTurn } from "../../platform/next-turn.ts";
import { mayUseFile } from "../stored-files/scope.ts";
import type { Space, Wanted } from "../stored-files/space.ts";
import type { Within } from "../attaching/attach.ts";
import type { StoreAccess } from "../store-access.ts";
import type { Asking } from "../asking.ts";
import { type AnalysedItem, append, contentBytes, fileFor, nameOf, noSuchFile } from "./append.ts";
import { InlineFiles, type InlineFilesDeps } from "./inline-files.ts";
import { type InsertRequest, type Item, passages, withVectors } from "./items.ts";
import type { InsertedVector } from "./schema.ts";

export interface InsertDeps extends InlineFilesDeps, Pick<Storage, "generations" | "shownIds"> {
  access: StoreAccess;
  embed: Embed;
  space: Pick<Space, "reserve" | "assertMayKeep">;
  texts: TextAnalysis;
  /** The file's chunks change: other generations of the store are behind with it. Part of the transaction. */
  outdate: (tables: Tables, file: StoreFileRow, generation: GenerationRow) => Promise<void>;
  /** The file has more chunks: its store's index, if it is in memory, takes them. Called in the turn of the commit. */
  grew: (file: StoreFileRow, generation: GenerationRow) => void;
  /** Files that may be in one store; null: no limit. */
  maxFilesPerStore?: (store: StoreRow) => Promise<number | null>;
  notify: (storeId: string) => void;
}

/**
 * Chunks brought by the client, with vectors of its own or embedded here. All are taken in or none: what takes time is
 * done before, outside the serving thread and in turns with other tenants; then one transaction writes the rows.
 */
export interface VectorInserter {
  insert(asking: Asking, request: InsertRequest, signal: AbortSignal): Promise<InsertedVector[]>;
  /** @throws AppError where nothing can be put into this store. */
  assertUsable(asking: Asking): Promise<void>;
}

export function vectorInserter(deps: InsertDeps): VectorInserter {
  return new Inserter(deps);
}

/** Each costs some tenths of a millisecond, whatever it gets. */
const FILES_A_TURN = 50;

class Inserter implements VectorInserter {
  readonly #deps: InsertDeps;
  readonly #inlineFiles: InlineFiles;

  constructor(deps: InsertDeps) {
    this.#deps = deps;
    this.#inlineFiles = new InlineFiles(deps);
  }

  async assertUsable(asking: Asking): Promise<void> {
    await this.#deps.access.usable(asking);
  }

  async insert(asking: Asking, request: InsertRequest, signal: AbortSignal): Promise<InsertedVector[]> {
    const { access, space } = this.#deps;
    await access.usable(asking);
    const wanted = { owner: asking.caller, bytes: contentBytes(request.bodies), areNew: true };
    const room = await space.reserve(wanted);
    try {
      return await this.#insert(asking, { ...request, wanted }, AbortSignal.any([signal, room.signal]));
    } catch (error) {
      // Given up because the tenant ends: that is what the client is told.
      room.signal.throwIfAborted();
      throw error;
    } finally {
      room.release();
    }
  }

  async #insert(
    asking: Asking,
    request: InsertRequest & { wanted: Wanted },
    signal: AbortSignal,
  ): Promise<InsertedVector[]> {
    const { access, clock, embed, files, generations, shownIds, space, transaction } = this.#deps;
    const store = await access.usable(asking);
    const generation = await generations.liveOf(store);
    if (generation === null) throw new Error("a store has no live generation");
    const items = await withVectors(passages(embed, signal), generation, request);
    await refuseUnknown({ files }, asking.caller, items);
    const perFile = await this.#analysed(store, await this.#byFile(asking.caller, store, items), signal);
    const most = (await this.#deps.maxFilesPerStore?.(store)) ?? null;
    // Taking over a thousand analysed texts takes long enough by itself.
    if (items.length > 1) await nextTurn();
    const ids = await transaction(async (tables, tx) => {
      const now = await access.usable(asking, tables.stores);
      // Another generation went live while the texts were embedded: they need that one's vectors.
      if (now.live_generation !== generation.id) return null;
      await space.assertMayKeep(tables, request.wanted);
      await refuseUnknown(tables, asking.caller, items);
      // Named anew meanwhile: its chunks are found by that name.
      if (!(await haveTheirNames(tables, now, perFile))) return null;
      return await this.#append({ tables, tx }, { store: now, generation, most }, perFile);
    });
    if (ids === null) return await this.#insert(asking, request, signal);
    // Writing the rows and writing the answer take long enough each, where there are a thousand.
    if (items.length > 1) await nextTurn();
    return items.map((item) => ({
      id: shownIds.chunks.idOf(ids.get(item) ?? 0),
      object: "embedding",
      vector_store_id: store.id,
      content: item.body.content,
      metadata: item.attributes,
      created_at: clock.nowSeconds(),
    }));
  }

  /** The items of each file; files for those that name none are made. */
  async #byFile(owner: Caller, store: StoreRow, items: readonly Item[]): Promise<Map<string, Item[]>> {
    const fileIds = new Map<Item, string>();
    let inline: string | null = null;
    for (const item of items) {
      const id: string = item.body.file_id ?? (inline ??= await this.#inlineFiles.next(store));
      fileIds.set(item, id);
    }
    if (inline !== null) await this.#inlineFiles.ensure(owner, inline);
    return Map.groupBy(items, (item) => fileIds.get(item) ?? "");
  }

  /** What is in the texts, each file's for its name. */
  async #analysed(
    store: StoreRow,
    perFile: ReadonlyMap<string, readonly Item[]>,
    signal: AbortSignal,
  ): Promise<FileItems[]> {
    const asker: TextAsker = { tenant: store.tenant_id, signal };
    const all: FileItems[] = [];
    for (const [fileId, own] of perFile) {
      const filename = await nameIn(this.#deps, store, fileId);
      if (filename === null) throw noSuchFile(fileId, own[0]?.param ?? "");
      const texts = own.map((item) => item.body.content);
      const facts = await this.#deps.texts.analyse({ texts, filename }, asker);
      const items = own.flatMap((item, i) => {
        const found = facts[i];
        return found === undefined ? [] : [{ item, facts: found }];
      });
      all.push({ fileId, filename, items });
    }
    return all;
  }

  /** Returns the row's id of each item's chunk. */
  async #append(
    at: Within,
    { store, generation, most }: { store: StoreRow; generation: GenerationRow; most: number | null },
    perFile: readonly FileItems[],
  ): Promise<Map<Item, number>> {
    const { clock, outdate, grew, notify } = this.#deps;
    const { tables, tx } = at;
    const idOf = new Map<Item, number>();
    for (const [i, { fileId, items }] of perFile.entries()) {
      const [first] = items;
      if (first === undefined) continue;
      if (i % FILES_A_TURN === FILES_A_TURN - 1) await tx.nextTurn();
      const nowSeconds = clock.nowSeconds();
      const file = await fileFor(tables, store, { fileId, prefix: first.item.param, most, nowSeconds });
      const added = await append(at, { file, generation }, items);
      items.forEach(({ item }, j) => idOf.set(item, added[j] ?? 0));
      await outdate(tables, file, generation);
      tx.onCommit(() => grew(file, generation));
    }
    await tables.stores.touch(store.tenant_id, store.id, clock.nowSeconds());
    tx.onCommit(() => notify(store.id));
    return idOf;
  }
}

/** The items of one file, analysed for its name. */
interface FileItems {
  fileId: string;
  filename: string;
  items: AnalysedItem[];
}

/** What the file is called in the store, or would be; null where there is none. */
async function nameIn(
  { storeFiles, files }: Pick<Tables, "storeFiles" | "files">,
  store: StoreRow,
  fileId: string,
): Promise<string | null> {
  const file = (await storeFiles.get(store.tenant_id, store.id, fileId)) ?? (await files.get(store.tenant_id, fileId));
  return file === null ? null : nameOf(file.filename);
}

async function haveTheirNames(tables: Tables, store: StoreRow, perFile: readonly FileItems[]): Promise<boolean> {
  for (const { fileId, filename } of perFile) {
    const name = await nameIn(tables, store, fileId);
    if (name !== null && name !== filename) return false;
  }
  return true;
}

/** A file that the caller names must be one that it may know of. */
async function refuseUnknown(tables: Pick<Tables, "files">, caller: Caller, items: readonly Item[]): Promise<void> {
  const known = new Set<string>();
  for (const { body, param } of items) {
    if (body.file_id === undefined || known.has(body.file_id)) continue;
    if (!(await mayUseFile(tables, caller, body.file_id))) throw noSuchFile(body.file_id, param);
    known.add(body.file_id);
  }
}
