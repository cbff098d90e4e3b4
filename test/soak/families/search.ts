/** Ready-made vectors, search in all modes, embeddings in every dialect, reranking, migrations and what measures quality. */
import {
  addText,
  type Episode,
  type Hit,
  type Identified,
  newStore,
  newWord,
  paragraph,
  searchFor,
  textOfHit,
} from "../episode.ts";
import { must, same } from "../wrong.ts";

const DIMENSIONS = 256;
/** Above the size from which the server builds a graph. */
const MANY = 450;

const vectors: Episode = {
  family: "vectors",
  async run({ ask, random }) {
    const store = await newStore(ask);
    const path = `/v1/vector_stores/${store}`;
    const count = random() < 0.3 ? MANY : 40;
    const items = Array.from({ length: count }, (_, n) => ({
      content: `Note ${n} on ${newWord(random)}`,
      embedding: Array.from(random.vector(DIMENSIONS), (value) => Math.round(value * 1e4) / 1e4),
      metadata: { n, even: n % 2 === 0 },
    }));
    for (let at = 0; at < count; at += 150)
      await ask.json("POST", `${path}/embeddings/batch`, { embeddings: items.slice(at, at + 150) });
    await ask.json("POST", `${path}/embeddings`, { content: "One more note", metadata: { n: count, even: true } });
    for (let i = 0; i < 5; i++) {
      const item = items[random.below(count)];
      if (item === undefined) continue;
      const body = { query: item.content, query_vector: item.embedding, search_mode: "vector", max_num_results: 3 };
      const [hit] = await searchFor(ask, store, body);
      same("the nearest vector is itself", textOfHit(hit), item.content);
      const filters = { type: "eq", key: "even", value: item.metadata.even };
      const found = await searchFor(ask, store, { ...body, filters, max_num_results: 20 });
      same("and with a filter", textOfHit(found[0]), item.content);
      for (const hit of found) same("of the filter", hit.attributes?.["even"], item.metadata.even);
    }
    const page = await ask.json<{ data: Identified[]; has_more: boolean }>("GET", `${path}/chunks?limit=100`);
    same("chunks", [page.data.length, page.has_more], [Math.min(100, count + 1), count + 1 > 100]);
    const lines = [1, 2].map((n) => JSON.stringify({ content: `Line ${n}`, metadata: { line: n } })).join("\n");
    const { inserted } = await ask.json<{ inserted: number }>("POST", `${path}/embeddings/batch`, `${lines}\n`, {
      headers: { "content-type": "application/x-ndjson" },
    });
    same("lines", inserted, 2);
    await ask.json("DELETE", path);
    await ask.refused([404], "GET", `${path}/chunks`);
  },
};

const searches: Episode = {
  family: "search",
  async run({ ask, random, library, house }) {
    const shelf = random.pick(library.shelves);
    const paths: object[] = [
      { query: "the harbour was closed for repairs" },
      { query: ["the harbour", "an orchard"], max_num_results: 20 },
      { query: "the violin", search_mode: "vector", explain: true },
      { query: "the glacier", search_mode: "keyword", max_chunks_per_file: 1 },
      { query: "please tell me where the kettle is", rewrite_query: true, context_window: 1 },
      { query: "a bridge", ranking_options: { model: "lectern-rank", score_threshold: 0 } },
      { query: "market", filters: { type: "or", filters: [{ type: "eq", key: "topic", value: 1 }, { topic: 2 }] } },
    ];
    for (const body of paths) {
      const hits = await searchFor(ask, shelf.id, body);
      for (const { score } of hits) must("scores are from 0 to 1", score >= 0 && score <= 1, score);
    }
    const page = await ask.by("search", (client) =>
      client.vectorStores.search(shelf.id, { query: "lantern", max_num_results: 3 }),
    );
    must("by the client", page.data.length <= 3);
    const log = await ask.json<{ data: { query: string[] }[] }>(
      "GET",
      `/v1/vector_stores/${shelf.id}/queries?limit=20`,
    );
    // Without space searches are not logged, which the server says.
    must("the query log has some", log.data.length > 0 || house.wasFullLately);
  },
};

