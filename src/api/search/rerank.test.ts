import { describe, expect, test } from "bun:test";
import { OVERLAP, overlap, SHORT } from "../testing/rankers.ts";
import type { StoreApp } from "../../app/testing/store-app.ts";
import { KEYS, storeApp } from "../../app/testing/store-app.ts";

const FILES: Record<string, string[]> = {
  "returns.md": ["Items may be returned within 30 days for a refund", "Free"],
  "holidays.md": ["Employees get 30 days of holidays a year", "Public holidays are free", "Holidays in spring"],
  "many.md": Array.from({ length: 12 }, (_, i) => `holidays are days ${"x".repeat(i + 1)}`),
};

async function filled(f: StoreApp): Promise<{ id: string; path: string; files: Record<string, string> }> {
  const { json: store } = await f.call("POST", "/v1/vector_stores", {});
  const files: Record<string, string> = {};
  for (const [name, chunks] of Object.entries(FILES)) {
    files[name] = await f.file(name);
    await f.call("POST", `/v1/vector_stores/${store.id}/files`, { file_id: files[name] });
    await f.finish(store.id, files[name] ?? "", chunks);
  }
  return { id: store.id, path: `/v1/vector_stores/${store.id}/search`, files };
}

interface Hit {
  filename: string;
  score: number;
  chunk_id: string;
  content: { text: string }[];
  scores: { fused: number; rescored: number | null };
}
const text = (hit: Hit): string => hit.content[0]?.text ?? "";

async function search(f: StoreApp, path: string, body: object, headers: Record<string, string> = {}): Promise<Hit[]> {
  const { status, json } = await f.call("POST", path, { query: "days of holidays", explain: true, ...body }, headers);
  expect({ status, error: json.error ?? null }).toEqual({ status: 200, error: null });
  return json.data as Hit[];
}

