import { AppError } from "../../errors.ts";
import type { ChunkRow } from "../../storage/chunks.ts";
import type { Storage } from "../../storage/storage.ts";
import type { StoreFileRow, StoreFileStatus } from "../../storage/store-files.ts";
import type { StoreRow } from "../../storage/stores.ts";
import type { Caller } from "../../http/caller.ts";
import type { Cursors } from "../../http/cursors.ts";
import type { Cursor } from "../../http/openai.ts";
import type { Page, PageQuery } from "../../storage/page.ts";
import type { DialectRules } from "../presenters/presenter.ts";
import type { StoreAccess } from "../vector-stores/access.ts";
import { pageQuery } from "../../http/page-query.ts";
import type { Attacher } from "./attach.ts";
import { strategyOf } from "./attach.ts";
import { joinChunks } from "./content.ts";
import { readAttributes, readStrategy, showStrategy } from "./input.ts";
import type { AttachFileBody, FileContentPage, Progress, UpdateFileBody, VectorStoreFile } from "./schema.ts";

export interface StoreFilesDeps extends Pick<Storage, "storeFiles" | "generations" | "chunks"> {
  access: StoreAccess;
  attacher: Attacher;
  cursors: Cursors;
  progressOf: (storeFile: number) => Progress | null;
}

export interface StoreFilePage {
  data: VectorStoreFile[];
  hasMore: boolean;
}

export type StoreFilesService = ReturnType<typeof storeFilesService>;

/** Chunks read at a time. */
const SLICE = 500;

export function storeFilesService(deps: StoreFilesDeps) {
  const { storeFiles, access, attacher } = deps;

  function show(row: StoreFileRow): VectorStoreFile {
    const attributes = row.attributes ?? {};
    const inProgress = row.status === "in_progress";
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
      ...(inProgress ? { progress: deps.progressOf(row.seq) ?? { stage: "queued", done: 0, total: 0 } } : {}),
      ...(row.warnings === null ? {} : { warnings: row.warnings }),
    };
  }

  async function find(store: StoreRow, fileId: string): Promise<StoreFileRow> {
    const row = await storeFiles.get(store.tenant_id, store.id, fileId);
    if (row === null) throw storeFileNotFound(fileId);
    return row;
  }

  /** One page of a list of this store's files; `read` is the list. */
  async function page(
    store: StoreRow,
    cursor: Cursor,
    read: (query: PageQuery) => Promise<Page<StoreFileRow>>,
  ): Promise<StoreFilePage> {
    const { tenant_id: tenantId } = store;
    // The same file has another place in every store.
    const key = (fileId: string) => `${store.id} ${fileId}`;
    const find = async (id: string) =>
      (await storeFiles.get(tenantId, store.id, id))?.seq ?? deps.cursors.find(tenantId, key(id));
    const query = await pageQuery(cursor, find, {
      code: "vector_store_file_not_found",
      message: (id) => `No file found with id '${id}'`,
    });
    const { rows, hasMore } = await read(query);
    deps.cursors.remember(
      tenantId,
      rows.map((row) => ({ id: key(row.file_id), seq: row.seq })),
    );
    return { data: rows.map(show), hasMore };
  }

  return {
    show,
    page,

    async attach(caller: Caller, storeId: string, body: AttachFileBody, rules: DialectRules): Promise<VectorStoreFile> {
      const store = await access.usable(caller, storeId, rules);
      const wanted = {
        fileId: body.file_id,
        attributes: readAttributes(body),
        strategy: readStrategy(body.chunking_strategy, "chunking_strategy"),
        param: "file_id",
      };
      const [row] = await attacher.attach(caller, store, [wanted], 0);
      if (row === undefined) throw new Error("an attach of one file gave no row");
      return show(row);
    },

    async list(caller: Caller, storeId: string, cursor: Cursor, filter: StoreFileStatus | null, rules: DialectRules) {
      const store = await access.open(caller, storeId, rules);
      return await page(store, cursor, (query) => storeFiles.list(store.tenant_id, store.id, query, filter));
    },

    get: async (caller: Caller, storeId: string, fileId: string, rules: DialectRules): Promise<VectorStoreFile> =>
      show(await find(await access.open(caller, storeId, rules), fileId)),

    async update(
      caller: Caller,
      storeId: string,
      fileId: string,
      body: UpdateFileBody,
      rules: DialectRules,
    ): Promise<VectorStoreFile> {
      const row = await find(await access.open(caller, storeId, rules), fileId);
      const attributes = readAttributes(body);
      if (attributes === undefined) {
        throw new AppError("missing_required_parameter", "Missing required parameter: 'attributes'.", {
          param: "attributes",
        });
      }
      return show(await attacher.setAttributes(row, attributes));
    },

    async detach(caller: Caller, storeId: string, fileId: string, rules: DialectRules) {
      await attacher.detach(await find(await access.open(caller, storeId, rules), fileId));
      return { id: fileId, object: "vector_store.file.deleted" as const, deleted: true };
    },

    async cancel(caller: Caller, storeId: string, fileId: string, rules: DialectRules): Promise<VectorStoreFile> {
      const row = await find(await access.open(caller, storeId, rules), fileId);
      if (row.status !== "in_progress") {
        throw new AppError(
          "file_not_cancellable",
          `File '${fileId}' is ${row.status}; only a file in progress can be cancelled.`,
        );
      }
      return show(await attacher.cancel(row));
    },

    async retry(caller: Caller, storeId: string, fileId: string, rules: DialectRules): Promise<VectorStoreFile> {
      const row = await find(await access.usable(caller, storeId, rules), fileId);
      if (row.status !== "failed" && row.status !== "cancelled") {
        const text = `File '${fileId}' is ${row.status.replace("_", " ")}; only a failed or cancelled file can be retried.`;
        throw new AppError("file_not_retryable", text);
      }
      return show(await attacher.retry(row));
    },

    content,
  };

  /** The text that was indexed, as one piece; empty while there is none. */
  async function content(
    caller: Caller,
    storeId: string,
    fileId: string,
    rules: DialectRules,
  ): Promise<FileContentPage> {
    const store = await access.open(caller, storeId, rules);
    const row = await find(store, fileId);
    const generation = await deps.generations.liveOf(store);
    const isReadable = row.status === "completed" && generation !== null;
    const text = isReadable ? joinChunks(await chunksOf(store, row, generation.chunk_set)) : "";
    // Indexed anew between two slices: then this is half of a text that is no more.
    if (isReadable && (await find(store, fileId)).revision !== row.revision)
      return await content(caller, storeId, fileId, rules);
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

  async function chunksOf(store: StoreRow, row: StoreFileRow, chunkSet: number): Promise<ChunkRow[]> {
    const rows: ChunkRow[] = [];
    let after: number | undefined;
    for (;;) {
      const query = { limit: SLICE, order: "asc" as const, after };
      const slice = await deps.chunks.list(store.tenant_id, store.id, chunkSet, query, [row.file_id]);
      rows.push(...slice.rows);
      after = slice.rows.at(-1)?.id;
      if (!slice.hasMore) return rows;
    }
  }
}

export function storeFileNotFound(fileId: string): AppError {
  return new AppError("vector_store_file_not_found", `No file found with id '${fileId}'`);
}
