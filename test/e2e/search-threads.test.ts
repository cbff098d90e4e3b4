/** A server that is stopped, and one that is killed, while threads of its search. */
import { expect, test } from "bun:test";
import { Embeddings, fillStore } from "../bench/corpus.ts";
import { json, newStore } from "../helpers/api.ts";
import { startServer, type TestServer } from "../helpers/server.ts";
import { tempDir } from "../helpers/temp-dir.ts";

/** Stores of fewer are searched without threads. */
const CHUNKS = 50_200;
const DIMENSIONS = 256;

test("stopping and killing with searches under way harms nothing", async () => {
  using dir = tempDir();
  const dataDir = dir.join("data");
  const args = ["--search-threads", "2"];
  const query = new Embeddings(2).next();
  const body = { query: "x", search_mode: "vector", query_vector: Buffer.from(query.buffer).toString("base64") };
  let store = "";
  const ask = (server: TestServer) =>
    json<{ data: { file_id: string }[] }>(server, "POST", `/v1/vector_stores/${store}/search`, body);
  const many = (server: TestServer) =>
    Array.from({ length: 32 }, () =>
      ask(server).then(
        ({ data }) => data,
        () => null,
      ),
    );
  let expected: unknown;
  {
    await using server = await startServer({ dataDir, args });
    store = await newStore(server, { index_type: "exact" });
    await fillStore(server, store, new Embeddings(1).many(CHUNKS), {
      dimensions: DIMENSIONS,
      text: (i) => `text ${i}`,
    });
    expected = (await ask(server)).data;
    expect(expected).toHaveLength(10);
    const under = many(server);
    expect(await server.stop()).toBe(0);
    // What was answered was answered right.
    for (const data of await Promise.all(under)) if (data !== null) expect(data).toEqual(expected as never);
  }
  {
    await using server = await startServer({ dataDir, args });
    expect((await ask(server)).data).toEqual(expected as never);
    const under = many(server);
    await Promise.race(under);
    await server.kill();
    await Promise.all(under);
  }
  await using server = await startServer({ dataDir, args });
  for (const data of await Promise.all(many(server))) expect(data).toEqual(expected as never);
}, 240_000);
