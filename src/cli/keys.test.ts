import { expect, test } from "bun:test";
import { storeApp } from "../app/testing/store-app.ts";
import { cellsOf, serveApp } from "./testing/command.ts";

test("a new key alone is on standard output, opens what it may, and is unknown once revoked", async () => {
  await using f = await storeApp();
  await using server = serveApp(f);
  const { id } = (await f.call("POST", "/v1/vector_stores", { name: "handbook" })).json;
  const made = await server.run(["keys", "create", "the", "clerk", "--role", "read", "--store", "handbook"]);
  expect(made.status).toBe(0);
  expect(made.err).toMatch(/^key_\w+ made; its key is shown this once:\n$/);
  const headers = { authorization: `Bearer ${made.out.trimEnd()}` };
  expect((await f.call("GET", `/v1/vector_stores/${id}`, undefined, headers)).status).toBe(200);
  expect((await f.call("POST", "/v1/vector_stores", {}, headers)).status).toBe(403);

  const keyId = made.err.split(" ")[0] ?? "";
  expect(await server.run(["keys", "revoke", keyId])).toEqual({ status: 0, out: `${keyId}\n`, err: "" });
  expect((await f.call("GET", `/v1/vector_stores/${id}`, undefined, headers)).status).toBe(401);
});

test("a key of a tenant with days, dialect and requests is made as it is said", async () => {
  await using f = await storeApp();
  await using server = serveApp(f);
  f.clock.seconds = Math.floor(Date.now() / 1000);
  const flags = ["--tenant", "ten_b", "--days", "2", "--dialect", "openai-strict", "--requests-per-minute", "7"];
  const before = Math.floor(Date.now() / 1000);
  const made = JSON.parse((await server.run(["keys", "create", "k", "--json", ...flags])).out);
  expect(made).toMatchObject({ name: "k", tenant_id: "ten_b", role: "write", dialect: "openai-strict" });
  expect(made.quotas).toMatchObject({ requests_per_minute: 7 });
  expect(made.expires_at).toBeWithin(before + 2 * 86_400, before + 2 * 86_400 + 60);
});

test("the list is a row a key, of one tenant where one is named; the head is for people", async () => {
  await using f = await storeApp();
  await using server = serveApp(f);
  const all = await server.run(["keys", "list"]);
  expect(all.err).toMatch(/^ID +TENANT +ROLE +KEY +NAME +EXPIRES +USED +STORES\n$/);
  expect(cellsOf(all.out).map(([id]) => id)).toEqual(["key_write", "key_read", "key_admin", "key_other"]);
  const own = await server.run(["keys", "list", "--tenant", "ten_b", "--json"]);
  expect(JSON.parse(own.out)).toEqual([expect.objectContaining({ id: "key_other", tenant_id: "ten_b" })]);
});

test.each([
  [1, ["keys", "create", "k", "--store", "none"], 'There is no store "none".'],
  [1, ["keys", "create", "k", "--tenant", "none"], 'There is no tenant "none".'],
  [2, ["keys", "create", "k", "--days", "0"], "--days must be a whole number from 1"],
  [1, ["keys", "create", "k", "--role", "king"], "'king'"],
  [1, ["keys", "revoke", "none"], 'There is no key "none".'],
] as const)("with status %d and a sentence %j fails and makes nothing", async (expected, argv, sentence) => {
  await using f = await storeApp();
  await using server = serveApp(f);
  const { status, out, err } = await server.run(argv);
  expect([status, out]).toEqual([expected, ""]);
  expect(err).toContain(sentence);
  expect(JSON.parse((await server.run(["keys", "list", "--json"])).out)).toHaveLength(4);
});

test("a name that two keys have is refused with their ids, and neither is revoked", async () => {
  await using f = await storeApp();
  await using server = serveApp(f);
  for (const id of ["key_1", "key_2"]) await f.addKey(`sk-test-${id}-0123456789`, { id, name: "twice" });
  const { status, err } = await server.run(["keys", "revoke", "twice"]);
  expect([status, err]).toEqual([1, "lectern: 2 keys are named twice; say which by its id: key_1, key_2.\n"]);
  expect(JSON.parse((await server.run(["keys", "list", "--json"])).out)).toHaveLength(6);
});
