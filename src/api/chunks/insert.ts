import { createHash } from "node:crypto";
import { beyondFloat32, fitVectors, unitVector } from "../../embed/vectors.ts";
import { AppError } from "../../errors.ts";
import { encodeTerms } from "../../index/analyzer.ts";
import { countTokens } from "../../chunk/tokens.ts";
import type { Clock } from "../../platform/clock.ts";
import type { Blobs } from "../../storage/blobs.ts";
import type { ChunkOwner, NewChunk } from "../../storage/chunks.ts";
import type { GenerationRow } from "../../storage/generations.ts";
import type { Storage } from "../../storage/storage.ts";
import type { StoreFileRow } from "../../storage/store-files.ts";
import type { StoreRow } from "../../storage/stores.ts";
import type { Caller } from "../../http/caller.ts";
import { numberTooLarge } from "../../http/problem-words.ts";
import type { Embed } from "../embeddings/service.ts";
import { embedError } from "../embeddings/service.ts";
import { mayUseFile } from "../files/scope.ts";
import type { DialectRules } from "../presenters/presenter.ts";
import { chunkIdOf } from "../search/results.ts";
import { AUTO_STRATEGY, readAttributes } from "../vector-store-files/input.ts";
import type { Attributes } from "../vector-store-files/schema.ts";
import type { StoreAccess } from "../vector-stores/access.ts";
import type { InsertVectorBody, InsertedVector } from "./schema.ts";

export interface InsertDeps extends Pick<Storage, "db" | "files" | "stores" | "storeFiles" | "generations" | "chunks"> {
  clock: Clock;
  access: StoreAccess;
  embed: Embed;
  /** The file's chunks changed: its store's index, if it is in memory, takes them. Called after the commit. */
  reload: (file: StoreFileRow, generation: GenerationRow) => void;
  blobs: Pick<Blobs, "writer">;
  /** Files that may be in one store; null: no limit. */
  maxFilesPerStore?: (store: StoreRow) => number | null;
  notify: (storeId: string) => void;
}

/** The name of the file that ready-made vectors belong to where the client names none. */
const INLINE = "inline";
/** Chunks of one inline file, about: appending costs in proportion to what the file holds. */
const INLINE_CHUNKS = 1000;

interface Item {
  body: InsertVectorBody;
  param: string;
  attributes: Attributes | null;
  vectors: Float32Array;
}

