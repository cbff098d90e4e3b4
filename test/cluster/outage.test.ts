/**
 * A server whose database goes away: what clients and load balancers see meanwhile, and that it goes on by itself.
 */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { json, search, upload } from "../helpers/api.ts";
import { lacks } from "../helpers/lacks.ts";
import { startServer, type TestServer } from "../helpers/server.ts";
import { waitFor } from "../helpers/wait.ts";
import { makeText, QUESTIONS, untilIndexed } from "../migrate/corpus.ts";
import { hasPostgres, type PostgresServer, startPostgres } from "./servers/postgres.ts";
import { startWire, type Wire } from "./servers/wire.ts";

setDefaultTimeout(240_000);

const TIMEOUT_S = 4;
/** Beyond the timeout: the watchdog looks twenty times in it, and a queue of requests drains. */
const SLACK_MS = 8000;

interface Ready {
  status: string;
  checks: Record<string, string>;
}

describe.skipIf(lacks("postgres", hasPostgres))("a server whose database goes away", () => {
  let database: PostgresServer;
  let wire: Wire;
  let server: TestServer;
  let store: string;

  beforeAll(async () => {
    database = await startPostgres();
    wire = await startWire(database.port);
    const address = `postgres://postgres@127.0.0.1:${wire.port}/postgres`;
    server = await startServer({ args: ["--database", address, "--database-timeout", String(TIMEOUT_S)] });
    store = (await json<{ id: string }>(server, "POST", "/v1/vector_stores", { name: "s" })).id;
    await attach(await upload(server, "one.md", makeText(1, 6)));
    await untilIndexed(server, store);
  });
  afterAll(async () => {
    await server?.[Symbol.asyncDispose]();
    await wire?.[Symbol.asyncDispose]();
    await database?.[Symbol.asyncDispose]();
  });

  const attach = (fileId: string) => json(server, "POST", `/v1/vector_stores/${store}/files`, { file_id: fileId });
  const ready = async () => {
    const response = await server.fetch("/readyz");
    return { status: response.status, body: (await response.json()) as Ready };
  };
  const isReady = () => waitFor("it is ready", async () => ((await ready()).status === 200 ? true : undefined));
  const isNotReady = () => waitFor("it is not ready", async () => ((await ready()).status === 503 ? true : undefined));
  /** One of each kind. */
  const requests = (): Promise<Response>[] => [
    server.fetch("/v1/files"),
    server.fetch("/v1/models"),
    server.fetch(`/v1/vector_stores/${store}`),
    server.fetch(`/v1/vector_stores/${store}/search`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ query: QUESTIONS[0] }),
    }),
    server.fetch("/v1/vector_stores", {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ name: "during" }),
    }),
    server.fetch("/v1/files", { method: "POST", body: form("during.md") }),
  ];
  const form = (name: string) => {
    const data = new FormData();
    data.set("purpose", "assistants");
    data.set("file", new Blob([makeText(2, 3)]), name);
    return data;
  };
  const names = async (path: string) =>
    (await json<{ data: { filename?: string; name?: string }[] }>(server, "GET", path)).data.map(
      ({ filename, name }) => filename ?? name,
    );

  test("behind a cut wire answers 503 within the timeout, later at once, and all is well when it is mended", async () => {
    wire.cut();
    const from = performance.now();
    for (const response of await Promise.all(requests())) {
      expect([response.url, response.status]).toEqual([response.url, 503]);
      expect(response.headers.get("retry-after")).toBe("2");
      expect(await response.json()).toMatchObject({ error: { code: "storage_unavailable", type: "server_error" } });
    }
    expect(performance.now() - from).toBeLessThan(TIMEOUT_S * 1000 + SLACK_MS);
    await isNotReady();
    const { body } = await ready();
    expect(body.checks["database"]).toContain("database");
    expect(JSON.stringify(body)).not.toContain(String(wire.port));
    expect((await server.fetch("/healthz")).status).toBe(200);
    const again = performance.now();
    for (const response of await Promise.all(requests())) expect(response.status).toBe(503);
    expect(performance.now() - again).toBeLessThan(1000);
    wire.mend();
    await isReady();
    for (const response of await Promise.all(requests())) expect([200, 201]).toContain(response.status);
    // Of what was refused nothing is there; of what was asked for after it, all, once.
    expect(await names("/v1/files")).toEqual(["during.md", "one.md"]);
    expect(await names("/v1/vector_stores")).toEqual(["during", "s"]);
    expect((await search(server, store, { query: QUESTIONS[0] })).length).toBeGreaterThan(0);
    expect(server.log()).toContain("the database is away");
    expect(server.log()).toContain("the database is back");
  });

  test("crashes during ingest: every file that was taken is there, indexed once, and found", async () => {
    const taken = new Map<string, number>();
    const over = new AbortController();
    let n = 0;
    const sending = Array.from({ length: 3 }, async () => {
      while (!over.signal.aborted) {
        const mark = n++;
        const response = await server.fetch("/v1/files", { method: "POST", body: form(`crash-${mark}.md`) });
        if (response.status === 200) {
          const { id } = (await response.json()) as { id: string };
          const attached = await server.fetch(`/v1/vector_stores/${store}/files`, {
            method: "POST",
            headers: { "content-type": "application/json" },
            body: JSON.stringify({ file_id: id, attributes: { mark } }),
          });
          if (attached.status === 200) taken.set(id, mark);
          else expect([attached.status, await attached.text()]).toEqual([503, expect.any(String)]);
        } else {
          expect([response.status, response.headers.get("retry-after")]).toEqual([503, "2"]);
          await isReady();
        }
      }
    });
    for (let round = 0; round < 3; round++) {
      const before = taken.size;
      await waitFor("files are taken", () => (taken.size >= before + 8 ? true : undefined));
      await database.stop("immediate");
      await isNotReady();
      await database.start();
      await isReady();
    }
    over.abort();
    await Promise.all(sending);
    await untilIndexed(server, store);
    const { file_counts } = await json<{ file_counts: Record<string, number> }>(
      server,
      "GET",
      `/v1/vector_stores/${store}`,
    );
    expect(file_counts["completed"]).toBe(file_counts["total"] ?? -1);
    const attached = new Map<string, string>();
    for await (const file of server.client.vectorStores.files.list(store)) attached.set(file.id, file.status);
    expect([...taken.keys()].filter((id) => attached.get(id) !== "completed")).toEqual([]);
    // In the index in memory too, whatever became of the answers to commits.
    for (const [id, mark] of taken) {
      const filters = { type: "eq", key: "mark", value: mark };
      const hits = await search(server, store, { query: QUESTIONS[0], max_num_results: 50, filters });
      expect(hits.map((hit) => hit.file_id)).toContain(id);
    }
    const { n: twice } = (
      await database.query(
        "SELECT count(*)::int AS n FROM (SELECT store_file, revision, idx FROM chunk GROUP BY 1, 2, 3 HAVING count(*) > 1) c",
      )
    )[0] as { n: number };
    expect(twice).toBe(0);
    console.log(`taken ${taken.size} files over three crashes, lost 0`);
  });
});
