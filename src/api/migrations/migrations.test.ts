import { describe, expect, test } from "bun:test";
import { placedFile } from "../../app/testing/finished-file.ts";
import { KEYS, type StoreApp, storeApp } from "../../app/testing/store-app.ts";
import { DIMENSIONS } from "../../app/testing/words-model.ts";
import type { KeptChange } from "../../storage/migration-table.ts";

const TEXTS = ["Lunch is at noon. It is served in the great hall.", "Parcels are weighed twice before they leave."];

async function filled(f: StoreApp, texts: readonly string[] = TEXTS) {
  const { json: store } = await f.call("POST", "/v1/vector_stores", {});
  const file = await f.file("handbook.md");
  await f.call("POST", `/v1/vector_stores/${store.id}/files`, { file_id: file });
  await f.finish(store.id, file, texts);
  return { store: store.id as string, file, path: `/v1/vector_stores/${store.id}` };
}

describe("an estimate", () => {
  test("counts what a new index takes, from some chunks that it embeds", async () => {
    await using f = await storeApp();
    const texts = Array.from({ length: 20 }, (_, i) => `Rule number ${i} is that parcels are weighed.`);
    const { store, path } = await filled(f, texts);
    const { status, json } = await f.call("POST", `${path}/migrate/estimate`, { embedding_model: "words-64" });
    expect(status).toBe(200);
    expect(json).toEqual({
      object: "vector_store.migration_estimate",
      vector_store_id: store,
      to: {
        generation: null,
        embedding_model: "words-64",
        model_revision: "r1",
        dimensions: DIMENSIONS,
        chunking_strategy: null,
      },
      chunks: 20,
      tokens: 20,
      memory_bytes: 20 * DIMENSIONS * 4,
      seconds: expect.any(Number),
      cost_usd: null,
      sampled_chunks: 8,
    });
    expect(new Set(f.embedded).size).toBe(8);
    expect(f.embedded.every((text) => texts.includes(text))).toBe(true);
    expect((await f.call("GET", `${path}/migrations`)).json.data).toEqual([]);
  });

  test("follows fewer dimensions and another chunking", async () => {
    await using f = await storeApp();
    const { path } = await filled(
      f,
      Array.from({ length: 40 }, (_, i) => `${i} `.repeat(100)),
    );
    const asked = { embedding_model: "words-64", dimensions: 16 };
    const estimate = async (more: object) =>
      (await f.call("POST", `${path}/migrate/estimate`, { ...asked, ...more })).json;
    expect((await estimate({})).memory_bytes).toBe(40 * 16 * 4);
    const cut = (size: number) => ({
      chunking_strategy: { type: "static", static: { max_chunk_size_tokens: size, chunk_overlap_tokens: 0 } },
    });
    const [small, large] = [(await estimate(cut(100))).chunks, (await estimate(cut(200))).chunks];
    // Tokens of the chunks are characters in this test.
    expect(small).toBeGreaterThan(90);
    expect(small / large).toBeCloseTo(2, 1);
  });

  test("of an empty store is nothing, and of a model that is away all but the time", async () => {
    await using f = await storeApp();
    const { json: empty } = await f.call("POST", "/v1/vector_stores", {});
    const of = async (path: string) =>
      (await f.call("POST", `${path}/migrate/estimate`, { embedding_model: "words-64" })).json;
    expect(await of(`/v1/vector_stores/${empty.id}`)).toMatchObject({ chunks: 0, tokens: 0, seconds: 0 });
    const { path } = await filled(f);
    f.failing.reason = "unavailable";
    expect(await of(path)).toMatchObject({ chunks: 2, memory_bytes: 2 * DIMENSIONS * 4, seconds: null });
  });

  test("is refused for what could not be migrated to, and to keys that only read", async () => {
    await using f = await storeApp();
    const { path } = await filled(f);
    const refusal = async (body: object, headers = {}) => {
      const { status, json } = await f.call("POST", `${path}/migrate/estimate`, body, headers);
      return [status, json.error.code, json.error.param];
    };
    expect(await refusal({ embedding_model: "nothing" })).toEqual([400, "invalid_embedding_model", "embedding_model"]);
    const long = { embedding_model: "words-64", dimensions: 999 };
    expect(await refusal(long)).toEqual([400, "invalid_dimensions", "dimensions"]);
    expect(await refusal({ embedding_model: "words-64", dry_run: true })).toEqual([
      400,
      "unknown_parameter",
      "dry_run",
    ]);
    const reader = { authorization: `Bearer ${KEYS.read}` };
    expect(await refusal({ embedding_model: "words-64" }, reader)).toEqual([403, "permission_denied", null]);
  });
});

