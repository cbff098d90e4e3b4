/** The proof of a deletion over several servers on one database: each is asked for what it has in its memory and on its disk. */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type { Deletion } from "../../../src/api/admin/schema.ts";
import { addText, json, newStore, search, NOTHING_LEFT } from "../../helpers/api.ts";
import { lacks } from "../../helpers/lacks.ts";
import type { TestServer } from "../../helpers/server.ts";
import { waitFor } from "../../helpers/wait.ts";
import { hasPostgres, testDatabase } from "../servers/postgres.ts";
import { type Replicas, startReplicas } from "../servers/replicas.ts";

setDefaultTimeout(240_000);

describe.skipIf(lacks("PostgreSQL", hasPostgres))("the proof of a deletion over two servers", () => {
  let replicas: Replicas;
  let store: string;

  beforeAll(async () => {
    replicas = await startReplicas(await testDatabase(), 2, { args: ["--hnsw-threshold", "1"] });
    store = await newStore(at(0));
  }, 240_000);
  afterAll(async () => await replicas?.[Symbol.asyncDispose]());

  function at(n: number): TestServer {
    const server = replicas.servers[n];
    if (server === undefined) throw new Error("two were started");
    return server;
  }

  /** Files below a folder of a server's data directory. */
  const filesIn = (n: number, folder: string) => [
    ...new Bun.Glob("**/*").scanSync({ cwd: join(at(n).dataDir, folder), absolute: true, onlyFiles: true }),
  ];
  const parsedAt = (n: number) => (existsSync(join(at(n).dataDir, "parsed")) ? filesIn(n, "parsed") : []);

  /** A file in the memory of both; which of them has read it, and what it has of it on its disk. */
  async function added(text: string): Promise<{ file: string; reader: 0 | 1; parsed: string }> {
    const before = new Set([...parsedAt(0), ...parsedAt(1)]);
    const file = await addText(at(0), store, `${text}.txt`, `Some words about ${text}.`);
    for (const n of [0, 1]) expect(await search(at(n), store, { query: text })).not.toEqual([]);
    const news = ([0, 1] as const).flatMap((reader) =>
      parsedAt(reader)
        .filter((path) => !before.has(path))
        .map((parsed) => ({ file, reader, parsed })),
    );
    expect(news).toHaveLength(1);
    return news[0]!;
  }

  async function receipt(server: TestServer, subject: string): Promise<Deletion> {
    const { data } = await json<{ data: Deletion[] }>(server, "GET", "/v1/admin/deletions?limit=100");
    const deletion = data.find(({ subject: of }) => of.id === subject);
    if (deletion === undefined) throw new Error(`${subject} was not deleted`);
    return deletion;
  }

  const completed = (server: TestServer, subject: string) =>
    waitFor(
      `the deletion of ${subject} is complete`,
      async () => {
        const deletion = await receipt(server, subject);
        return deletion.completed_at === null ? undefined : deletion;
      },
      60_000,
    );

  const verify = (server: TestServer, { id }: Deletion) =>
    json<Deletion>(server, "POST", `/v1/admin/deletions/${id}/verify`);

  test("ends when both have nothing of it, and finds what one of them has", async () => {
    const { file, reader, parsed } = await added("tides");
    const bytes = readFileSync(parsed);
    const other = 1 - reader;
    await json(at(other), "DELETE", `/v1/files/${file}`);
    const deletion = await completed(at(other), file);
    expect(deletion.removed).toMatchObject({ files: 1, cache_entries: 1 });
    expect([deletion.remaining, deletion.unchecked]).toEqual([NOTHING_LEFT, null]);
    expect(existsSync(parsed)).toBe(false);
    // A disk that was put back.
    mkdirSync(dirname(parsed), { recursive: true });
    writeFileSync(parsed, bytes);
    for (const n of [0, 1]) {
      const found = await verify(at(n), deletion);
      expect(found.remaining).toEqual({ ...NOTHING_LEFT, cache_entries: 1 });
      expect([found.unchecked, found.verified_at]).toEqual([null, expect.any(Number)]);
    }
    rmSync(parsed);
    for (const n of [0, 1]) expect((await verify(at(n), deletion)).remaining).toEqual(NOTHING_LEFT);
    expect(await replicas.count("held")).toBe(0);
  });

  test("ends for files of a store that nobody has in memory", async () => {
    for (let i = 0; i < 4; i++) {
      const unasked = await newStore(at(0));
      const file = await addText(at(i % 2), unasked, "unasked.txt", `Words that nobody asks for ${i}.`);
      await json(at(i < 2 ? 0 : 1), "DELETE", `/v1/files/${file}`);
      expect((await completed(at(0), file)).remaining).toEqual(NOTHING_LEFT);
    }
  });

  test("of a store ends when the graphs of both are gone", async () => {
    const gone = await newStore(at(0));
    await addText(at(0), gone, "graph.txt", "Some words in a graph.");
    for (const n of [0, 1]) {
      expect(await search(at(n), gone, { query: "words" })).not.toEqual([]);
      await waitFor(
        "a graph is built",
        () => (existsSync(join(at(n).dataDir, "stores", gone)) ? true : undefined),
        60_000,
      );
    }
    await json(at(0), "DELETE", `/v1/vector_stores/${gone}`);
    const deletion = await completed(at(1), gone);
    expect(deletion.remaining).toEqual(NOTHING_LEFT);
    for (const n of [0, 1]) expect(existsSync(join(at(n).dataDir, "stores", gone))).toBe(false);
    expect((await verify(at(1), deletion)).remaining).toEqual(NOTHING_LEFT);
  });

  test("is none while one that is there does not answer, and says who was away", async () => {
    const before = await added("before it stands still");
    await json(at(0), "DELETE", `/v1/files/${before.file}`);
    const deletion = await completed(at(0), before.file);
    const meanwhile = await added("while it stands still");
    const [still, other] = [at(meanwhile.reader), at(1 - meanwhile.reader)];
    process.kill(still.pid, "SIGSTOP");
    const silent = await verify(other, deletion);
    expect([silent.verified_at, silent.unchecked]).toEqual([null, expect.stringContaining("Not verified: ")]);
    expect(silent.unchecked).toContain(`(process ${still.pid}) did not answer within`);
    // By now it counts as away.
    await json(other, "DELETE", `/v1/files/${meanwhile.file}`);
    const ended = await completed(other, meanwhile.file);
    expect(ended.unchecked).toContain(`(process ${still.pid}) is away`);
    expect(existsSync(meanwhile.parsed)).toBe(true);
    const away = await verify(other, deletion);
    expect([away.verified_at, away.remaining]).toEqual([expect.any(Number), NOTHING_LEFT]);
    expect(away.unchecked).toContain("is away");
    process.kill(still.pid, "SIGCONT");
    await waitFor("it clears its caches", () => (existsSync(meanwhile.parsed) ? undefined : true), 60_000);
    for (const { id } of [deletion, ended])
      await waitFor(
        "both have nothing of it",
        async () => {
          const { unchecked, remaining } = await verify(still, { ...deletion, id });
          return unchecked === null && remaining?.cache_entries === 0 ? true : undefined;
        },
        60_000,
      );
  });

  test("counts one that was killed as away, which clears its disk at its start", async () => {
    const { file, reader, parsed } = await added("what was on a disk");
    const other = at(1 - reader);
    await at(reader).kill();
    await json(other, "DELETE", `/v1/files/${file}`);
    const deletion = await completed(other, file);
    expect([deletion.unchecked, existsSync(parsed)]).toEqual([expect.stringContaining("is away"), true]);
    await replicas.start(reader);
    await waitFor("it clears its caches", () => (existsSync(parsed) ? undefined : true), 60_000);
    const verified = await verify(other, deletion);
    expect([verified.remaining, verified.unchecked]).toEqual([NOTHING_LEFT, null]);
  });
});
