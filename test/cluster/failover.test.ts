/** A server whose database moves to another machine under writes. */
import { expect, setDefaultTimeout, test } from "bun:test";
import { json, search } from "../helpers/api.ts";
import { lacks } from "../helpers/lacks.ts";
import { startServer } from "../helpers/server.ts";
import { waitFor } from "../helpers/wait.ts";
import { makeText, QUESTIONS, untilIndexed } from "../migrate/corpus.ts";
import { hasPatroni, startCluster } from "./servers/patroni.ts";

setDefaultTimeout(600_000);

const LANES = 3;
/** Acknowledged before the primary dies, and after another has taken over. */
const EACH = 30;

test.skipIf(lacks("patroni with etcd", hasPatroni))(
  "Patroni's primary dies under writes: nothing acknowledged is lost, and it goes on by itself",
  async () => {
    await using cluster = await startCluster();
    const before = await cluster.primary();
    await cluster.isSynchronous();
    await using server = await startServer({ args: ["--database", cluster.url] });
    const isReady = () =>
      waitFor("it is ready", async () => ((await server.fetch("/readyz")).status === 200 ? true : undefined), 300_000);
    await isReady();
    const { id: store } = await json<{ id: string }>(server, "POST", "/v1/vector_stores", { name: "s" });
    const taken = new Map<string, number>();
    const over = new AbortController();
    let n = 0;
    const lanes = Array.from({ length: LANES }, async () => {
      while (!over.signal.aborted) {
        const mark = n++;
        const form = new FormData();
        form.set("purpose", "assistants");
        form.set("file", new Blob([makeText(mark, 2)]), `file-${mark}.md`);
        const response = await server.fetch("/v1/files", { method: "POST", body: form });
        if (response.status !== 200) {
          expect([response.status, response.headers.get("retry-after")]).toEqual([503, "2"]);
          await isReady();
          continue;
        }
        const { id } = (await response.json()) as { id: string };
        const attached = await server.fetch(`/v1/vector_stores/${store}/files`, {
          method: "POST",
          headers: { "content-type": "application/json" },
          body: JSON.stringify({ file_id: id, attributes: { mark } }),
        });
        if (attached.status === 200) taken.set(id, mark);
        else expect(attached.status).toBe(503);
      }
    });
    const more = (count: number) => waitFor("files are taken", () => (taken.size >= count ? true : undefined), 300_000);
    await more(EACH);
    const from = performance.now();
    await cluster.kill(before);
    await waitFor("it is not ready", async () => ((await server.fetch("/readyz")).status === 503 ? true : undefined));
    await isReady();
    const gap = performance.now() - from;
    expect(await cluster.primary()).not.toBe(before);
    await more(taken.size + EACH);
    over.abort();
    await Promise.all(lanes);
    await untilIndexed(server, store);
    const attached = new Map<string, string>();
    for await (const file of server.client.vectorStores.files.list(store)) attached.set(file.id, file.status);
    expect([...taken.keys()].filter((id) => attached.get(id) !== "completed")).toEqual([]);
    for (const [id, mark] of taken) {
      const filters = { type: "eq", key: "mark", value: mark };
      const hits = await search(server, store, { query: QUESTIONS[0], filters });
      expect(hits.map((hit) => hit.file_id)).toContain(id);
    }
    console.log(`taken ${taken.size} files over a failover of ${Math.round(gap)} ms, lost 0`);
  },
);
