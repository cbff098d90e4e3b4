import { AppError } from "../../errors.ts";
import type { Caller } from "../../http/caller.ts";
import type { Storage } from "../../storage/storage.ts";
import type { StoreFileRow } from "../../storage/store-files.ts";
import type { Asking } from "../asking.ts";
import type { AttachFileBody, FileContentPage, VectorStoreFile } from "../attaching/schema.ts";
import { everyFile } from "../every-file.ts";
import { pause, type Watches } from "../following/watches.ts";
import { MOST_PASSAGES, type Passage, type PassageSearch, textOf } from "../passages.ts";
import { presenterFor } from "../presenters/choose.ts";
import type { Incoming } from "../stored-files/incoming.ts";
import { type ReadPages, readSent } from "../stored-files/reading.ts";
import type { FileStoring } from "../stored-files/storing.ts";
import type { StoreAccess } from "../store-access.ts";
import { storeOf } from "./place.ts";
import type { Embedded, Hits, LibreChatDocument, QueryBody, QueryManyBody, SentText } from "./schema.ts";

export interface LibreChatDeps extends Pick<Storage, "storeFiles"> {
  access: StoreAccess;
  search: PassageSearch;
  files: FileStoring & { remove(caller: Caller, id: string): Promise<void> };
  /** Files as they are in a store. */
  attached: {
    attach(asking: Asking, body: AttachFileBody): Promise<VectorStoreFile>;
    get(asking: Asking, fileId: string): Promise<VectorStoreFile>;
    detach(asking: Asking, fileId: string): Promise<object>;
    content(asking: Asking, fileId: string): Promise<FileContentPage>;
  };
  watches: Watches;
  readPages: ReadPages;
}

/** Who LibreChat asks for, and how long it waits. */
export interface Asked {
  caller: Caller;
  /** Of LibreChat. */
  user: string;
  /** The client went away. */
  signal: AbortSignal;
  stopping: AbortSignal;
}

export interface SentDocument {
  incoming: Incoming;
  filename: string;
  mime: string | null;
  fileId: string;
  entityId: string | null;
}

/** Attributes of a file: LibreChat's own id, and whose it is. */
const ID = "librechat_file_id";
const OWNER = "user_id";
const DEFAULT_K = 4;
/** From one look at a file that is waited for to the next, without news. */
const LOOK_MS = 20_000;
const LEAST_MS = 25;
const MOST_WAIT_MS = 3600_000;
const PROCESSED = "File processed successfully.";

/** LibreChat's files and searches. A user finds what is theirs; that of others is not there. */
export class LibreChatService {
  readonly #deps: LibreChatDeps;

  constructor(deps: LibreChatDeps) {
    this.#deps = deps;
  }

