import { type Api, ApiError } from "../api.ts";
import type { VectorStoreFile } from "../../api/attaching/schema.ts";
import { WORDS } from "../words.ts";
import type { Dropped } from "./dropped.ts";
import { Queue } from "./queue.ts";
import { type Resume, sendFile, sha256Of } from "./send.ts";

/** One file on its way into a store. */
export interface Item extends Dropped {
  id: number;
  store: string;
  attributes: Attributes;
  sentBytes: number;
  /** Once it is uploaded. */
  fileId: string | null;
  /** The store held it unchanged. */
  isSkipped: boolean;
  resume: Resume;
}

export type Attributes = Record<string, string | number | boolean>;

const AT_ONCE = 4;
/** Tries of one file when the server is away or has too much to do. */
const TRIES = 6;

/** Everything that is being uploaded; it goes on whatever page is shown. */
export class Uploads {
  readonly #api: Api;
  readonly #items = new Map<number, Item>();
  readonly #queue: Queue<Item>;
  readonly #listeners = new Set<() => void>();
  #startedAt = 0;
  #sentBefore = 0;

  constructor(api: Api) {
    this.#api = api;
    this.#queue = new Queue(AT_ONCE, (item, signal) => this.#take(item, signal));
    this.#queue.onChange = () => this.#tell();
    // Leaving would lose what is on its way.
    addEventListener("beforeunload", (event) => {
      if (this.#queue.open > 0) event.preventDefault();
    });
  }

  get queue(): Queue<Item> {
    return this.#queue;
  }

  listen(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  of(store: string): Item[] {
    return [...this.#items.values()].filter((item) => item.store === store);
  }

  add(store: string, dropped: readonly Dropped[], attributes: Attributes): void {
    if (this.#queue.open === 0) this.#beginRate();
    for (const { file, path } of dropped) {
      const fresh = { sentBytes: 0, fileId: null, isSkipped: false, resume: { upload: null, parts: [] } };
      const item: Item = { id: 0, store, file, path, attributes, ...fresh };
      item.id = this.#queue.add(item);
      this.#items.set(item.id, item);
    }
    this.#tell();
  }

  /** Takes those that are over from the list. */
  clear(store: string): void {
    for (const { id } of this.of(store)) {
      const stage = this.#queue.stateOf(id)?.stage;
      if (stage === "waiting" || stage === "running") continue;
      this.#queue.forget(id);
      this.#items.delete(id);
    }
    this.#tell();
  }

  /** Bytes a second since the queue was last empty; null while nothing is known. */
  get rate(): number | null {
    const seconds = (performance.now() - this.#startedAt) / 1000;
    const sent = this.#sent() - this.#sentBefore;
    return seconds < 1 || sent <= 0 ? null : sent / seconds;
  }

  /** Bytes that are to be sent still. */
  get left(): number {
    let left = 0;
    for (const { id, file, sentBytes } of this.#items.values()) {
      const stage = this.#queue.stateOf(id)?.stage;
      if (stage === "waiting" || stage === "running") left += Math.max(0, file.size - sentBytes);
    }
    return left;
  }

  #sent(): number {
    return [...this.#items.values()].reduce((sum, { sentBytes }) => sum + sentBytes, 0);
  }

  #beginRate(): void {
    this.#startedAt = performance.now();
    this.#sentBefore = this.#sent();
  }

  async #take(item: Item, signal: AbortSignal): Promise<void> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.#once(item, signal);
      } catch (error) {
        const isPassing = error instanceof ApiError && error.isPassing;
        if (!isPassing || attempt === TRIES) throw new Error(WORDS.errorText(error), { cause: error });
        await new Promise((resolve) => setTimeout(resolve, Math.max(500 * 2 ** attempt, error.retryAfterMs)));
        signal.throwIfAborted();
      }
    }
  }

  async #once(item: Item, signal: AbortSignal): Promise<void> {
    const { file, path, store } = item;
    const files = `vector_stores/${encodeURIComponent(store)}/files`;
    const sha256 = await sha256Of(file);
    if (sha256 !== null && item.fileId === null && (await this.#isKept(files, { item, sha256, signal }))) {
      item.isSkipped = true;
      return;
    }
    const onProgress = (bytes: number) => {
      item.sentBytes = Math.min(bytes, file.size);
      this.#tell();
    };
    // A second try does not upload again what has arrived.
    item.fileId ??= await sendFile(this.#api, { file, resume: item.resume, onProgress, signal });
    item.sentBytes = file.size;
    const attributes = { ...item.attributes, path: path.slice(-512), ...(sha256 === null ? {} : { sha256 }) };
    await this.#api.send<VectorStoreFile>("POST", files, { file_id: item.fileId, attributes }, signal);
  }

  /** Whether the store has this file, with these bytes, from this place. */
  async #isKept(
    files: string,
    { item: { file, path }, sha256, signal }: { item: Item; sha256: string; signal: AbortSignal },
  ): Promise<boolean> {
    const name = encodeURIComponent(file.name.slice(0, 250));
    const page = await this.#api.get<{ data: VectorStoreFile[] }>(`${files}?limit=100&filename=${name}`, signal);
    return page.data.some(
      ({ attributes, status }) =>
        attributes?.["sha256"] === sha256 && attributes["path"] === path.slice(-512) && status !== "failed",
    );
  }

  #tell(): void {
    for (const listener of this.#listeners) listener();
  }
}