describe("what a migration changes", () => {
  /** A completed migration whose report has these changes. */
  async function reported(f: StoreApp, changes: (chunks: number[], judgment: string) => KeptChange[]) {
    const made = await filled(f);
    const { file, generation } = await placedFile(f.storage, made.store, made.file);
    const owner = { tenantId: "ten_a", storeId: made.store };
    const chunks = await f.storage.chunks.sampleIds("ten_a", made.store, generation.chunk_set, 10);
    const judged = { query: "when is lunch", relevant: [{ file_id: made.file }] };
    const { json } = await f.call("POST", `${made.path}/judgments`, { judgments: [judged] });
    const identity = { model: "m", model_revision: "r", dimensions: 1, embedding_model: "m" };
    const kept = { ...identity, embedding_dimensions: null, number: 1 };
    await f.storage.migrations.insert({
      ...owner,
      ...{ id: "mig_1", createdAt: 1, fromGeneration: generation.id, fromIdentity: kept, toIdentity: kept },
      ...{ maxTokens: null, overlapTokens: null, gate: null, dryRun: true, retainHours: 1 },
    });
    const report = {
      ...{ queries: 1, source: "judged" as const, overlap_at_10: 0.5, rank_correlation: 1, self_retrieval: 1 },
      ...{ counts: { from: 2, to: 2 }, latency_ms: { from: { p50: 1, p95: 1 }, to: { p50: 1, p95: 1 } } },
      ...{ ndcg_at_10: null, recall_at_10: null, gate: "none" as const, reasons: [] },
    };
    const changed = changes(chunks, json.data[0].id as string);
    await f.storage.migrations.update("ten_a", "mig_1", { status: "completed", report: { ...report, changed } });
    return { ...made, report, file };
  }

  test("is shown with both lists, and is no part of the report", async () => {
    await using f = await storeApp();
    const { path, file, report } = await reported(f, ([lunch = 0, parcels = 0], judgment) => [
      { query: { judgment }, overlap: 0.5, from: [lunch, parcels], to: [parcels] },
      { query: { chunk: parcels }, overlap: 0.9, from: [], to: [parcels] },
    ]);
    const hit = (start: number, end: number, excerpt: string) => {
      const at = { start_offset: start, end_offset: end, excerpt };
      return { file_id: file.file_id, filename: "handbook.md", ...at };
    };
    const [lunch, parcels] = [hit(0, 49, TEXTS[0] ?? ""), hit(50, 94, TEXTS[1] ?? "")];
    expect((await f.call("GET", `${path}/migrations/mig_1/changes`)).json).toEqual({
      object: "list",
      data: [
        { query: "when is lunch", overlap_at_10: 0.5, from: [lunch, parcels], to: [parcels] },
        {
          query: "Parcels are weighed twice before they leave.",
          ...{ overlap_at_10: 0.9, from: [], to: [parcels] },
        },
      ],
    });
    expect((await f.call("GET", `${path}/migrations/mig_1`)).json.report).toEqual(report);
  });

  test("leaves out what was deleted since: queries, searches and passages", async () => {
    await using f = await storeApp();
    const { path, file } = await reported(f, ([lunch = 0], judgment) => [
      { query: { judgment }, overlap: 0, from: [lunch], to: [lunch] },
      { query: { logged: 99, place: 0 }, overlap: 0, from: [lunch], to: [] },
      { query: { chunk: lunch }, overlap: 0, from: [lunch], to: [lunch] },
    ]);
    const shown = async () => (await f.call("GET", `${path}/migrations/mig_1/changes`)).json.data;
    expect((await shown()).map(({ query }: { query: string }) => query)).toEqual([
      "when is lunch",
      "It is served in the great hall.",
    ]);
    await f.call("DELETE", `${path}/files/${file.file_id}`);
    expect(await shown()).toEqual([{ query: "when is lunch", overlap_at_10: 0, from: [], to: [] }]);
    const { json } = await f.call("GET", `${path}/judgments`);
    await f.call("DELETE", `${path}/judgments/${json.data[0].id}`);
    expect(await shown()).toEqual([]);
  });
});
