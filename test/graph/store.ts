/** A store on a server, beside the vectors that it should hold, so that its answers can be judged. */
import { bruteForce, DIMENSIONS, Embeddings, fillStore, recall } from "../bench/corpus.ts";
import { metricOf } from "../bench/server-data.ts";
import { json, newStore, type SearchHit, search } from "../helpers/api.ts";
import type { TestServer } from "../helpers/server.ts";
import { waitFor } from "../helpers/wait.ts";

export interface StoreState {
  index: { type: "exact" | "hnsw"; chunks: number; vectors: number };
}

export class JudgedStore {
  readonly id: string;
  readonly #embeddings: Embeddings;
  readonly #queries: Float32Array[];
  #flat = new Float32Array();
  #removed = new Set<number>();

  private constructor(id: string, seed: number) {
    this.id = id;
    this.#embeddings = new Embeddings(seed);
    this.#queries = Array.from({ length: 40 }, () => this.#embeddings.next());
  }

  static async create(server: TestServer, body: Record<string, unknown>, seed: number): Promise<JudgedStore> {
    return new JudgedStore(await newStore(server, body), seed);
  }

  get count(): number {
    return this.#flat.length / DIMENSIONS;
  }

  /** Adds vectors; the text of the i-th is `Passage i`. */
  async add(server: TestServer, count: number): Promise<void> {
    const more = this.#embeddings.many(count);
    const from = this.count;
    await fillStore(server, this.id, more, { dimensions: DIMENSIONS, from, text: (i) => `Passage ${i}` });
    const all = new Float32Array(this.#flat.length + more.length);
    all.set(this.#flat);
    all.set(more, this.#flat.length);
    this.#flat = all;
  }

  /** Removes the file that a query finds first, with all its chunks; answers how many went. */
  async removeOneFile(server: TestServer): Promise<number> {
    const [hit] = await this.#ask(server, this.#queries[0]!);
    if (hit === undefined) throw new Error("the store answers nothing");
    const path = `/v1/vector_stores/${this.id}/chunks?file_id=${hit.file_id}&limit=100`;
    let gone = 0;
    for (let after = ""; ;) {
      const page = await json<{ data: { id: string; text: string }[]; has_more: boolean }>(
        server,
        "GET",
        `${path}${after}`,
      );
      for (const { text } of page.data) this.#removed.add(numberOf(text));
      gone += page.data.length;
      if (!page.has_more) break;
      after = `&after=${page.data.at(-1)?.id}`;
    }
    await json(server, "DELETE", `/v1/vector_stores/${this.id}/files/${hit.file_id}`);
    return gone;
  }

  /** Share of the true ten nearest that the store answers, over all queries; throws if it answers what was removed. */
  async recallAt10(server: TestServer): Promise<number> {
    let sum = 0;
    for (const query of this.#queries) {
      const found = (await this.#ask(server, query)).map((hit) => numberOf(hit.content[0]?.text ?? ""));
      const dead = found.filter((at) => this.#removed.has(at));
      if (dead.length > 0) throw new Error(`removed passages were found: ${dead.join(", ")}`);
      sum += recall(
        found,
        bruteForce(this.#flat, query, 10, (at) => !this.#removed.has(at)),
      );
    }
    return sum / this.#queries.length;
  }

  /** Of the newest passages, the share that is found first by its own vector. */
  async findsNewest(server: TestServer, count: number): Promise<number> {
    let found = 0;
    for (let at = this.count - count; at < this.count; at++) {
      const [hit] = await this.#ask(server, this.#flat.subarray(at * DIMENSIONS, (at + 1) * DIMENSIONS));
      if (hit !== undefined && numberOf(hit.content[0]?.text ?? "") === at) found++;
    }
    return found / count;
  }

  async state(server: TestServer): Promise<StoreState> {
    return await json<StoreState>(server, "GET", `/v1/vector_stores/${this.id}`);
  }

  /** Waits until the graph answers and nothing is being built. */
  async untilBuilt(server: TestServer, timeoutMs: number): Promise<void> {
    await waitFor(
      "the graph is built",
      async () => {
        const { index } = await this.state(server);
        const jobs = await metricOf(server, 'lectern_jobs_running{kind="build_index"}');
        const waiting = await metricOf(server, 'lectern_jobs_waiting{kind="build_index"}');
        return index.type === "hnsw" && jobs + waiting === 0 ? true : undefined;
      },
      timeoutMs,
    );
  }

  async #ask(server: TestServer, vector: Float32Array): Promise<SearchHit[]> {
    return await search(server, this.id, { query: "any", search_mode: "vector", query_vector: [...vector] });
  }
}

function numberOf(text: string): number {
  return Number(/^Passage (\d+)$/.exec(text)?.[1] ?? Number.NaN);
}
