/** What else a client may find at the other server of a database: pages, uploads, keys, statistics, the console's codes. */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { json, newStore, refusal, search, upload } from "../../helpers/api.ts";
import { lacks } from "../../helpers/lacks.ts";
import { type Pair, startPair } from "../../helpers/pair.ts";
import { runLectern, startOne, type TestServer } from "../../helpers/server.ts";
import { tempDir, type TempDir } from "../../helpers/temp-dir.ts";
import { waitFor } from "../../helpers/wait.ts";
import { hasPostgres } from "../servers/postgres.ts";

setDefaultTimeout(240_000);

interface Listed {
  data: { id: string }[];
  has_more: boolean;
  last_id: string;
}

describe.skipIf(lacks("PostgreSQL", hasPostgres))("two servers on one database", () => {
  let dir: TempDir;
  let pair: Pair;

  beforeAll(async () => {
    dir = tempDir();
    pair = await startPair(startOne, { dataDir: dir.join("data"), args: ["--max-user-streams", "3"] });
  });
  afterAll(async () => {
    await pair?.[Symbol.asyncDispose]();
    dir?.[Symbol.dispose]();
  });

  const as = (server: TestServer, key: string): TestServer => ({
    ...server,
    key,
    fetch: (path, init = {}) => {
      const headers = new Headers(init.headers);
      headers.set("authorization", `Bearer ${key}`);
      return server.fetch(path, { ...init, headers });
    },
  });

  test("every page is gone on from after its last row was deleted, wherever each request goes", async () => {
    const made: string[] = [];
    for (let i = 0; i < 12; i++) made.push(await upload(pair, `page-${i}.txt`, `page ${i}`));
    const seen: string[] = [];
    let after = "";
    for (let i = 0; ; i++) {
      const server = pair.servers[i % 2]!;
      const page = await json<Listed>(server, "GET", `/v1/files?order=asc&limit=3${after}`);
      seen.push(...page.data.map(({ id }) => id));
      for (const { id } of page.data) await json(server, "DELETE", `/v1/files/${id}`);
      if (!page.has_more) break;
      after = `&after=${page.data.at(-1)?.id}`;
    }
    expect(seen.filter((id) => made.includes(id))).toEqual(made);
    const unknown = await refusal(pair, "GET", "/v1/files?after=file-none");
    expect([unknown.status, unknown.param]).toEqual([400, "after"]);
  });

  test("a code opens the console once, at either; its key is good at both", async () => {
    for (const at of [0, 1] as const) {
      const [one, other] = at === 0 ? pair.servers : [pair.servers[1], pair.servers[0]];
      const { out, status } = await runLectern(["open", "--print", "--data", one.dataDir]);
      const code = /#code=([\w-]{22})/.exec(out)?.[1];
      expect([status, code]).toEqual([0, expect.any(String)]);
      const redeem = (server: TestServer) =>
        server.fetch("/v1/console/session", {
          method: "POST",
          headers: { "content-type": "application/json" },
          body: JSON.stringify({ code }),
        });
      const answers = await Promise.all([other, one, other, one].map(redeem));
      const good = answers.filter(({ ok }) => ok);
      expect(good).toHaveLength(1);
      const { key } = (await good[0]!.json()) as { key: string };
      for (const server of pair.servers) expect((await as(server, key).fetch("/v1/admin/status")).status).toBe(200);
    }
  });

  test("a key that is revoked at one is refused at the other at once", async () => {
    const [one, other] = pair.servers;
    for (let i = 0; i < 5; i++) {
      const { id, key } = await json<{ id: string; key: string }>(one, "POST", "/v1/admin/keys", { name: `k${i}` });
      expect((await as(other, key).fetch("/v1/vector_stores")).status).toBe(200);
      await json(one, "DELETE", `/v1/admin/keys/${id}`);
      expect((await as(other, key).fetch("/v1/vector_stores")).status).toBe(401);
    }
  });

  test("parts that are sent to both make one file, completed once", async () => {
    const parts = Array.from({ length: 6 }, (_, i) => `part ${i};`.repeat(1000));
    const bytes = parts.join("").length;
    const body = { bytes, filename: "whole.txt", mime_type: "text/plain", purpose: "assistants" };
    const { id } = await json<{ id: string }>(pair, "POST", "/v1/uploads", body);
    const ids = await Promise.all(
      parts.map(async (part, i) => {
        const form = new FormData();
        form.set("data", new Blob([part]));
        const sent = await pair.servers[i % 2]!.fetch(`/v1/uploads/${id}/parts`, { method: "POST", body: form });
        return ((await sent.json()) as { id: string }).id;
      }),
    );
    const complete = (server: TestServer) =>
      server.fetch(`/v1/uploads/${id}/complete`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({ part_ids: ids }),
      });
    const ends = await Promise.all([0, 1, 0, 1].map((i) => complete(pair.servers[i]!)));
    expect(ends.map(({ status }) => status).toSorted((a, b) => a - b)).toEqual([200, 400, 400, 400]);
    const { file } = (await ends.find(({ ok }) => ok)!.json()) as { file: { id: string } };
    for (const server of pair.servers)
      expect(await (await server.fetch(`/v1/files/${file.id}/content`)).text()).toBe(parts.join(""));
  });

  test("what is followed at one is heard of although the other does it", async () => {
    const store = await newStore(pair);
    const streams = await Promise.all(
      pair.servers.map(async (server) => {
        const response = await server.fetch(`/v1/vector_stores/${store}/events?follow=true`);
        return textOf(response);
      }),
    );
    const file = await upload(pair, "told.txt", "A file of which both servers tell.");
    await json(pair, "POST", `/v1/vector_stores/${store}/files`, { file_id: file });
    // Of the file itself only who saw it in progress tells.
    for (const stream of streams)
      await waitFor(
        "its end is told",
        () => (/"file_counts":\{[^}]*"completed":1\b/.test(stream.text()) ? true : undefined),
        30_000,
      );
    for (const stream of streams) await stream.close();
  });

  test("searches at both are counted together", async () => {
    const store = await newStore(pair);
    const file = await upload(pair, "counted.txt", "Searches are counted.");
    await json(pair, "POST", `/v1/vector_stores/${store}/files`, { file_id: file });
    for (let i = 0; i < 20; i++) await search(pair.servers[i % 2]!, store, { query: `counted ${i}` });
    const counted = async () =>
      (await json<{ queries: { count: number } }>(pair, "GET", `/v1/vector_stores/${store}/stats`)).queries.count;
    await waitFor("all are counted", async () => ((await counted()) === 20 ? true : undefined), 10_000);
  });

  test("settings that are read again at one are read again at the other", async () => {
    const before = pair.servers.map(({ log }) => log().split("settings reloaded").length);
    await json(pair.servers[0], "POST", "/v1/admin/reload", {});
    await waitFor("both have read them", () =>
      pair.servers.every(({ log }, i) => log().split("settings reloaded").length > (before[i] ?? 0)) ? true : undefined,
    );
  });

  test("streams of a key are bounded at each server", async () => {
    const store = await newStore(pair);
    const open = await Promise.all(
      Array.from({ length: 8 }, (_, i) => pair.servers[i % 2]!.fetch(`/v1/vector_stores/${store}/events?follow=true`)),
    );
    const statuses = open.map(({ status }) => status);
    expect(statuses.filter((status) => status === 200)).toHaveLength(6);
    expect(statuses.filter((status) => status === 429)).toHaveLength(2);
    await Promise.all(open.map(async ({ body }) => await body?.cancel()));
  });
});

/** Reads a stream as it comes. */
function textOf(response: Response) {
  let text = "";
  const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
  void (async () => {
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return;
      text += value;
    }
  })().catch(() => {});
  return { text: () => text, close: () => reader.cancel() };
}
