/**
 * What a client does with files of its own in a store of several servers, and what it has to find at each of them after
 * every step.
 */
import { expect } from "bun:test";
import { json, search, settled, upload } from "../helpers/api.ts";
import { seededRandom, type SeededRandom } from "../helpers/random.ts";
import type { TestServer } from "../helpers/server.ts";

/** Files that each has, about. */
const FILES = 6;

/** A file as it is to be found: by each of its words, with its number. */
interface Known {
  readonly words: string[];
  n: number;
  /** Tokens of its chunks; null for what a store has by itself. */
  size: number | null;
}

/** Where a story happens. */
export interface Scene {
  readonly store: string;
  readonly seed: number;
  /** Those that are being stopped, or were: a request to one of them may be cut off, and is no failure then. */
  readonly leaving?: ReadonlySet<TestServer>;
}

export class Story {
  readonly #random: SeededRandom;
  readonly #servers: readonly TestServer[];
  readonly #store: string;
  readonly #files = new Map<string, Known>();
  /** Words of what is gone. */
  readonly #gone: string[] = [];
  #made = 0;
  readonly counts: Record<string, number> = {};
  /** Steps that are done. */
  steps = 0;
  /** Writes, and reads, that a server which was being stopped did not answer. */
  readonly cut = { writes: 0, reads: 0 };

  readonly #name: string;
  readonly #leaving: ReadonlySet<TestServer>;

  /** `servers` may change while the story goes on. */
  constructor(name: string, servers: readonly TestServer[], { store, seed, leaving = new Set<TestServer>() }: Scene) {
    this.#leaving = leaving;
    this.#name = name;
    this.#random = seededRandom(seed);
    this.#servers = servers;
    this.#store = store;
  }

  async step(): Promise<void> {
    const at = this.#random.below(this.#servers.length);
    const [here, there] = [this.#servers[at]!, this.#servers[(at + 1) % this.#servers.length]!];
    const ids = [...this.#files.keys()];
    const id = ids.length === 0 ? "" : this.#random.pick(ids);
    const what =
      ids.length < FILES / 2
        ? "attach"
        : this.#random.pick(ids.length > FILES ? [...COMMON, ...LESS] : [...COMMON, ...MORE]);
    this.counts[what] = (this.counts[what] ?? 0) + 1;
    try {
      await this.#do(what, here, id);
    } catch (error) {
      if (!this.#isCut(here, error)) throw error;
      // Nobody knows whether it was done, so nothing is said of its file any more.
      this.cut.writes++;
      this.#files.delete(id);
    }
    await this.#read(there, async (server) => await this.#check(server, what));
    this.steps++;
  }

  /** Asks a server, or one that stays where that is being stopped: what was acknowledged is known to each. */
  async #read<T>(server: TestServer, ask: (server: TestServer) => Promise<T>): Promise<T> {
    try {
      return await ask(server);
    } catch (error) {
      const other = this.#servers.find((one) => !this.#leaving.has(one));
      if (other === undefined || !this.#isCut(server, error)) throw error;
      this.cut.reads++;
      return await this.#read(other, ask);
    }
  }

  #isCut(server: TestServer, error: unknown): boolean {
    return this.#leaving.has(server) && isOfStop(error);
  }

  async #do(what: Operation, server: TestServer, id: string): Promise<void> {
    const files = `/v1/vector_stores/${this.#store}/files`;
    const known = this.#files.get(id);
    switch (what) {
      case "attach":
        return await this.#attach(server);
      case "put": {
        const word = this.#word();
        const body = { content: `${word} ${makeWords(this.#random)}`, file_id: id };
        await json(server, "POST", `/v1/vector_stores/${this.#store}/embeddings`, body);
        known?.words.push(word);
        return this.#touch(id);
      }
      case "describe": {
        const n = this.#random.below(5);
        await json(server, "POST", `${files}/${id}`, { attributes: { n } });
        if (known !== undefined) known.n = n;
        return this.#touch(id);
      }
      case "replace": {
        let size = 100 + this.#random.below(50);
        // One that is cut as it was asked for already is left as it is.
        if (size === known?.size) size++;
        const strategy = { type: "static", static: { max_chunk_size_tokens: size, chunk_overlap_tokens: 0 } };
        await json(server, "POST", files, { file_id: id, attributes: { n: known?.n }, chunking_strategy: strategy });
        await this.#completed(server, id);
        // What was put in beside its text goes with the revision.
        for (const word of known?.words.splice(1) ?? []) this.#gone.push(word);
        if (known !== undefined) known.size = size;
        return this.#touch(id);
      }
      case "detach":
        await json(server, "DELETE", `${files}/${id}`);
        return this.#leave(id);
      case "delete":
        await json(server, "DELETE", `/v1/files/${id}`);
        return this.#leave(id);
    }
  }

  async #attach(server: TestServer): Promise<void> {
    const word = this.#word();
    const id = await upload(server, `${word}.txt`, `${word} ${makeWords(this.#random)}`);
    const n = this.#random.below(5);
    await json(server, "POST", `/v1/vector_stores/${this.#store}/files`, { file_id: id, attributes: { n } });
    await this.#completed(server, id);
    this.#files.set(id, { words: [word], n, size: null });
  }

