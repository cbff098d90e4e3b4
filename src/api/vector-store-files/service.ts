import { AppError } from "../../errors.ts";
import type { Storage } from "../../storage/storage.ts";
import { sortValueOf, type StoreFileRow, type WantedFiles } from "../../storage/store-files.ts";
import type { StoreRow } from "../../storage/stores.ts";
import type { Cursors, Places } from "../../http/cursors.ts";
import type { Cursor } from "../../http/openai.ts";
import type { Page, PageQuery, SortPlace } from "../../storage/page.ts";
import type { StoreAccess } from "../store-access.ts";
import type { Asking } from "../asking.ts";
import type { StoreFilePage, StoreFilePages } from "../attaching/pages.ts";
import { pageQuery } from "../../http/page-query.ts";
import type { Attacher } from "../attaching/attach.ts";
import { strategyOf } from "../attaching/attach.ts";
import { chunksOf, joinChunks } from "../file-text.ts";
import { startOfChunk, type TextPart, textPart } from "../text-part.ts";
import { readAttributes, readStrategy, showStrategy } from "../attaching/input.ts";
import type {
  AttachFileBody,
  FileContentPage,
  FileSortName,
  Progress,
  UpdateFileBody,
  VectorStoreFile,
  VectorStoreFileDeleted,
} from "../attaching/schema.ts";

export interface StoreFilesDeps extends Pick<Storage, "storeFiles" | "generations" | "chunks"> {
  access: StoreAccess;
  attacher: Attacher;
  cursors: Cursors;
  /** The same for lists in another order. */
  sorted: Places<SortPlace>;
  progress: { fresh(): Promise<void>; get(storeFile: number): Progress | null };
}

/** Which files, and in which order. */
export interface WantedList extends WantedFiles {
  sort: FileSortName;
}

/** Files as they are in a store. */
export interface StoreFilesService extends StoreFilePages {
  attach(asking: Asking, body: AttachFileBody): Promise<VectorStoreFile>;
  list(asking: Asking, cursor: Cursor, wanted: WantedList): Promise<StoreFilePage>;
  get(asking: Asking, fileId: string): Promise<VectorStoreFile>;
  update(asking: Asking, fileId: string, body: UpdateFileBody): Promise<VectorStoreFile>;
  detach(asking: Asking, fileId: string): Promise<VectorStoreFileDeleted>;
  cancel(asking: Asking, fileId: string): Promise<VectorStoreFile>;
  retry(asking: Asking, fileId: string): Promise<VectorStoreFile>;
  /** The text that was indexed, as one piece; empty while there is none. */
  content(asking: Asking, fileId: string): Promise<FileContentPage>;
  /** A stretch of that text. */
  part(asking: Asking, fileId: string, wanted: WantedPart): Promise<FilePart>;
}

/** Code points of a file's text: from one on, or from a place that is told by where a chunk begins in it. */
export interface WantedPart {
  /** Given where the chunk begins that is asked for; 0 where it is not there any more. */
  from: number | { chunk: number; place: (start: number, total: number) => number };
  characters: number;
}

export interface FilePart extends Pick<VectorStoreFile, "status"> {
  filename: string;
  /** Null while it has no text. */
  part: TextPart | null;
}

export function storeFilesService(deps: StoreFilesDeps): StoreFilesService {
  return new StoreFiles(deps);
}

class StoreFiles implements StoreFilesService {
  readonly #deps: StoreFilesDeps;

  constructor(deps: StoreFilesDeps) {
    this.#deps = deps;
  }

