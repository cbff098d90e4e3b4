import { AppError } from "../../errors.ts";
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
import { parseAttributes, strategyOf } from "./attach.ts";
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
    const attributes = parseAttributes(row) ?? {};
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
      ...(row.warnings === null ? {} : { warnings: JSON.parse(row.warnings) as string[] }),
    };
  }

  function find(store: StoreRow, fileId: string): StoreFileRow {
    const row = storeFiles.get(store.tenant_id, store.id, fileId);
    if (row === null) throw storeFileNotFound(fileId);
    return row;
  }

  /** One page of a list of this store's files; `read` is the list. */
  function page(store: StoreRow, cursor: Cursor, read: (query: PageQuery) => Page<StoreFileRow>): StoreFilePage {
    const { tenant_id: tenantId } = store;
    // The same file has another place in every store.
    const key = (fileId: string) => `${store.id} ${fileId}`;
    const find = (id: string) => storeFiles.get(tenantId, store.id, id)?.seq ?? deps.cursors.find(tenantId, key(id));
    const query = pageQuery(cursor, find, "file");
    const { rows, hasMore } = read(query);
    deps.cursors.remember(
      tenantId,
      rows.map((row) => ({ id: key(row.file_id), seq: row.seq })),
    );
    return { data: rows.map(show), hasMore };
  }

  return {
    show,
    page,

    attach(caller: Caller, storeId: string, body: AttachFileBody, rules: DialectRules): VectorStoreFile {
      const store = access.usable(caller, storeId, rules);
      const wanted = {
        fileId: body.file_id,
        attributes: readAttributes(body),
        strategy: readStrategy(body.chunking_strategy, "chunking_strategy"),
        param: "file_id",
      };
      const [row] = attacher.attach(caller, store, [wanted], 0);
      if (row === undefined) throw new Error("an attach of one file gave no row");
      return show(row);
    },

    list(caller: Caller, storeId: string, cursor: Cursor, filter: StoreFileStatus | null, rules: DialectRules) {
      const store = access.open(caller, storeId, rules);
      return page(store, cursor, (query) => storeFiles.list(store.tenant_id, store.id, query, filter));
    },

    get: (caller: Caller, storeId: string, fileId: string, rules: DialectRules): VectorStoreFile =>
      show(find(access.open(caller, storeId, rules), fileId)),

    update(
      caller: Caller,
      storeId: string,
      fileId: string,
      body: UpdateFileBody,
      rules: DialectRules,
    ): VectorStoreFile {
      const row = find(access.open(caller, storeId, rules), fileId);
      const attributes = readAttributes(body);
      if (attributes === undefined) {
        throw new AppError("missing_required_parameter", "Missing required parameter: 'attributes'.", {
          param: "attributes",
        });
      }
      return show(attacher.setAttributes(row, attributes));
    },

    detach(caller: Caller, storeId: string, fileId: string, rules: DialectRules) {
      attacher.detach(find(access.open(caller, storeId, rules), fileId));
      return { id: fileId, object: "vector_store.file.deleted" as const, deleted: true };
    },

    cancel(caller: Caller, storeId: string, fileId: string, rules: DialectRules): VectorStoreFile {
      const row = find(access.open(caller, storeId, rules), fileId);
      if (row.status !== "in_progress") {
        throw new AppError(
          "file_not_cancellable",
          `File '${fileId}' is ${row.status}; only a file in progress can be cancelled.`,
        );
      }
      return show(attacher.cancel(row));
    },

    retry(caller: Caller, storeId: string, fileId: string, rules: DialectRules): VectorStoreFile {
      const row = find(access.usable(caller, storeId, rules), fileId);
      if (row.status !== "failed" && row.status !== "cancelled") {
        const text = `File '${fileId}' is ${row.status.replace("_", " ")}; only a failed or cancelled file can be retried.`;
        throw new AppError("file_not_retryable", text);
      }
      return show(attacher.reindex(row));
    },

    /** The text that was indexed, as one piece; empty while there is none. */
    content(caller: Caller, storeId: string, fileId: string, rules: DialectRules): FileContentPage {
      const store = access.open(caller, storeId, rules);
      const row = find(store, fileId);
      const generation =
        store.live_generation === null ? null : deps.generations.get(store.tenant_id, store.live_generation);
      const text =
        row.status === "completed" && generation !== null ? joinChunks(chunksOf(store, row, generation.chunk_set)) : "";
      return {
        object: "vector_store.file_content.page",
        data: text === "" ? [] : [{ type: "text", text }],
        has_more: false,
        next_page: null,
        file_id: row.file_id,
        filename: row.filename,
        attributes: parseAttributes(row) ?? {},
      };
    },
  };

  function* chunksOf(store: StoreRow, row: StoreFileRow, chunkSet: number) {
    let after: number | undefined;
    for (;;) {
      const query = { limit: SLICE, order: "asc" as const, after };
      const slice = deps.chunks.list(store.tenant_id, store.id, chunkSet, query, [row.file_id]);
      yield* slice.rows;
      after = slice.rows.at(-1)?.id;
      if (!slice.hasMore) return;
    }
  }
}

export function storeFileNotFound(fileId: string): AppError {
  return new AppError("vector_store_file_not_found", `No file found with id '${fileId}'`);
}
