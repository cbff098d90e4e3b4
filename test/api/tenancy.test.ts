/** Tenants, keys, quotas, rates, suspension, deletion and its proof, on a running server. */
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { addText, errorOf, json, newStore, refusal, search, settled, upload, NOTHING_LEFT } from "../helpers/api.ts";
import { lacks } from "../helpers/lacks.ts";
import { OVER_TWO } from "../helpers/pair.ts";
import { runLectern, startServer, type TestServer } from "../helpers/server.ts";
import { tempDir } from "../helpers/temp-dir.ts";
import { as, newKey, newTenant, type TestKey } from "../helpers/tenants.ts";
import { waitFor } from "../helpers/wait.ts";

let server: TestServer;
beforeAll(async () => {
  server = await startServer();
});
afterAll(async () => await server?.[Symbol.asyncDispose]());

async function tenant(quotas: object = {}, key: Record<string, unknown> = {}) {
  const id = await newTenant(server, "customer", quotas);
  const made = await newKey(server, { tenant_id: id, ...key });
  return { id, key: made, client: as(server, made.key) };
}

const codeOf = async (from: TestServer, method: string, path: string, body?: unknown) => {
  const { status, code } = await refusal(from, method, path, body);
  return [status, code];
};

describe("keys", () => {
  test("are shown once, have at least 128 random bits, and are kept as a hash and a hint", async () => {
    const made = await newKey(server, { name: "shown once" });
    expect(made.key).toMatch(/^sk-lec-[A-Za-z0-9]{40}$/);
    const again = JSON.stringify(await json(server, "GET", `/v1/admin/keys/${made.id}`));
    expect(again).not.toContain(made.key);
    expect(JSON.parse(again).hint).toBe(`${made.key.slice(0, 6)}…${made.key.slice(-4)}`);
    expect(JSON.stringify(await json(server, "GET", "/v1/admin/keys?limit=100"))).not.toContain(made.key);
  });

  test("are unknown from the moment they are revoked", async () => {
    const { client, key } = await tenant();
    expect((await client.fetch("/v1/files")).status).toBe(200);
    expect(await json(server, "DELETE", `/v1/admin/keys/${key.id}`)).toEqual({
      id: key.id,
      object: "api_key.deleted",
      deleted: true,
    });
    expect(await codeOf(client, "GET", "/v1/files")).toEqual([401, "invalid_api_key"]);
    expect(await codeOf(server, "GET", `/v1/admin/keys/${key.id}`)).toEqual([404, "key_not_found"]);
  });

  test("know when they were used, and answer in their own dialect", async () => {
    const { client, key } = await tenant({}, { dialect: "fightclub" });
    expect(await codeOf(client, "POST", "/v1/vector_stores", {})).toEqual([400, "invalid_name"]);
    const shown = await json<{ last_used_at: number }>(server, "GET", `/v1/admin/keys/${key.id}`);
    expect(Math.abs(shown.last_used_at - Date.now() / 1000)).toBeLessThan(60);
  });

  test("of a reader cannot write, of a writer cannot administer, of another tenant's admin cannot run the server", async () => {
    const { id, client } = await tenant({}, { role: "read" });
    expect(await codeOf(client, "POST", "/v1/vector_stores", {})).toEqual([403, "permission_denied"]);
    const writer = as(server, (await newKey(server, { tenant_id: id })).key);
    expect(await codeOf(writer, "GET", "/v1/admin/keys")).toEqual([403, "permission_denied"]);
    const admin = as(server, (await newKey(server, { tenant_id: id, role: "admin" })).key);
    for (const [method, path, body] of [
      ["GET", "/v1/admin/status", undefined],
      ["POST", "/v1/admin/reload", undefined],
      ["GET", "/metrics", undefined],
      ["POST", "/v1/admin/tenants", { name: "mine" }],
      ["POST", `/v1/admin/tenants/${id}`, { quotas: { max_bytes: null } }],
      ["DELETE", `/v1/admin/tenants/${id}`, undefined],
    ] as const) {
      expect([path, await codeOf(admin, method, path, body)]).toEqual([path, [403, "permission_denied"]]);
    }
    const { key } = await json<TestKey>(admin, "POST", "/v1/admin/keys", { name: "own", role: "read" });
    expect((await as(server, key).fetch("/v1/files")).status).toBe(200);
    const tenants = await json<{ data: { id: string }[] }>(admin, "GET", "/v1/admin/tenants");
    expect(tenants.data.map((one) => one.id)).toEqual([id]);
  });

  test("limited to one store cannot read another's files, through no address", async () => {
    const { id, client } = await tenant();
    const [mine, other] = [await newStore(client), await newStore(client)];
    const inMine = await addText(client, mine, "mine.txt", "visible words");
    const inOther = await addText(client, other, "other.txt", "hidden words");
    const loose = await upload(client, "loose.txt", "hidden words too");
    const bound = as(server, (await newKey(server, { tenant_id: id, vector_store_ids: [mine] })).key);

    const listed = async (path: string) =>
      (await json<{ data: { id: string }[] }>(bound, "GET", path)).data.map((one) => one.id);
    expect(await listed("/v1/vector_stores")).toEqual([mine]);
    expect(await listed("/v1/files")).toEqual([inMine]);
    for (const file of [inOther, loose]) {
      expect(await codeOf(bound, "GET", `/v1/files/${file}`)).toEqual([404, "file_not_found"]);
      expect(await codeOf(bound, "GET", `/v1/files/${file}/content`)).toEqual([404, "file_not_found"]);
      expect(await codeOf(bound, "DELETE", `/v1/files/${file}`)).toEqual([404, "file_not_found"]);
      const attach = [`/v1/vector_stores/${mine}/files`, { file_id: file }] as const;
      expect(await codeOf(bound, "POST", ...attach)).toEqual([404, "file_not_found"]);
      const insert = [`/v1/vector_stores/${mine}/embeddings`, { content: "x", file_id: file }] as const;
      expect(await codeOf(bound, "POST", ...insert)).toEqual([404, "file_not_found"]);
    }
    expect(await codeOf(bound, "POST", `/v1/vector_stores/${other}/search`, { query: "hidden" })).toEqual([
      404,
      "vector_store_not_found",
    ]);
    expect((await search(bound, mine, { query: "words" })).map((hit) => hit.file_id)).toEqual([inMine]);
    const own = await upload(bound, "own.txt", "its own");
    expect((await bound.fetch(`/v1/files/${own}/content`)).status).toBe(200);
    // A file that is in another store as well is not the bound key's to delete.
    await json(client, "POST", `/v1/vector_stores/${other}/files`, { file_id: inMine });
    expect(await codeOf(bound, "DELETE", `/v1/files/${inMine}`)).toEqual([403, "permission_denied"]);
  });

  test("past their time are unknown", async () => {
    using dir = tempDir();
    const clock = dir.join("clock");
    await Bun.write(clock, "0");
    await using moved = await startServer({ args: ["--test-clock-file", clock] });
    const expires_at = Math.floor(Date.now() / 1000) + 3600;
    const made = await newKey(moved, { expires_at });
    expect((await as(moved, made.key).fetch("/v1/files")).status).toBe(200);
    await Bun.write(clock, "3601");
    expect(await codeOf(as(moved, made.key), "GET", "/v1/files")).toEqual([401, "invalid_api_key"]);
    const past = { name: "late", expires_at: Math.floor(Date.now() / 1000) };
    expect(await codeOf(moved, "POST", "/v1/admin/keys", past)).toEqual([400, "invalid_value"]);
  });
});

