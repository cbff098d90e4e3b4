import { expect, test } from "bun:test";
import { KEYS, storeApp } from "../app/testing/store-app.ts";
import { cellsOf, serveApp } from "./testing/command.ts";

test("a tenant is made with quotas, changed, suspended, resumed and deleted, by name", async () => {
  await using f = await storeApp();
  await using server = serveApp(f);
  const { status, out } = await server.run(["tenants", "create", "acme", "--max-files-per-store", "5"]);
  expect(status).toBe(0);
  const id = out.trimEnd();
  const shown = async () => (await f.call("GET", `/v1/admin/tenants/${id}`, undefined, ADMIN)).json;
  expect(await shown()).toMatchObject({ name: "acme", status: "active", quotas: { max_files_per_store: 5 } });
  const set = await server.run(["tenants", "set", "acme", "--max-bytes", "1000", "--json"]);
  expect(JSON.parse(set.out)).toMatchObject({ id, quotas: { max_bytes: 1000 } });
  await server.run(["tenants", "suspend", "acme"]);
  expect((await shown()).status).toBe("suspended");
  await server.run(["tenants", "resume", "acme"]);
  expect((await shown()).status).toBe("active");
  expect(await server.run(["tenants", "delete", "acme", "--yes"])).toMatchObject({ status: 0, out: `${id}\n` });
  expect(cellsOf((await server.run(["tenants"])).out).map(([one]) => one)).not.toContain(id);
});

test("the list shows what each holds", async () => {
  await using f = await storeApp();
  await using server = serveApp(f);
  await f.call("POST", "/v1/vector_stores", {});
  const { out, err } = await server.run(["tenants", "list"]);
  expect(err).toMatch(/^ID +STATUS +NAME +STORES +FILES +BYTES\n$/);
  expect(cellsOf(out)).toEqual([
    ["ten_a", "active", "ten_a", "1", "0", "0 B"],
    ["ten_b", "active", "ten_b", "0", "0", "0 B"],
  ]);
  expect(JSON.parse((await server.run(["tenants", "list", "--json"])).out)).toHaveLength(2);
});

test.each([
  [1, ["tenants", "suspend", "none"], 'There is no tenant "none".'],
  [2, ["tenants", "create", "x", "--max-bytes", "lots"], "--max-bytes must be a whole number"],
] as const)("with status %d: %j", async (expected, argv, sentence) => {
  await using f = await storeApp();
  await using server = serveApp(f);
  const { status, err } = await server.run(argv);
  expect(status).toBe(expected);
  expect(err).toContain(sentence);
});

test("a name that two tenants have is refused with their ids", async () => {
  await using f = await storeApp();
  await using server = serveApp(f);
  for (let i = 0; i < 2; i++) await server.run(["tenants", "create", "twice"]);
  const { status, err } = await server.run(["tenants", "delete", "twice", "--yes"]);
  expect(status).toBe(1);
  expect(err).toMatch(/^lectern: 2 tenants are named twice; say which by its id: ten_\w+, ten_\w+\.\n$/);
});

test("a key that may only write is told that it may not", async () => {
  await using f = await storeApp();
  await using server = serveApp(f);
  const { status, err } = await server.run(["tenants", "list"], { env: { LECTERN_API_KEY: KEYS.write } });
  expect([status, err.startsWith("lectern: ")]).toEqual([1, true]);
});

const ADMIN = { authorization: `Bearer ${KEYS.admin}` };