const embeddings: Episode = {
  family: "embeddings",
  async run({ ask, random }) {
    const input = `The food was delicious, said ${newWord(random)}.`;
    const model = "lectern-embed-en";
    const { data } = await ask.by("embed", (client) =>
      client.embeddings.create({ model, input: [input, "Another text."] }),
    );
    const first = data[0]?.embedding ?? [];
    const close = (name: string, got: readonly number[] | undefined) =>
      must(
        `${name} gives the same vector`,
        first.length > 0 && first.every((value, i) => Math.abs(value - (got?.[i] ?? 9)) < 1e-4),
      );
    type Lists = { embeddings: number[][] };
    const azure = await ask.json<{ data: { embedding: number[] }[] }>(
      "POST",
      "/openai/deployments/text-embedding-3-small/embeddings",
      { input },
    );
    must("Azure's address answers", azure.data[0]?.embedding.length === first.length);
    for (const path of ["/embed", "/"])
      must(
        `${path} answers`,
        (await ask.json<number[][]>("POST", path, { inputs: [input], normalize: true }))[0]?.length === first.length,
      );
    const cohere = { model, texts: [input], input_type: "search_document", embedding_types: ["float"] };
    close(
      "Cohere's",
      (await ask.json<{ embeddings: { float: number[][] } }>("POST", "/v2/embed", cohere)).embeddings.float[0],
    );
    close("the older Cohere's", (await ask.json<Lists>("POST", "/v1/embed", { model, texts: [input] })).embeddings[0]);
    close("Ollama's", (await ask.json<Lists>("POST", "/api/embed", { model, input: [input] })).embeddings[0]);
    close(
      "the older Ollama's",
      (await ask.json<{ embedding: number[] }>("POST", "/api/embeddings", { model, prompt: input })).embedding,
    );
    for (const path of ["/info", "/api/tags", "/api/version"]) await ask.json("GET", path);
    const listed = await ask.by("models", (client) => client.models.list());
    must(
      "models",
      listed.data.some(({ id }) => id === model),
    );
    same("one model", (await ask.by("a model", (client) => client.models.retrieve(model))).id, model);
  },
};

const reranking: Episode = {
  family: "rerank",
  async run({ ask, random }) {
    const word = newWord(random);
    const documents = ["Coffee is served on the second floor.", `The password is reset with ${word}.`, "Rain and sun."];
    const { results } = await ask.json<{ results: { index: number }[] }>("POST", "/v1/rerank", {
      query: `how is a password reset with ${word}`,
      documents,
      top_n: 2,
    });
    same("the best document", [results.length, results[0]?.index], [2, 1]);
  },
};

interface Migration {
  id: string;
  status: string;
  last_error: unknown;
}
const ENDED = ["ready", "completed", "rolled_back", "cancelled", "failed"];