describe("quotas", () => {
  test("of stores are the tenant's, and each key's own", async () => {
    const { id, client, key } = await tenant({ max_vector_stores: 3 }, { quotas: { max_vector_stores: 2 } });
    await newStore(client);
    const second = await newStore(client);
    expect(await codeOf(client, "POST", "/v1/vector_stores", {})).toEqual([403, "vector_store_limit_reached"]);
    const other = as(server, (await newKey(server, { tenant_id: id })).key);
    await newStore(other);
    expect(await codeOf(other, "POST", "/v1/vector_stores", {})).toEqual([403, "vector_store_limit_reached"]);
    await json(client, "DELETE", `/v1/vector_stores/${second}`);
    await newStore(client);
    await json(server, "POST", `/v1/admin/keys/${key.id}`, { quotas: { max_vector_stores: null } });
    await json(server, "POST", `/v1/admin/tenants/${id}`, { quotas: { max_vector_stores: 4 } });
    await newStore(client);
  });

  test("of files in a store hold for attaching, batches, creating and ready-made vectors; a batch is refused whole", async () => {
    const { client } = await tenant({ max_files_per_store: 2 });
    const files = await Promise.all(["a", "b", "c"].map((name) => upload(client, `${name}.txt`, name)));
    const store = await newStore(client);
    const batch = [`/v1/vector_stores/${store}/file_batches`, { file_ids: files }] as const;
    expect(await codeOf(client, "POST", ...batch)).toEqual([403, "file_limit_reached"]);
    const { file_counts } = await json<{ file_counts: { total: number } }>(client, "GET", `/v1/vector_stores/${store}`);
    expect(file_counts.total).toBe(0);
    expect(await codeOf(client, "POST", "/v1/vector_stores", { file_ids: files })).toEqual([403, "file_limit_reached"]);
    for (const file_id of files.slice(0, 2))
      await json(client, "POST", `/v1/vector_stores/${store}/files`, { file_id });
    await json(client, "POST", `/v1/vector_stores/${store}/files`, { file_id: files[0] });
    const third = [`/v1/vector_stores/${store}/files`, { file_id: files[2] }] as const;
    expect(await codeOf(client, "POST", ...third)).toEqual([403, "file_limit_reached"]);
    const vector = [`/v1/vector_stores/${store}/embeddings`, { content: "one more" }] as const;
    expect(await codeOf(client, "POST", ...vector)).toEqual([403, "file_limit_reached"]);
  });

  test("of bytes count uploads and waiting parts, and are free again after a deletion", async () => {
    const { id, client } = await tenant({ max_bytes: 5000 });
    const first = await upload(client, "a.txt", "x".repeat(3000));
    const form = new FormData();
    form.set("purpose", "assistants");
    form.set("file", new Blob(["y".repeat(3000)]), "b.txt");
    const { status, code } = await errorOf(await client.fetch("/v1/files", { method: "POST", body: form }));
    expect([status, code]).toEqual([403, "storage_limit_reached"]);
    const usage = async () => (await json<{ usage: object }>(server, "GET", `/v1/admin/tenants/${id}`)).usage;
    expect(await usage()).toEqual({ vector_stores: 0, files: 1, bytes: 3000 });
    await json(client, "DELETE", `/v1/files/${first}`);
    expect(await usage()).toEqual({ vector_stores: 0, files: 0, bytes: 0 });
    await upload(client, "b.txt", "y".repeat(3000));

    const parts = { filename: "p.txt", purpose: "assistants", bytes: 4000, mime_type: "text/plain" };
    const pending = await json<{ id: string }>(client, "POST", "/v1/uploads", parts);
    const part = new FormData();
    part.set("data", new Blob(["z".repeat(2500)]));
    const answer = await errorOf(await client.fetch(`/v1/uploads/${pending.id}/parts`, { method: "POST", body: part }));
    expect([answer.status, answer.code]).toEqual([403, "storage_limit_reached"]);
  });

  test("of requests a minute answer 429 with the time to wait, for a key and for the tenant it counts for", async () => {
    const { id, client } = await tenant({ requests_per_minute: 30 }, { quotas: { requests_per_minute: 10 } });
    const statuses = async (from: TestServer, count: number) => {
      const answers = await Promise.all(Array.from({ length: count }, () => from.fetch("/v1/files?limit=1")));
      return answers.filter((one) => one.status === 200).length;
    };
    expect(await statuses(client, 20)).toBe(10);
    const refused = await client.fetch("/v1/files?limit=1");
    const wait = Number(refused.headers.get("retry-after"));
    expect([refused.status, (await errorOf(refused)).code]).toEqual([429, "rate_limit_exceeded"]);
    expect(wait).toBeGreaterThanOrEqual(1);
    expect(wait).toBeLessThanOrEqual(6);
    const other = as(server, (await newKey(server, { tenant_id: id })).key);
    expect(await statuses(other, 40)).toBe(20);
    // Nobody else is held up.
    const { client: neighbour } = await tenant();
    expect(await statuses(neighbour, 50)).toBe(50);
    expect(await (await server.fetch("/metrics")).text()).toContain('lectern_http_requests_limited_total{limit="key"}');
  });

  // Over two, a reload at one tells the other, which reads its settings a moment later.
  test.skipIf(lacks("a single server", !OVER_TWO))(
    "come from the settings too, under Aqueduct's names, and are taken over by a reload",
    async () => {
      using dir = tempDir();
      const file = dir.join("lectern.toml");
      await Bun.write(file, "max-team-vector-stores = 1\n");
      await using own = await startServer({ args: ["--config", file], env: { MAX_VECTOR_STORE_FILES: "1" } });
      const store = await newStore(own);
      expect(await codeOf(own, "POST", "/v1/vector_stores", {})).toEqual([403, "vector_store_limit_reached"]);
      await addText(own, store, "a.txt", "one");
      const two = { file_id: await upload(own, "b.txt", "two") };
      expect(await codeOf(own, "POST", `/v1/vector_stores/${store}/files`, two)).toEqual([403, "file_limit_reached"]);

      await Bun.write(file, "max-team-vector-stores = 2\nmax-upload-mb = 5\n");
      expect(await json<object>(own, "POST", "/v1/admin/reload")).toEqual({
        object: "reload",
        applied: ["max-team-vector-stores"],
        restart_needed: ["max-upload-mb"],
      });
      await newStore(own);
      await Bun.write(file, "max-team-vector-stores = 3\n");
      process.kill(own.pid, "SIGHUP");
      await waitFor("the signal was obeyed", async () =>
        (await own.fetch("/v1/vector_stores", { method: "POST" })).ok ? true : undefined,
      );
      await Bun.write(file, "max-team-vector-store = 3\n");
      expect(await codeOf(own, "POST", "/v1/admin/reload")).toEqual([400, "invalid_value"]);
      process.kill(own.pid, "SIGHUP");
      await waitFor("the refusal is logged", () => own.log().includes("the settings were not reloaded") || undefined);
      expect((await own.fetch("/v1/files")).status).toBe(200);
    },
  );
});

