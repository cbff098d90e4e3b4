/**
 * Two servers on one database, a client at each: what one of them has acknowledged, a search at the other finds, and what
 * was deleted it does not. FRESH_OPERATIONS says how many operations (300 unless set), each followed by searches on the
 * other side. Some clients go on at the same time with files of their own in the same store, so that what one server
 * commits, what it hears of the other and what is asked of it meet in one index.
 */
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { json, newStore, search, settled, upload } from "../helpers/api.ts";
import { lacks } from "../helpers/lacks.ts";
import { runSeed, seededRandom, type SeededRandom } from "../helpers/random.ts";
import type { TestServer } from "../helpers/server.ts";
import { hasPostgres, testDatabase } from "./servers/postgres.ts";
import { startReplicas } from "./servers/replicas.ts";

const OPERATIONS = Number(process.env["FRESH_OPERATIONS"] ?? 300);
const CLIENTS = 3;
/** Files that each has, about. */
const FILES = 6;

setDefaultTimeout(120_000 + OPERATIONS * 2_000);

/** A file as it is to be found: by each of its words, with its number. */
interface Known {
  readonly words: string[];
  n: number;
}

class Story {
  readonly #random: SeededRandom;
  readonly #servers: readonly TestServer[];
  readonly #store: string;
  readonly #files = new Map<string, Known>();
  /** Words of what is gone. */
  readonly #gone: string[] = [];
  #made = 0;
  readonly counts: Record<string, number> = {};

  readonly #name: string;

  constructor(name: string, servers: readonly TestServer[], { store, seed }: { store: string; seed: number }) {
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
    await this.#do(what, here, id);
    await this.#check(there, what);
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
        const size = 100 + this.#random.below(50);
        const strategy = { type: "static", static: { max_chunk_size_tokens: size, chunk_overlap_tokens: 0 } };
        await json(server, "POST", files, { file_id: id, attributes: { n: known?.n }, chunking_strategy: strategy });
        expect((await settled(server, this.#store, id)).status).toBe("completed");
        // What was put in beside its text goes with the revision.
        for (const word of known?.words.splice(1) ?? []) this.#gone.push(word);
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
    expect((await settled(server, this.#store, id)).status).toBe("completed");
    this.#files.set(id, { words: [word], n });
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

describe.skipIf(lacks("PostgreSQL", hasPostgres))("two servers on one database", () => {
  test(`never find too little or too much in ${OPERATIONS} operations`, async () => {
    await using replicas = await startReplicas(await testDatabase(), 2);
    const { servers } = replicas;
    const store = await newStore(servers[0]!);
    const seed = runSeed("operations on two servers");
    const stories = Array.from(
      { length: CLIENTS },
      (_, i) => new Story("abc"[i] ?? "", servers, { store, seed: seed + i }),
    );
    await Promise.all(
      stories.map(async (story) => {
        for (let i = 0; i < OPERATIONS / CLIENTS; i++) await story.step();
      }),
    );
    for (const story of stories) for (const server of servers) await story.checkAll(server);
    console.log(`operations: ${stories.map(({ counts }) => JSON.stringify(counts)).join(" ")}`);
    for (const server of servers) expect(server.log()).not.toContain('"level":"error"');
  });

  test("see a store go, and its index's kind change", async () => {
    await using replicas = await startReplicas(await testDatabase(), 2);
    const [a, b] = [replicas.servers[0]!, replicas.servers[1]!];
    const store = await newStore(a);
    const path = `/v1/vector_stores/${store}`;
    await json(a, "POST", `${path}/embeddings`, { content: "the lamp of the harbour" });
    expect(await search(b, store, { query: "lamp" })).toHaveLength(1);
    await json(a, "POST", path, { index_type: "exact" });
    expect(await search(b, store, { query: "lamp" })).toHaveLength(1);
    await json(a, "DELETE", path);
    const answer = await b.fetch(`${path}/search`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ query: "lamp" }),
    });
    expect(answer.status).toBe(404);
  });
});