describe("a search with a reranker", () => {
  test("orders by the reranker's scores, shows them, and cuts by them", async () => {
    await using f = await storeApp();
    const { path } = await filled(f);
    const ranker = { ranking_options: { ranker: OVERLAP } };
    const hits = await search(f, path, { ...ranker, max_num_results: 50 });
    expect(hits.length).toBe(17);
    for (const hit of hits) {
      expect(hit.score).toBe(overlap("days of holidays", text(hit)));
      expect(hit.scores.rescored).toBe(hit.score);
    }
    const scores = hits.map((hit) => hit.score);
    expect(scores).toEqual(scores.toSorted((a, b) => b - a));
    expect(text(hits[0] as Hit)).toBe("Employees get 30 days of holidays a year");
    const above = await search(f, path, { ranking_options: { ranker: OVERLAP, score_threshold: 0.5 } });
    expect(above.map(text)).toEqual(
      hits
        .filter((hit) => hit.score >= 0.5)
        .slice(0, 10)
        .map(text),
    );
    expect(above.length).toBeGreaterThan(3);
  });

  test("keeps the first stage's order between equal scores", async () => {
    await using f = await storeApp();
    const { path } = await filled(f);
    const first = await search(f, path, { max_num_results: 50 });
    const hits = await search(f, path, { ranking_options: { ranker: OVERLAP }, max_num_results: 50 });
    const equal = (of: Hit[]) => of.map((hit) => hit.chunk_id).filter((id) => sameScore.has(id));
    const sameScore = new Set(hits.filter((hit) => hit.score === hits[3]?.score).map((hit) => hit.chunk_id));
    expect(sameScore.size).toBeGreaterThan(3);
    expect(equal(hits)).toEqual(equal(first));
  });

  test("reads the best candidates and no more, and shows nothing that it has not read", async () => {
    await using f = await storeApp();
    const { path } = await filled(f);
    const first = await search(f, path, { max_num_results: 50 });
    f.rankers.candidates = 5;
    const hits = await search(f, path, { ranking_options: { ranker: SHORT }, max_num_results: 3 });
    expect(f.rankers.read).toEqual([
      { model: SHORT, query: "days of holidays", documents: first.slice(0, 5).map(text) },
    ]);
    expect(hits).toHaveLength(3);
    const more = await search(f, path, { ranking_options: { ranker: SHORT }, max_num_results: 8 });
    expect([more.length, f.rankers.read[1]?.documents.length]).toEqual([8, 8]);
  });

  test("finds the results wanted in other files where one file may give only a few", async () => {
    await using f = await storeApp();
    const { path } = await filled(f);
    f.rankers.candidates = 6;
    const body = { ranking_options: { ranker: OVERLAP }, max_num_results: 3, max_chunks_per_file: 1 };
    const hits = await search(f, path, body);
    expect(hits.map((hit) => hit.filename).toSorted()).toEqual(["holidays.md", "many.md", "returns.md"]);
  });

  test("reads the question as it was asked, and each of several with its own candidates", async () => {
    await using f = await storeApp();
    const { path } = await filled(f);
    f.rankers.candidates = 6;
    const query: [string, string] = ["Can you tell me about public holidays?", "What is a refund?"];
    const body = { query, rewrite_query: true, max_num_results: 6, ranking_options: { ranker: OVERLAP } };
    const hits = await search(f, path, body);
    expect(f.rankers.read.map((one) => [one.query, one.documents.length])).toEqual([
      [query[0], 3],
      [query[1], 3],
    ]);
    const best = (hit: Hit) => Math.max(...query.map((asked, i) => scoreOf(asked, i, hit)));
    const scoreOf = (asked: string, i: number, hit: Hit) =>
      f.rankers.read[i]?.documents.includes(text(hit)) === true ? overlap(asked, text(hit)) : 0;
    expect(hits.map((hit) => hit.score)).toEqual(hits.map(best));
    expect(new Set(hits.map((hit) => hit.chunk_id)).size).toBe(hits.length);
  });

  test("works in every mode and with a filter", async () => {
    await using f = await storeApp();
    const { path, files } = await filled(f);
    for (const search_mode of ["hybrid", "vector", "keyword"]) {
      const ranking_options = { ranker: OVERLAP };
      const filters = { file_ids: [files["holidays.md"]] };
      const hits = await search(f, path, { search_mode, ranking_options, filters });
      expect(hits.every((hit) => hit.filename === "holidays.md" && hit.scores.rescored === hit.score)).toBe(true);
      expect(text(hits[0] as Hit)).toBe("Employees get 30 days of holidays a year");
    }
  });

  test("never shows a file that was detached while it was being read", async () => {
    await using f = await storeApp();
    const { id, path, files } = await filled(f);
    f.rankers.meanwhile = () => f.call("DELETE", `/v1/vector_stores/${id}/files/${files["holidays.md"]}`);
    const hits = await search(f, path, { ranking_options: { ranker: OVERLAP } });
    expect(hits.map((hit) => hit.filename)).not.toContain("holidays.md");
    expect(hits.length).toBeGreaterThan(0);
  });

  test("is recorded with the time that it took and what was shown", async () => {
    await using f = await storeApp();
    const { id, path } = await filled(f);
    const hits = await search(f, path, { ranking_options: { ranker: OVERLAP }, max_num_results: 2 });
    const [record] = (await f.call("GET", `/v1/vector_stores/${id}/queries`)).json.data;
    expect(record.results.map((one: Hit) => one.score)).toEqual(hits.map((hit) => hit.score));
    const metrics = (await f.call("GET", "/metrics", undefined, { authorization: `Bearer ${KEYS.admin}` })).json;
    expect(metrics).toContain('lectern_search_stage_seconds_count{stage="rerank"} 1');
  });

  test("asks nothing of the reranker where nothing was found", async () => {
    await using f = await storeApp();
    const { path } = await filled(f);
    const hits = await search(f, path, {
      query: "zebra",
      search_mode: "keyword",
      ranking_options: { ranker: OVERLAP },
    });
    expect(hits).toEqual([]);
    expect(f.rankers.read.flatMap((one) => one.documents)).toEqual([]);
  });
});