describe("suspension", () => {
  test("of a store answers 402 to its use until an operator resumes it", async () => {
    const { client } = await tenant();
    const store = await newStore(client);
    await addText(client, store, "a.txt", "some words");
    const suspended = await json<{ lifecycle: string }>(server, "POST", `/v1/admin/vector_stores/${store}/suspend`);
    expect(suspended.lifecycle).toBe("suspended");
    const used: [string, string, unknown][] = [
      ["POST", `/v1/vector_stores/${store}/search`, { query: "words" }],
      ["GET", `/v1/vector_stores/${store}/files`, undefined],
      ["GET", `/v1/vector_stores/${store}/queries`, undefined],
      ["GET", `/v1/vector_stores/${store}/stats`, undefined],
      ["POST", `/v1/vector_stores/${store}`, { name: "x" }],
    ];
    for (const [method, path, body] of used)
      expect(await codeOf(client, method, path, body)).toEqual([402, "vector_store_suspended"]);
    const response = await client.fetch(`/v1/vector_stores/${store}/files`);
    expect(response.headers.get("x-should-retry")).toBe("false");
    await response.body?.cancel();
    await json(server, "POST", `/v1/admin/vector_stores/${store}/resume`);
    expect(await search(client, store, { query: "words" })).toHaveLength(1);
  });

  test("of a tenant suspends its stores, and only its", async () => {
    const { id, client } = await tenant();
    const store = await newStore(client);
    await json(server, "POST", `/v1/admin/tenants/${id}`, { status: "suspended" });
    const query = [`/v1/vector_stores/${store}/search`, { query: "x" }] as const;
    expect(await codeOf(client, "POST", ...query)).toEqual([402, "vector_store_suspended"]);
    expect(await codeOf(client, "POST", "/v1/vector_stores", {})).toEqual([402, "vector_store_suspended"]);
    const seen = await json<{ lifecycle: string }>(client, "GET", `/v1/vector_stores/${store}`);
    expect(seen.lifecycle).toBe("suspended");
    await json(server, "POST", `/v1/admin/tenants/${id}`, { status: "active" });
    expect((await client.fetch(query[0], { method: "POST", body: JSON.stringify(query[1]) })).status).toBe(200);
  });
});

