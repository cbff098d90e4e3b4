/** The verbs of administration against a running server: keys and tenants. */
import { expect, test } from "bun:test";
import { runLectern, startServer } from "../helpers/server.ts";

test("a key is made, listed, used, and unknown once it is revoked", async () => {
  await using server = await startServer();
  const run = (...args: string[]) => runLectern([...args, "--data", server.dataDir]);
  const made = await run("keys", "create", "reader", "--role", "read", "--days", "30");
  const key = made.out.trim();
  expect([made.status, made.out]).toEqual([0, `${key}\n`]);
  const ask = (method: string) =>
    fetch(`${server.url}/v1/vector_stores`, { method, headers: { authorization: `Bearer ${key}` } });
  expect((await ask("GET")).status).toBe(200);
  expect((await ask("POST")).status).toBe(403);

  const list = await run("keys", "list");
  const row = list.out.split("\n").find((line) => line.includes("reader")) ?? "";
  expect(row).toMatch(/^key_\S+ +ten_\S+ +read +sk-\S+ +reader +\d{4}-\d{2}-\d{2} +\S+ +all$/);
  expect(list.out + list.err).not.toContain(key);

  const id = row.split(/\s+/)[0] ?? "";
  expect(await run("keys", "revoke", id)).toMatchObject({ status: 0, out: `${id}\n` });
  expect((await ask("GET")).status).toBe(401);
  expect((await run("keys", "revoke", id)).status).toBe(1);
});

test("a tenant has keys of its own, sees nothing of the others, and can be suspended and resumed", async () => {
  await using server = await startServer();
  const run = (...args: string[]) => runLectern([...args, "--data", server.dataDir]);
  const tenant = JSON.parse((await run("tenants", "create", "ACME", "--requests-per-minute", "600", "--json")).out) as {
    id: string;
  };
  const key = (await run("keys", "create", "admin of ACME", "--role", "admin", "--tenant", tenant.id)).out.trim();
  await server.client.vectorStores.create({ name: "ours" });
  const theirs = (method: string, body?: object) =>
    fetch(`${server.url}/v1/vector_stores`, {
      method,
      headers: { authorization: `Bearer ${key}`, "content-type": "application/json" },
      ...(body && { body: JSON.stringify(body) }),
    });
  expect(((await (await theirs("GET")).json()) as { data: unknown[] }).data).toEqual([]);
  expect((await theirs("POST", { name: "theirs" })).status).toBe(200);
  expect((await server.client.vectorStores.list()).data.map((store) => store.name)).toEqual(["ours"]);

  expect((await run("tenants", "suspend", "ACME")).out).toBe(`${tenant.id}\n`);
  expect((await theirs("POST", { name: "more" })).status).toBe(402);
  expect((await run("tenants", "resume", tenant.id)).out).toBe(`${tenant.id}\n`);
  expect((await theirs("POST", { name: "more" })).status).toBe(200);
  expect((await run("tenants", "list")).out).toMatch(/^ten_\S+ +active +ACME +2 +0 +0 B$/m);
});

test.each([
  [["keys", "forget"], "Say what to do with keys: create, list, revoke."],
  [["keys", "create"], "Say which: lectern keys create NAME."],
  [["tenants", "forget", "ten_x"], "Say what to do with tenants: "],
  [["tenants", "delete", "ACME"], "say --yes if that is meant."],
])("%j is refused in one line", async (args, message) => {
  const refused = await runLectern(args, { cwd: "/" });
  expect(refused).toMatchObject({ status: 2, out: "" });
  expect(refused.err.trim().split("\n")).toHaveLength(1);
  expect(refused.err).toContain(message);
});