const migrations: Episode = {
  family: "migrations",
  async run({ ask, random, house }) {
    const store = await newStore(ask);
    const path = `/v1/vector_stores/${store}`;
    const words = Array.from({ length: 4 }, () => newWord(random));
    const ids: string[] = [];
    for (const [i, word] of words.entries()) ids.push(await addText(ask, store, `${i}.txt`, paragraph(word, random)));
    const check = async (what: string) => {
      for (const [i, word] of words.entries()) {
        const [hit] = await searchFor(ask, store, { query: word, search_mode: "keyword" });
        same(`${what}: who has ${word}`, hit?.file_id, ids[i]);
      }
      must(
        `${what}: vectors`,
        (await searchFor(ask, store, { query: "the harbour", search_mode: "vector" })).length > 0,
      );
    };
    const end = (id: string) =>
      ask.until(`migration ${id} ends`, async () => {
        const now = await ask.json<Migration>("GET", `${path}/migrations/${id}`);
        return ENDED.includes(now.status) ? now : undefined;
      });
    const to = { embedding_model: "second" };
    await ask.json("POST", `${path}/migrate/estimate`, to);
    const dry = await ask.json<Migration>("POST", `${path}/migrate`, { ...to, dry_run: true });
    const ready = await end(dry.id);
    // What had no space has failed, and left the store as it was.
    if (ready.status === "failed" && house.wasFullLately) return await check("after a migration without space");
    same("a dry run", [ready.status, ready.last_error], ["ready", null]);
    await ask.json("GET", `${path}/migrations/${dry.id}/changes`);
    await ask.json("POST", `${path}/migrations/${dry.id}/promote`);
    await ask.until("it is live", async () => ((await end(dry.id)).status === "completed" ? true : undefined));
    await check("after the switch");
    await ask.json("POST", `${path}/migrations/${dry.id}/rollback`);
    await ask.until("it is rolled back", async () => ((await end(dry.id)).status === "rolled_back" ? true : undefined));
    await check("after the way back");
    const again = await ask.json<Migration>("POST", `${path}/migrate`, to);
    const answer = await ask.refused([200, 400, 409], "POST", `${path}/migrations/${again.id}/cancel`);
    const { status } = await end(again.id);
    must("cancelled or done", status === (answer === 200 ? "cancelled" : "completed") || status === "failed", [
      answer,
      status,
    ]);
    await check("after a cancellation");
    const listed = await ask.json<{ data: Identified[] }>("GET", `${path}/migrations`);
    same("migrations", listed.data.map(({ id }) => id).toSorted(), [dry.id, again.id].toSorted());
    await ask.json("DELETE", path);
    for (const id of ids) await ask.json("DELETE", `/v1/files/${id}`);
  },
};

const quality: Episode = {
  family: "quality",
  async run({ ask, random, house }) {
    const store = await newStore(ask);
    const path = `/v1/vector_stores/${store}`;
    const words = Array.from({ length: 3 }, () => newWord(random));
    const ids: string[] = [];
    for (const [i, word] of words.entries()) ids.push(await addText(ask, store, `${i}.txt`, paragraph(word, random)));
    const judgments = words.map((query, i) => ({ query, relevant: [{ file_id: ids[i], grade: 2 }] }));
    same("added", (await ask.json<{ added: number }>("POST", `${path}/judgments`, { judgments })).added, 3);
    const listed = await ask.json<{ data: { id: string; query: string }[] }>("GET", `${path}/judgments`);
    same("judgments", listed.data.map(({ query }) => query).toSorted(), words.toSorted());
    const made = await ask.json<Identified>("POST", `${path}/evals`, { modes: ["keyword", "hybrid"], k: 5 });
    const measured = await ask.until("the evaluation ends", async () => {
      const now = await ask.json<{ status: string; metrics: { keyword?: { ndcg_at_k: number } } }>(
        "GET",
        `${path}/evals/${made.id}`,
      );
      return ["completed", "failed"].includes(now.status) ? now : undefined;
    });
    if (measured.status === "completed" || !house.wasFullLately)
      same("each word finds its file", [measured.status, measured.metrics.keyword?.ndcg_at_k], ["completed", 1]);
    await ask.json("GET", `${path}/evals/${made.id}/results`);
    same(
      "evaluations",
      (await ask.json<{ data: Identified[] }>("GET", `${path}/evals`)).data.map(({ id }) => id),
      [made.id],
    );
    const hits: Hit[] = await searchFor(ask, store, { query: words[0] });
    must("hits", hits.length > 0);
    await ask.json("DELETE", `${path}/judgments/${listed.data[0]?.id}`);
    await ask.json("DELETE", `${path}/judgments`);
    same("none left", (await ask.json<{ data: unknown[] }>("GET", `${path}/judgments`)).data, []);
    await ask.json("DELETE", path);
    for (const id of ids) await ask.json("DELETE", `/v1/files/${id}`);
  },
};

export const SEARCH_FAMILIES: readonly Episode[] = [vectors, searches, embeddings, reranking, migrations, quality];