interface Deletion {
  id: string;
  subject: { type: string; id: string };
  completed_at: number | null;
  removed: Record<string, number>;
  remaining: Record<string, number> | null;
  verified_at: number | null;
}

async function deletionOf(id: string): Promise<Deletion> {
  return await waitFor(`the deletion of ${id} is complete`, async () => {
    const { data } = await json<{ data: Deletion[] }>(server, "GET", "/v1/admin/deletions?limit=100");
    return data.find((one) => one.subject.id === id && one.completed_at !== null);
  });
}

describe("a deletion", () => {
  test("of a file takes it out of every store before it answers, and is proven afterwards", async () => {
    const { client } = await tenant();
    const [one, two] = [await newStore(client), await newStore(client)];
    const file = await addText(client, one, "gone.txt", "unforgettable words");
    await json(client, "POST", `/v1/vector_stores/${two}/files`, { file_id: file });
    await settled(client, two, file);
    await json(client, "DELETE", `/v1/files/${file}`);
    for (const store of [one, two]) {
      for (const search_mode of ["hybrid", "vector", "keyword"])
        expect(await search(client, store, { query: "unforgettable words", search_mode })).toEqual([]);
    }
    const deletion = await deletionOf(file);
    const { cache_entries: cached, ...removed } = deletion.removed;
    expect(removed).toEqual({
      files: 1,
      chunks: 2,
      vectors: 2,
      keyword_postings: 2,
      bytes: 19,
      results: 0,
    });
    // Each server that read it for one of the stores has it parsed.
    expect(OVER_TWO ? [1, 2] : [1]).toContain(cached ?? 0);
    const verified = await json<Deletion>(server, "POST", `/v1/admin/deletions/${deletion.id}/verify`);
    expect(verified.remaining).toEqual(NOTHING_LEFT);
    expect(verified.verified_at).toBeGreaterThan(0);
  });

  test("of a store leaves its files, and nothing else", async () => {
    const { client } = await tenant();
    const store = await newStore(client);
    const file = await addText(client, store, "kept.txt", "kept bytes");
    await search(client, store, { query: "kept" });
    await json(client, "DELETE", `/v1/vector_stores/${store}`);
    expect(await codeOf(client, "GET", `/v1/vector_stores/${store}`)).toEqual([404, "vector_store_not_found"]);
    const dialect = "?dialect=fightclub";
    expect(await codeOf(client, "GET", `/v1/vector_stores/${store}${dialect}`)).toEqual([
      409,
      "vector_store_unavailable",
    ]);
    const deletion = await deletionOf(store);
    expect(deletion.removed).toMatchObject({ files: 1, chunks: 1, vectors: 1, keyword_postings: 1 });
    expect((await json<Deletion>(server, "POST", `/v1/admin/deletions/${deletion.id}/verify`)).remaining).toEqual(
      NOTHING_LEFT,
    );
    expect((await client.fetch(`/v1/files/${file}/content`)).status).toBe(200);
  });

  test("while files are being indexed leaves nothing either", async () => {
    const { client } = await tenant();
    const store = await newStore(client);
    const text = "Many words about everything and nothing at all. ".repeat(4000);
    const files = await Promise.all(Array.from({ length: 6 }, (_, i) => upload(client, `${i}.txt`, text + String(i))));
    await json(client, "POST", `/v1/vector_stores/${store}/file_batches`, { file_ids: files });
    await waitFor("something is being indexed", async () => {
      const { queues } = await json<{ queues: { kind: string; running: number }[] }>(server, "GET", "/v1/admin/status");
      return queues.some(({ kind, running }) => kind === "ingest" && running > 0) || undefined;
    });
    await json(client, "DELETE", `/v1/files/${files[0]}`);
    await json(client, "DELETE", `/v1/vector_stores/${store}`);
    for (const id of [files[0] ?? "", store]) {
      const { id: deletion } = await deletionOf(id);
      expect((await json<Deletion>(server, "POST", `/v1/admin/deletions/${deletion}/verify`)).remaining).toEqual(
        NOTHING_LEFT,
      );
    }
  });

  test("of a tenant takes its keys at once and then everything it owns", async () => {
    const { id, client } = await tenant();
    const store = await newStore(client);
    const file = await addText(client, store, "a.txt", "of a former customer");
    await json(server, "DELETE", `/v1/admin/tenants/${id}`);
    expect(await codeOf(client, "GET", "/v1/files")).toEqual([401, "invalid_api_key"]);
    expect(await codeOf(server, "GET", `/v1/admin/tenants/${id}`)).toEqual([404, "tenant_not_found"]);
    for (const gone of [store, file]) expect((await deletionOf(gone)).remaining).toEqual(NOTHING_LEFT);
    const blobs = readdirSync(join(server.dataDir, "blobs"), { recursive: true });
    expect(blobs.filter((path) => String(path).includes(file))).toEqual([]);
  });

  test("of the first tenant is refused", async () => {
    const { data } = await json<{ data: { id: string }[] }>(server, "GET", "/v1/admin/tenants?order=asc&limit=1");
    const path = `/v1/admin/tenants/${data[0]?.id}`;
    expect(await codeOf(server, "DELETE", path)).toEqual([403, "permission_denied"]);
    expect(await codeOf(server, "POST", path, { status: "suspended" })).toEqual([400, "invalid_value"]);
  });
});