  async page(
    store: StoreRow,
    cursor: Cursor,
    read: (query: PageQuery) => Promise<Page<StoreFileRow>>,
  ): Promise<StoreFilePage> {
    const { storeFiles, cursors } = this.#deps;
    const { tenant_id: tenantId } = store;
    // The same file has another place in every store.
    const key = (fileId: string) => `${store.id} ${fileId}`;
    const find = async (id: string) =>
      (await storeFiles.get(tenantId, store.id, id))?.seq ?? cursors.find(tenantId, key(id));
    const query = await pageQuery(cursor, find, "file");
    const { rows, hasMore } = await read(query);
    cursors.remember(
      tenantId,
      rows.map((row) => ({ id: key(row.file_id), seq: row.seq })),
    );
    return { data: await Promise.all(rows.map((row) => this.#show(row))), hasMore };
  }

  async attach(asking: Asking, body: AttachFileBody): Promise<VectorStoreFile> {
    const { access, attacher } = this.#deps;
    const store = await access.usable(asking);
    const wanted = {
      fileId: body.file_id,
      attributes: readAttributes(body),
      strategy: readStrategy(body.chunking_strategy, "chunking_strategy"),
      param: "file_id",
    };
    const [row] = await attacher.attach({ caller: asking.caller, store, wanted: [wanted], priority: 0 });
    if (row === undefined) throw new Error("an attach of one file gave no row");
    return await this.#show(row);
  }

  async list(asking: Asking, cursor: Cursor, { sort, ...wanted }: WantedList): Promise<StoreFilePage> {
    const { access, storeFiles, sorted } = this.#deps;
    const store = await access.open(asking);
    const { tenant_id: tenantId, id: storeId } = store;
    if (sort === "created_at")
      return await this.page(store, cursor, (query) => storeFiles.list(tenantId, storeId, query, wanted));
    const key = (fileId: string) => `${sort} ${storeId} ${fileId}`;
    const placeOf = (row: StoreFileRow): SortPlace => ({ value: sortValueOf(row, sort), seq: row.seq });
    // Where it stood when it was handed out: what it is ordered by may have changed since, its state above all.
    const find = async (fileId: string) => {
      const known = sorted.find(tenantId, key(fileId));
      if (known !== undefined) return known;
      const row = await storeFiles.get(tenantId, storeId, fileId);
      return row === null ? undefined : placeOf(row);
    };
    const query = await pageQuery(cursor, find, "file");
    const { rows, hasMore } = await storeFiles.sorted(tenantId, storeId, query, { ...wanted, by: sort });
    sorted.remember(
      tenantId,
      rows.map((row) => ({ id: key(row.file_id), place: placeOf(row) })),
    );
    return { data: await Promise.all(rows.map((row) => this.#show(row))), hasMore };
  }

  async get(asking: Asking, fileId: string): Promise<VectorStoreFile> {
    return await this.#show(await this.#find(await this.#deps.access.open(asking), fileId));
  }

  async update(asking: Asking, fileId: string, body: UpdateFileBody): Promise<VectorStoreFile> {
    const { access, attacher } = this.#deps;
    const row = await this.#find(await access.open(asking), fileId);
    const attributes = readAttributes(body);
    if (attributes === undefined) {
      throw new AppError("missing_required_parameter", "Missing required parameter: 'attributes'.", {
        param: "attributes",
      });
    }
    return await this.#show(await attacher.setAttributes(row, attributes));
  }

  async detach(asking: Asking, fileId: string): Promise<VectorStoreFileDeleted> {
    const { access, attacher } = this.#deps;
    await attacher.detach(await this.#find(await access.open(asking), fileId));
    return { id: fileId, object: "vector_store.file.deleted", deleted: true };
  }

  async cancel(asking: Asking, fileId: string): Promise<VectorStoreFile> {
    const { access, attacher } = this.#deps;
    const row = await this.#find(await access.open(asking), fileId);
    if (row.status !== "in_progress") {
      throw new AppError(
        "file_not_cancellable",
        `File '${fileId}' is ${row.status}; only a file in progress can be cancelled.`,
      );
    }
    return await this.#show(await attacher.cancel(row));
  }

  async retry(asking: Asking, fileId: string): Promise<VectorStoreFile> {
    const { access, attacher } = this.#deps;
    const row = await this.#find(await access.usable(asking), fileId);
    if (row.status !== "failed" && row.status !== "cancelled") {
      const text = `File '${fileId}' is ${row.status.replace("_", " ")}; only a failed or cancelled file can be retried.`;
      throw new AppError("file_not_retryable", text);
    }
    return await this.#show(await attacher.retry(row));
  }

  async content(asking: Asking, fileId: string): Promise<FileContentPage> {
    const { access, generations, chunks } = this.#deps;
    const store = await access.open(asking);
    const row = await this.#find(store, fileId);
    const generation = await generations.liveOf(store);
    const isReadable = row.status === "completed" && generation !== null;
    const text = isReadable ? joinChunks(await chunksOf(chunks, row, generation.chunk_set)) : "";
    // Indexed anew between two slices: then this is half of a text that is no more.
    if (isReadable && (await this.#find(store, fileId)).revision !== row.revision)
      return await this.content(asking, fileId);
    return {
      object: "vector_store.file_content.page",
      data: text === "" ? [] : [{ type: "text", text }],
      has_more: false,
      next_page: null,
      file_id: row.file_id,
      filename: row.filename,
      attributes: row.attributes ?? {},
    };
  }

  async part(asking: Asking, fileId: string, wanted: WantedPart): Promise<FilePart> {
    const { access, generations, chunks } = this.#deps;
    const store = await access.open(asking);
    const row = await this.#find(store, fileId);
    const { status, filename, revision, seq: storeFile } = row;
    const generation = await generations.liveOf(store);
    if (status !== "completed" || generation === null) return { status, filename, part: null };
    const owner = { tenantId: store.tenant_id, storeFile, chunkSet: generation.chunk_set, revision };
    const { from, characters } = wanted;
    const start = typeof from === "number" ? from : ((await startOfChunk(chunks, owner, from.chunk)) ?? 0);
    const part = await textPart(chunks, owner, {
      from: (total) => (typeof from === "number" ? from : from.place(start, total)),
      characters,
    });
    // As with the whole text: indexed anew meanwhile.
    if ((await this.#find(store, fileId)).revision !== revision) return await this.part(asking, fileId, wanted);
    return { status, filename, part };
  }

  async #find(store: StoreRow, fileId: string): Promise<StoreFileRow> {
    const row = await this.#deps.storeFiles.get(store.tenant_id, store.id, fileId);
    if (row === null) throw storeFileNotFound(fileId);
    return row;
  }

  async #show(row: StoreFileRow): Promise<VectorStoreFile> {
    const { progress } = this.#deps;
    const attributes = row.attributes ?? {};
    const inProgress = row.status === "in_progress";
    if (inProgress) await progress.fresh();
    return {
      id: row.file_id,
      object: "vector_store.file",
      usage_bytes: row.usage_bytes,
      created_at: row.created_at,
      vector_store_id: row.store_id,
      status: row.status,
      last_error: row.error_code === null ? null : { code: row.error_code, message: row.error_message ?? "" },
      chunking_strategy: showStrategy(strategyOf(row)),
      attributes,
      metadata: attributes,
      filename: row.filename,
      bytes: row.file_bytes,
      chunks: row.n_chunks,
      ...(inProgress ? { progress: progress.get(row.seq) ?? { stage: "queued", done: 0, total: 0 } } : {}),
      ...(row.warnings === null ? {} : { warnings: row.warnings }),
    };
  }
}

function storeFileNotFound(fileId: string): AppError {
  return new AppError("vector_store_file_not_found", `No file found with id '${fileId}'`);
}