describe("which ranker runs", () => {
  /** What read the candidates, null for the first stage alone. */
  const cases: [options: object, preferred: string | null, model: string | null][] = [
    [{}, null, null],
    [{}, SHORT, SHORT],
    [{ ranker: "auto" }, null, null],
    [{ ranker: "auto" }, SHORT, SHORT],
    [{ ranker: OVERLAP }, SHORT, OVERLAP],
    [{ ranker: "none" }, SHORT, null],
    [{ ranker: "default-2024-11-15" }, SHORT, null],
    [{ ranker: "default_2024_08_21" }, SHORT, null],
    [{ ranker: "rrf" }, SHORT, null],
    [{ ranker: "weighted", alpha: 0.2 }, SHORT, null],
    [{ ranker: "lectern-rank" }, SHORT, null],
    [{ ranker: "neural" }, null, null],
    [{ ranker: "neural" }, SHORT, SHORT],
    [{ ranker: "neural", model: OVERLAP }, SHORT, OVERLAP],
    [{ ranker: "neural", model: "transformers/unknown" }, null, null],
    [{ hybrid_search: { embedding_weight: 1, text_weight: 1 } }, SHORT, SHORT],
  ];
  test.each(cases)("%j with %s by default: %s", async (ranking_options, preferred, model) => {
    await using f = await storeApp();
    const { path } = await filled(f);
    f.rankers.preferred = preferred;
    const hits = await search(f, path, { ranking_options });
    expect(f.rankers.read.map((one) => one.model)).toEqual(model === null ? [] : [model]);
    expect(hits.every((hit) => (hit.scores.rescored !== null) === (model !== null))).toBe(true);
  });

  test("the only reranker there is answers for `neural`", async () => {
    await using f = await storeApp();
    const { path } = await filled(f);
    f.rankers.present = [OVERLAP];
    await search(f, path, { ranking_options: { ranker: "neural" } });
    expect(f.rankers.read.map((one) => one.model)).toEqual([OVERLAP]);
  });

  test("a name that means nothing is a 400 that lists what there is", async () => {
    await using f = await storeApp();
    const { path } = await filled(f);
    const { status, json } = await f.call("POST", path, { query: "x", ranking_options: { ranker: "best" } });
    expect([status, json.error.code, json.error.param]).toEqual([400, "invalid_value", "ranking_options.ranker"]);
    for (const name of ["best", "auto", "none", SHORT, OVERLAP]) expect(json.error.message).toContain(`'${name}'`);
  });

  test("openai-strict takes OpenAI's names only, also of rerankers that are there", async () => {
    await using f = await storeApp();
    const { path } = await filled(f);
    const strict = { "x-vector-dialect": "openai-strict" };
    for (const ranker of ["none", "auto", "default-2024-11-15", "default_2024_08_21"]) {
      expect((await f.call("POST", path, { query: "x", ranking_options: { ranker } }, strict)).status).toBe(200);
    }
    const others = ["rrf", "weighted", "neural", "default_2024_11_15", "default-2024-08-21", "AUTO", "best"];
    for (const ranker of [OVERLAP, "lectern-rank", ...others]) {
      const { status, json } = await f.call("POST", path, { query: "x", ranking_options: { ranker } }, strict);
      expect([ranker, status, json.error?.param]).toEqual([ranker, 400, "ranking_options.ranker"]);
      expect(json.error.message).not.toContain(SHORT);
    }
  });

  test("a vector without a question cannot be reranked: 400 when asked for, left out by default", async () => {
    await using f = await storeApp();
    const { path } = await filled(f);
    const body = { query: "", query_vector: Array.from({ length: 64 }, (_, i) => i) };
    f.rankers.preferred = SHORT;
    expect(await search(f, path, body)).toHaveLength(10);
    expect(f.rankers.read).toEqual([]);
    const { status, json } = await f.call("POST", path, { ...body, ranking_options: { ranker: OVERLAP } });
    expect([status, json.error.param]).toEqual([400, "ranking_options.ranker"]);
  });
});

describe("a reranker that cannot answer", () => {
  const cases: [failure: "overloaded" | "unavailable" | "rejected", status: number, code: string][] = [
    ["overloaded", 429, "overloaded"],
    ["unavailable", 503, "reranker_unavailable"],
    ["rejected", 503, "reranker_unavailable"],
  ];
  test.each(cases)("%s is a %d, never another order", async (failure, status, code) => {
    await using f = await storeApp();
    const { path } = await filled(f);
    f.rankers.failure = failure;
    f.rankers.preferred = SHORT;
    for (const ranking_options of [{ ranker: OVERLAP }, {}]) {
      const answer = await f.call("POST", path, { query: "days", ranking_options });
      expect([answer.status, answer.json.error.code]).toEqual([status, code]);
      expect(answer.headers.get("retry-after")).not.toBeNull();
    }
    expect((await f.call("POST", path, { query: "days", ranking_options: { ranker: "none" } })).status).toBe(200);
  });

  test("one that is set up and broken is a 503 that names it", async () => {
    await using f = await storeApp();
    const { path } = await filled(f);
    const { status, json } = await f.call("POST", path, { query: "x", ranking_options: { ranker: "broken" } });
    expect([status, json.error.code, json.error.param]).toEqual([
      503,
      "reranker_unavailable",
      "ranking_options.ranker",
    ]);
    expect(json.error.message).toContain("'broken'");
  });
});