/** Chunks brought by the client, with vectors of its own or embedded here. All are taken in or none. */
export function vectorInserter(deps: InsertDeps) {
  const { db, storeFiles, generations, chunks, clock } = deps;
  const inlineNumbers = new Map<string, number>();

  async function withVectors(
    generation: GenerationRow,
    bodies: readonly InsertVectorBody[],
    prefix: (i: number) => string,
    signal: AbortSignal,
  ): Promise<Item[]> {
    const missing = bodies.filter((body) => body.embedding === undefined).map((body) => body.content);
    const embedded = missing.length === 0 ? [] : await passages(generation, missing, signal);
    let next = 0;
    return bodies.map((body, i) => {
      const param = prefix(i);
      const own = body.embedding;
      if (own !== undefined && own.length !== generation.dimensions) {
        const text = `Invalid '${param}embedding': expected ${generation.dimensions} dimensions, but got ${own.length} instead.`;
        throw new AppError("invalid_dimensions", text, { param: `${param}embedding` });
      }
      const wrong = own === undefined ? null : beyondFloat32(own);
      if (wrong !== null) throw numberTooLarge(`${param}embedding[${wrong}]`);
      const attributes = readAttributes(body, param) ?? null;
      const vectors = own === undefined ? embedded[next++] : unitVector(own);
      if (vectors === undefined) throw new Error("an embedder gave fewer vectors than texts");
      return { body, param, attributes, vectors };
    });
  }

  async function passages(generation: GenerationRow, texts: string[], signal: AbortSignal): Promise<Float32Array[]> {
    const result = await deps.embed(generation.model, texts, "passage", signal);
    if (!result.ok) throw embedError(result);
    return result.texts.map((text) =>
      fitVectors(text.vectors, text.vectors.length / text.windows, generation.dimensions),
    );
  }

  /** A file that the caller names must be one that it may know of. */
  function refuseUnknown(caller: Caller, items: readonly Item[]): void {
    for (const { body, param } of items) {
      if (body.file_id !== undefined && !mayUseFile(deps, caller, body.file_id))
        throw new AppError("file_not_found", `No such File object: ${body.file_id}`, { param: `${param}file_id` });
    }
  }

  /** The row that a chunk belongs to; made here where the file is not attached yet, without indexing its bytes. */
  function fileFor(store: StoreRow, fileId: string, { param: prefix, attributes }: Item): StoreFileRow {
    const param = `${prefix}file_id`;
    const there = storeFiles.get(store.tenant_id, store.id, fileId);
    if (there?.status === "completed") return there;
    if (there !== null) {
      throw new AppError(
        "invalid_value",
        `Invalid '${param}': file '${fileId}' is ${there.status.replace("_", " ")} in this store; only a completed file takes more chunks.`,
        { param },
      );
    }
    const file = deps.files.get(store.tenant_id, fileId);
    if (file === null) throw new AppError("file_not_found", `No such File object: ${fileId}`, { param });
    const most = deps.maxFilesPerStore?.(store) ?? null;
    if (most !== null && storeFiles.count(store.tenant_id, store.id) >= most)
      throw new AppError("file_limit_reached", `Vector store '${store.id}' may hold ${most} files at most.`);
    const row = storeFiles.insert({
      tenantId: store.tenant_id,
      storeId: store.id,
      fileId,
      filename: file.filename,
      fileBytes: file.bytes,
      createdAt: clock.nowSeconds(),
      attributes: attributes === null ? null : JSON.stringify(attributes),
      ...AUTO_STRATEGY,
    });
    storeFiles.setChunked(store.tenant_id, row.seq, row.revision, []);
    storeFiles.complete(store.tenant_id, row.seq, row.revision, { usageBytes: 0, chunks: 0, vectors: 0 });
    return storeFiles.bySeq(store.tenant_id, row.seq) ?? row;
  }

  function append(generation: GenerationRow, file: StoreFileRow, items: readonly Item[]): number[] {
    const owner: ChunkOwner = { storeFile: file.seq, chunkSet: generation.chunk_set, revision: file.revision };
    const at = { tenantId: file.tenant_id, storeId: file.store_id, ...owner };
    const last = chunks.list(file.tenant_id, file.store_id, generation.chunk_set, { limit: 1, order: "desc" }, [
      file.file_id,
    ]).rows[0];
    let start = last === undefined ? 0 : last.end_cp + 1;
    const added = items.map(({ body }, i): NewChunk => {
      const end = start + [...body.content].length;
      const chunk: NewChunk = {
        idx: (last?.idx ?? -1) + 1 + i,
        text: body.content,
        tokens: countTokens(body.content),
        start,
        end,
        page: null,
        pageEnd: null,
        line: null,
        lineEnd: null,
        heading: [],
        terms: encodeTerms({ text: body.content, heading: [], title: file.filename === INLINE ? "" : file.filename }),
      };
      start = end + 1;
      return chunk;
    });
    chunks.add(at, added);
    const rows = chunks.withoutVector(file.tenant_id, owner, generation.id, items.length);
    chunks.addVectors(
      file.tenant_id,
      generation.id,
      rows.map((row, i) => {
        const item = items[i];
        if (item === undefined) throw new Error("more chunks than were given have no vector");
        return { chunkId: row.id, data: item.vectors };
      }),
    );
    storeFiles.setTotals(file.tenant_id, file.seq, chunks.fileTotals(file.tenant_id, owner, generation));
    return rows.map((row) => row.id);
  }

  /** The id of the inline file that takes the next chunks: a new one once the last is full, so that adding stays quick. */
  function inlineFile(store: StoreRow, attributes: Attributes | null): string {
    const first = inlineId(store, attributes);
    let number = inlineNumbers.get(first) ?? 1;
    const id = () => (number === 1 ? first : `${first}${number}`);
    while ((storeFiles.get(store.tenant_id, store.id, id())?.n_chunks ?? 0) >= INLINE_CHUNKS) number += 1;
    if (number > 1) inlineNumbers.set(first, number);
    return id();
  }

  /** The empty file that chunks without a file of their own belong to. */
  async function makeFile(tenantId: string, id: string): Promise<void> {
    const writer = await deps.blobs.writer();
    const { sha256 } = await writer.commit(id);
    const file = { id, tenant_id: tenantId, filename: INLINE, bytes: 0, purpose: "assistants", mime: null, sha256 };
    // Two requests may make it at the same time.
    if (deps.files.get(tenantId, id) === null)
      deps.files.insert({ ...file, created_at: clock.nowSeconds(), expires_at: null });
  }

  /** `prefix` is where the i-th body stands in the request, for errors. */
  return async function insert(
    caller: Caller,
    storeId: string,
    bodies: readonly InsertVectorBody[],
    prefix: (i: number) => string,
    rules: DialectRules,
    signal: AbortSignal,
  ): Promise<InsertedVector[]> {
    const store = deps.access.usable(caller, storeId, rules);
    const generation = store.live_generation === null ? null : generations.get(store.tenant_id, store.live_generation);
    if (generation === null) throw new Error("a store has no live generation");
    const items = await withVectors(generation, bodies, prefix, signal);
    const fileIds = new Map(items.map((item) => [item, item.body.file_id ?? inlineFile(store, item.attributes)]));
    const fileIdOf = (item: Item) => fileIds.get(item) ?? "";
    for (const id of new Set(items.filter((item) => item.body.file_id === undefined).map(fileIdOf))) {
      if (deps.files.get(store.tenant_id, id) === null) await makeFile(store.tenant_id, id);
    }
    const ids = db.transaction(() => {
      deps.access.usable(caller, storeId, rules);
      refuseUnknown(caller, items);
      const perFile = Map.groupBy(items, fileIdOf);
      const idOf = new Map<Item, number>();
      for (const [fileId, own] of perFile) {
        const file = fileFor(store, fileId, own[0] as Item);
        const added = append(generation, file, own);
        own.forEach((item, i) => idOf.set(item, added[i] ?? 0));
        db.onCommit(() => deps.reload(storeFiles.bySeq(file.tenant_id, file.seq) ?? file, generation));
      }
      deps.stores.touch(store.tenant_id, store.id, clock.nowSeconds());
      db.onCommit(() => deps.notify(store.id));
      return idOf;
    });
    return items.map((item) => ({
      id: chunkIdOf(ids.get(item) ?? 0),
      object: "embedding",
      vector_store_id: store.id,
      content: item.body.content,
      metadata: item.attributes,
      created_at: clock.nowSeconds(),
    }));
  };
}

export type VectorInserter = ReturnType<typeof vectorInserter>;

/** The inline files of a store that have these attributes: one for each set of attributes, because filters look at files. */
function inlineId(store: StoreRow, attributes: Attributes | null): string {
  const pairs = Object.entries(attributes ?? {}).toSorted(([a], [b]) => (a < b ? -1 : 1));
  const which = pairs.length === 0 ? "" : createHash("sha256").update(JSON.stringify(pairs)).digest("hex").slice(0, 16);
  return `file-${INLINE}${which}${store.id.slice(3)}`;
}