describe("the verbs", () => {
  test("make a tenant and a key that works, list both, revoke and delete", async () => {
    const run = async (...args: string[]) => {
      const result = await runLectern([...args, "--url", server.url, "--key", server.key]);
      return { ...result, out: result.out.trim() };
    };
    const made = await run("tenants", "create", "ACME", "--max-vector-stores", "1");
    expect(made.out).toMatch(/^ten_\w+$/);
    const key = (await run("keys", "create", "bot", "--tenant", "ACME", "--role", "write", "--days", "2")).out;
    expect(key).toMatch(/^sk-lec-\w+$/);
    const client = as(server, key);
    const store = await newStore(client);
    expect(await codeOf(client, "POST", "/v1/vector_stores", {})).toEqual([403, "vector_store_limit_reached"]);
    await run("tenants", "set", "ACME", "--max-vector-stores", "2");
    await newStore(client);
    expect((await run("tenants", "list")).out).toMatch(/ten_\w+ +active +ACME/);
    const keys = await run("keys", "list", "--tenant", "ACME");
    expect(keys.out).toContain("bot");
    expect(keys.out).not.toContain(key);
    await run("tenants", "suspend", "ACME");
    expect(await codeOf(client, "GET", `/v1/vector_stores/${store}/files`)).toEqual([402, "vector_store_suspended"]);
    await run("tenants", "resume", made.out);
    expect((await run("keys", "revoke", "bot")).out).toMatch(/^key_\w+$/);
    expect(await codeOf(client, "GET", "/v1/files")).toEqual([401, "invalid_api_key"]);
    expect((await run("tenants", "delete", "ACME")).status).toBe(2);
    expect((await run("tenants", "delete", "ACME", "--yes")).out).toBe(made.out);
    expect((await run("tenants", "list")).out).not.toContain("ACME");
  });
});
