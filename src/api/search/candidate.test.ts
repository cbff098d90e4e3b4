import { describe, expect, test } from "bun:test";
import { placedFile } from "../../app/testing/finished-file.ts";
import { KEYS, type StoreApp, storeApp } from "../../app/testing/store-app.ts";
import { DIMENSIONS, vectorOf } from "../../app/testing/words-model.ts";
import type { MigrationStatus } from "../../storage/migration-table.ts";

const TEXTS = ["Lunch is at noon", "Parcels are weighed twice"];

/** A store with two chunks, and a migration to a generation whose vectors are the wrong way round. */
async function migrated(f: StoreApp, status: MigrationStatus) {
  const { json: store } = await f.call("POST", "/v1/vector_stores", {});
  const fileId = await f.file("handbook.md");
  await f.call("POST", `/v1/vector_stores/${store.id}/files`, { file_id: fileId });
  await f.finish(store.id, fileId, TEXTS);
  const { file, generation } = await placedFile(f.storage, store.id, fileId);
  const { model, model_revision: modelRevision, dimensions, chunk_set: chunkSet } = generation;
  const owner = { tenantId: "ten_a", storeId: store.id as string };
  const candidate = await f.storage.generations.insert({
    ...owner,
    ...{ model, modelRevision, dimensions, chunkSet, windowTokens: null, state: "building", createdAt: 1 },
  });
  await f.storage.transaction(async (tables) => {
    const of = { storeFile: file.seq, chunkSet, revision: file.revision };
    const rows = await tables.chunks.withoutVector("ten_a", of, candidate.id, TEXTS.length);
    const wrong = rows.map(({ id }, i) => ({ chunkId: id, data: vectorOf(rows.at(-1 - i)?.text ?? "") }));
    await tables.chunks.addVectors("ten_a", candidate.id, wrong);
  });
  const identity = { model, model_revision: modelRevision, dimensions, embedding_model: model };
  const kept = { ...identity, embedding_dimensions: DIMENSIONS, number: null };
  await f.storage.migrations.insert({
    ...owner,
    ...{ id: "mig_1", createdAt: 1, fromGeneration: generation.id, fromIdentity: kept, toIdentity: kept },
    ...{ maxTokens: null, overlapTokens: null, gate: null, dryRun: true, retainHours: 1 },
  });
  await f.storage.migrations.update("ten_a", "mig_1", { status, to_generation: candidate.id });
  return { store: store.id as string, path: `/v1/vector_stores/${store.id}` };
}

const QUERY = { query: "when is lunch", search_mode: "vector", max_num_results: 1 };
const CANDIDATE = { ...QUERY, migration_id: "mig_1" };

test("a search that names a ready migration is answered by its index, any other by the live one", async () => {
  await using f = await storeApp();
  const { path } = await migrated(f, "ready");
  const best = async (body: object) => {
    const { status, headers, json } = await f.call("POST", `${path}/search`, body);
    return [status, headers.get("x-lectern-generation"), json.data[0].content[0].text];
  };
  expect(await best(QUERY)).toEqual([200, "1", TEXTS[0]]);
  expect(await best(CANDIDATE)).toEqual([200, "2", TEXTS[1]]);
  expect(await best({ ...QUERY, migration_id: null })).toEqual([200, "1", TEXTS[0]]);
});

test("a search of a candidate is not among the store's queries, and is no use of it", async () => {
  await using f = await storeApp();
  const { path } = await migrated(f, "ready");
  const before = (await f.call("GET", path)).json.last_active_at;
  f.clock.seconds += 3600;
  await f.call("POST", `${path}/search`, CANDIDATE);
  expect((await f.call("GET", `${path}/queries`)).json.data).toEqual([]);
  expect((await f.call("GET", path)).json.last_active_at).toBe(before);
});

describe("it is refused", () => {
  const CASES: [MigrationStatus, RegExp][] = [
    ["queued", /is queued: .* once it is 'ready'/],
    ["building", /is building: .* once it is 'ready'/],
    ["catching_up", /is catching up: .* once it is 'ready'/],
    ["paused", /is paused: .* once it is 'ready'/],
    ["completed", /is completed: .* Leave 'migration_id' out/],
    ["rolled_back", /is rolled back: .* Leave 'migration_id' out/],
    ["cancelled", /is cancelled: .* Leave 'migration_id' out/],
    ["failed", /is failed: .* Leave 'migration_id' out/],
  ];
  test.each(CASES)("while the migration is %s", async (status, message) => {
    await using f = await storeApp();
    const { path } = await migrated(f, status);
    const answer = await f.call("POST", `${path}/search`, CANDIDATE);
    expect(answer.status).toBe(409);
    expect(answer.json.error).toMatchObject({ code: "migration_not_searchable", param: "migration_id" });
    expect(answer.json.error.message).toMatch(message);
  });

  test("to a key that only reads, which may search the live index", async () => {
    await using f = await storeApp();
    const { path } = await migrated(f, "ready");
    const headers = { authorization: `Bearer ${KEYS.read}` };
    const refused = await f.call("POST", `${path}/search`, CANDIDATE, headers);
    expect(refused.status).toBe(403);
    expect(refused.json.error).toMatchObject({ code: "permission_denied", param: "migration_id" });
    expect((await f.call("POST", `${path}/search`, QUERY, headers)).status).toBe(200);
  });

  test("for a migration that is not there, or of another store", async () => {
    await using f = await storeApp();
    const { path } = await migrated(f, "ready");
    const { json: other } = await f.call("POST", "/v1/vector_stores", {});
    for (const [at, id] of [
      [path, "mig_2"],
      [path, ""],
      [`/v1/vector_stores/${other.id}`, "mig_1"],
    ] as const) {
      const { status, json } = await f.call("POST", `${at}/search`, { ...QUERY, migration_id: id });
      expect([id, status, json.error.code, json.error.param]).toEqual([id, 404, "migration_not_found", "migration_id"]);
    }
  });
});