  /** Keeps the file and waits until it can be searched; what was kept under its id before goes. Nothing stays of a failure. */
  async embed(asked: Asked, sent: SentDocument): Promise<Embedded> {
    const { files, attached } = this.#deps;
    const asking = askingOf(asked);
    const { incoming, filename, mime, fileId, entityId } = sent;
    const owner = entityId ?? asked.user;
    await this.#deps.access.usable(asking);
    const file = { owner: asked.caller, filename, mime, purpose: "assistants", expiresAfterSeconds: null };
    const { id } = await files.commit(incoming, file);
    let done: VectorStoreFile | null = null;
    try {
      await attached.attach(asking, { file_id: id, attributes: { [ID]: fileId, [OWNER]: owner } });
      done = await this.#settled(asked, asking, id);
    } catch (error) {
      // A newer one under its id was faster, and has taken its place.
      if (!(error instanceof AppError && error.code === "vector_store_file_not_found")) throw error;
      if (!(await this.#found(asked, [fileId])).some((row) => isOf(row, owner))) throw error;
      return { status: true, message: PROCESSED, file_id: fileId, filename, known_type: true };
    } finally {
      if (done?.status !== "completed") await this.#remove(asking, id);
    }
    if (done.status !== "completed") {
      const { code, message } = done.last_error ?? { code: "server_error", message: "The file could not be indexed." };
      return { status: false, message, file_id: fileId, filename, known_type: code !== "unsupported_file" };
    }
    // The newest wins, whichever of two that come at once is indexed first.
    const rows = await this.#found(asked, [fileId]);
    const own = rows.find((row) => row.file_id === id)?.seq ?? 0;
    for (const row of rows) if (row.seq < own && isOf(row, owner)) await this.#remove(asking, row.file_id);
    return { status: true, message: PROCESSED, file_id: fileId, filename, known_type: true };
  }

  /** The file's text, and nothing kept. */
  async text({ caller, signal }: Asked, { incoming, filename, mime, fileId }: SentDocument): Promise<SentText> {
    const asker = { tenant: caller.tenantId, signal };
    const pages = await readSent(this.#deps.readPages, { incoming, filename, contentType: mime }, asker);
    return { text: pages.map(({ text }) => text).join("\n"), file_id: fileId, filename, known_type: true };
  }

  async query(asked: Asked, { query, file_id: fileId, k, entity_id: entityId }: QueryBody): Promise<Hits> {
    const owners = [asked.user, ...(entityId ? [entityId] : [])];
    return await this.#hits(asked, { query, k, ids: [fileId], owners });
  }

  async queryMany(asked: Asked, { query, file_ids: ids, k }: QueryManyBody): Promise<Hits> {
    const hits = await this.#hits(asked, { query, k, ids, owners: [asked.user] });
    if (hits.length === 0) throw notFound("No documents found for the given query");
    return hits;
  }

  /**
   * Whoever the files belong to: LibreChat decides who may delete, and asks in the name of whoever does it, be the file an
   * agent's.
   */
  async remove(asked: Asked, ids: readonly string[]): Promise<string> {
    const asking = askingOf(asked);
    const rows = await this.#found(asked, ids);
    for (const { file_id: id } of rows) await this.#remove(asking, id);
    assertAll(rows, ids);
    const count = new Set(ids).size;
    return `Documents for ${count} file${count > 1 ? "s" : ""} deleted successfully`;
  }

  async documents(asked: Asked, ids: readonly string[]): Promise<LibreChatDocument[]> {
    const asking = askingOf(asked);
    const rows = (await this.#found(asked, ids)).filter((row) => isOf(row, asked.user));
    assertAll(rows, ids);
    const documents: LibreChatDocument[] = [];
    for (const row of rows) {
      const { data } = await this.#deps.attached.content(asking, row.file_id);
      const metadata = { file_id: textAt(row, ID), user_id: textAt(row, OWNER), source: row.filename };
      documents.push({ page_content: data.map(({ text }) => text).join("\n"), metadata });
    }
    return documents;
  }

  async ids({ caller, user, signal, ...rest }: Asked): Promise<string[]> {
    const store = await this.#deps.access.open(askingOf({ caller, user, signal, ...rest }));
    const ids = new Set<string>();
    for await (const rows of everyFile(this.#deps.storeFiles, store, COMPLETED, signal))
      for (const row of rows) if (isOf(row, user) && textAt(row, ID) !== "") ids.add(textAt(row, ID));
    return [...ids];
  }

  async #hits(
    asked: Asked,
    { query, k, ids, owners }: { query: string; k: number | undefined; ids: readonly string[]; owners: string[] },
  ): Promise<Hits> {
    const filters = {
      type: "and",
      filters: [
        { type: "in", key: ID, value: ids },
        { type: "in", key: OWNER, value: owners },
      ],
    };
    const wanted = { query, max_num_results: Math.min(k ?? DEFAULT_K, MOST_PASSAGES), filters };
    const { page } = await this.#deps.search.search(askingOf(asked), wanted, asked.signal);
    return page.data.map((passage) => [documentOf(passage), 1 - passage.score]);
  }

  /** Files that LibreChat knows by these ids. */
  async #found(asked: Asked, ids: readonly string[]): Promise<StoreFileRow[]> {
    const wanted = new Set(ids);
    const store = await this.#deps.access.open(askingOf(asked));
    const found: StoreFileRow[] = [];
    for await (const rows of everyFile(this.#deps.storeFiles, store, ANY, asked.signal))
      found.push(...rows.filter((row) => wanted.has(textAt(row, ID))));
    return found;
  }

  /** The bytes go too, unless somebody attached the file to another store. */
  async #remove(asking: Asking, id: string): Promise<void> {
    const { files, attached } = this.#deps;
    try {
      await files.remove(asking.caller, id);
    } catch (error) {
      if (!(error instanceof AppError)) throw error;
      if (error.code === "permission_denied") await attached.detach(asking, id);
      else if (error.code !== "file_not_found") throw error;
    }
  }

  async #settled({ signal, stopping }: Asked, asking: Asking, fileId: string): Promise<VectorStoreFile> {
    const { attached, watches } = this.#deps;
    const read = () => attached.get(asking, fileId);
    const ended = new AbortController();
    const look = async () => {
      const isLast = await read().then(
        ({ status }) => status !== "in_progress",
        () => true,
      );
      return { seen: null, isLast };
    };
    const { storeId } = asking;
    const key = `librechat ${storeId} ${fileId}`;
    const leave = watches.follow(
      { key, storeId, leastMs: LEAST_MS, mostMs: LOOK_MS, eachMs: 0, look },
      ({ isLast }) => {
        if (isLast) ended.abort();
      },
    );
    try {
      await pause(MOST_WAIT_MS, AbortSignal.any([signal, stopping, ended.signal]));
    } finally {
      leave();
    }
    const file = await read();
    if (file.status !== "in_progress") return file;
    signal.throwIfAborted();
    if (stopping.aborted) throw new AppError("shutting_down", "The server is shutting down.", { retryAfterSeconds: 1 });
    throw new AppError("request_timeout", "The file was not indexed within an hour.");
  }
}

const ANY = { status: null, filename: null } as const;
const COMPLETED = { status: "completed", filename: null } as const;

function askingOf({ caller }: Asked): Asking {
  return { caller, storeId: storeOf(caller), rules: presenterFor("openai").rules };
}

function textAt({ attributes }: Pick<StoreFileRow, "attributes">, key: string): string {
  const value = attributes?.[key];
  return typeof value === "string" ? value : "";
}

function isOf(row: StoreFileRow, user: string): boolean {
  return textAt(row, OWNER) === user;
}

function documentOf(passage: Passage): LibreChatDocument {
  const { attributes, filename, page } = passage;
  return {
    page_content: textOf(passage),
    metadata: {
      file_id: textAt({ attributes }, ID),
      user_id: textAt({ attributes }, OWNER),
      source: filename,
      // LibreChat counts pages from 0.
      ...(page == null ? {} : { page: page - 1 }),
    },
  };
}

function assertAll(rows: readonly StoreFileRow[], ids: readonly string[]): void {
  const found = new Set(rows.map((row) => textAt(row, ID)));
  if (!ids.every((id) => found.has(id))) throw notFound("One or more IDs not found");
}

function notFound(message: string): AppError {
  return new AppError("file_not_found", message);
}