  async #completed(server: TestServer, id: string): Promise<void> {
    const { status } = await this.#read(server, async (at) => await settled(at, this.#store, id));
    expect(status).toBe("completed");
  }

  /** The last one is what is looked for. */
  #touch(id: string): void {
    const known = this.#files.get(id);
    if (known === undefined) return;
    this.#files.delete(id);
    this.#files.set(id, known);
  }

  #leave(id: string): void {
    this.#gone.push(...(this.#files.get(id)?.words ?? []));
    this.#files.delete(id);
  }

  async #check(server: TestServer, what: Operation): Promise<void> {
    const [id = "", known] = [...this.#files].at(-1) ?? [];
    if (known !== undefined) {
      const word = known.words.at(-1) ?? "";
      expect([what, await this.#found(server, word, known.n)]).toEqual([what, [id]]);
      expect([what, await this.#found(server, word, 9)]).toEqual([what, []]);
    }
    const gone = this.#gone.at(-1);
    if (gone !== undefined) expect([what, await this.#found(server, gone, null)]).toEqual([what, []]);
  }

  async #found(server: TestServer, word: string, n: number | null): Promise<string[]> {
    const filters = n === null ? {} : { filters: { type: "eq", key: "n", value: n } };
    const hits = await search(server, this.#store, { query: word, search_mode: "keyword", ...filters });
    return [...new Set(hits.map((hit) => hit.file_id))];
  }

  /** All that is there and all that is gone, at a server. */
  async checkAll(server: TestServer): Promise<void> {
    for (const [id, { words, n }] of this.#files)
      for (const word of words) expect([word, await this.#found(server, word, n)]).toEqual([word, [id]]);
    for (const word of this.#gone.slice(-50)) expect([word, await this.#found(server, word, null)]).toEqual([word, []]);
  }

  #word(): string {
    return `marker${this.#name}${(this.#made++).toString(26).replace(/\d/g, (digit) => "qrstuvwxyz"[Number(digit)]!)}x`;
  }
}

type Operation = "attach" | "put" | "describe" | "replace" | "detach" | "delete";
const COMMON = ["put", "put", "put", "put", "describe", "describe", "describe", "describe", "replace"] as const;
const MORE = ["attach", "attach", "detach", "delete"] as const;
const LESS = ["detach", "delete", "detach", "delete", "attach"] as const;

function makeWords(random: SeededRandom): string {
  const words = ["harbour", "lantern", "orchard", "bridge", "kettle", "violin", "market", "copper"];
  return Array.from({ length: 20 + random.below(200) }, () => random.pick(words)).join(" ");
}

/** A connection that is refused or ends, or the answer of a server that takes no more requests. */
function isOfStop(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const code = "code" in error ? String(error.code) : "";
  return (
    /^(ECONN(RESET|REFUSED)|Connection(Refused|Closed|Reset)|FailedToOpenSocket)$/.test(code) ||
    STOPPING.test(error.message)
  );
}

const STOPPING = /: 503 .*shutting_down/;
