/** The answers of a tenant go with it: those that are kept, those that are being given, and the proof that they went. */
import { expect, test } from "bun:test";
import { waitFor } from "../../../test/helpers/wait.ts";
import { KEYS, storeApp, type StoreApp } from "../../app/testing/store-app.ts";

const OPERATOR = { authorization: `Bearer ${KEYS.admin}` };
const OTHER = { authorization: `Bearer ${KEYS.other}` };
const TENANT = "/v1/admin/tenants/ten_b";

/** A store of the tenant, with a passage. */
async function storeOf(f: StoreApp): Promise<string> {
  const { id } = (await f.call("POST", "/v1/vector_stores", {}, OTHER)).json;
  const body = { embeddings: [{ content: "Refunds are paid within fourteen days of the return of the goods." }] };
  expect((await f.call("POST", `/v1/vector_stores/${id}/embeddings/batch`, body, OTHER)).status).toBe(200);
  return id;
}

const ask = (store: string, more: object = {}) => ({
  model: "gpt-4o",
  input: "When are refunds paid?",
  tools: [{ type: "file_search", vector_store_ids: [store] }],
  include: ["file_search_call.results"],
  ...more,
});

/** Rows of the tenant in every table that has a tenant, deletions and what they count aside. */
function rowsLeft({ db }: StoreApp): Record<string, number> {
  const tables = db.raw
    .query<{ name: string }, []>(
      `SELECT m.name FROM sqlite_schema m JOIN pragma_table_info(m.name) c
       WHERE m.type = 'table' AND c.name = 'tenant_id' AND m.name NOT LIKE 'deletion%'`,
    )
    .all();
  const counted = tables.map(({ name }) => {
    const sql = `SELECT count(*) AS n FROM ${name} WHERE tenant_id = 'ten_b'`;
    return [name, db.raw.query<{ n: number }, []>(sql).get()?.n ?? 0] as const;
  });
  return Object.fromEntries(counted.filter(([, n]) => n > 0));
}

test("what was answered is gone from every table with its tenant, nothing of it answers, and the receipts prove it", async () => {
  await using f = await storeApp();
  const store = await storeOf(f);
  const first = (await f.call("POST", "/v1/responses", ask(store), OTHER)).json;
  const second = await f.call("POST", "/v1/responses", ask(store, { previous_response_id: first.id }), OTHER);
  expect([first.status, second.json.status]).toEqual(["completed", "completed"]);
  const answers = rowsLeft(f);
  expect(answers).toMatchObject({
    response: 2,
    response_item: expect.any(Number),
    response_source: expect.any(Number),
  });

  expect((await f.call("DELETE", TENANT, undefined, OPERATOR)).status).toBe(200);
  const kept = Object.keys(rowsLeft(f)).filter((name) => name.startsWith("response"));
  expect(kept).toEqual([]);
  await f.addKey("sk-test-again-0123456789", { id: "key_again" });
  const again = { authorization: "Bearer sk-test-again-0123456789" };
  for (const path of [`/v1/responses/${first.id}`, `/v1/responses/${first.id}/input_items`]) {
    expect((await f.call("GET", path, undefined, OTHER)).status).toBe(401);
    // Neither by its id, whoever asks.
    for (const headers of [OPERATOR, again]) expect((await f.call("GET", path, undefined, headers)).status).toBe(404);
  }
  const further = await f.call("POST", "/v1/responses", { ...ask(store), previous_response_id: first.id }, again);
  expect([further.status, further.json.error.code]).toEqual([400, "previous_response_not_found"]);

  await f.engine.jobs.runner.start();
  await waitFor("everything of the tenant is gone", async () =>
    Object.keys(rowsLeft(f)).length === 0 ? true : undefined,
  );
  const { data } = (await f.call("GET", "/v1/admin/deletions", undefined, OPERATOR)).json;
  const own: { id: string }[] = data.filter(({ tenant_id }: { tenant_id: string }) => tenant_id === "ten_b");
  expect(own.length).toBeGreaterThan(0);
  for (const { id } of own) {
    const { json } = await f.call("POST", `/v1/admin/deletions/${id}/verify`, {}, OPERATOR);
    expect(json.completed_at).toBeNumber();
    expect(Object.values(json.remaining as object).every((left) => left === 0)).toBe(true);
  }
}, 30_000);

test.each([{}, { stream: true }, { background: true }])(
  "an answer that is being given while its tenant is deleted is not kept: %j",
  async (more) => {
    await using f = await storeApp();
    const store = await storeOf(f);
    const searched = Promise.withResolvers<void>();
    const deleted = Promise.withResolvers<void>();
    f.onEmbed(async () => {
      searched.resolve();
      await deleted.promise;
    });
    await f.engine.jobs.runner.start();
    const asked = f.call("POST", "/v1/responses", ask(store, { input: "And what of receipts?", ...more }), OTHER);
    await searched.promise;
    const removed = f.call("DELETE", TENANT, undefined, OPERATOR);
    await waitFor("the tenant is gone", async () =>
      (await f.storage.tenants.get("ten_b")) === null ? true : undefined,
    );
    deleted.resolve();
    expect((await removed).status).toBe(200);
    await asked;
    await waitFor("everything of the tenant is gone", async () =>
      Object.keys(rowsLeft(f)).length === 0 ? true : undefined,
    );
  },
  30_000,
);
