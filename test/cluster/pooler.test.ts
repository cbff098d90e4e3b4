import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import type { Findings } from "../../src/storage/postgres/probes.ts";
import { parseAddress } from "../../src/storage/postgres/address.ts";
import { migratePostgres } from "../../src/storage/migrations/postgres/runner.ts";
import { openPostgres } from "../../src/storage/postgres/open.ts";
import { probe } from "../../src/storage/postgres/probes.ts";
import { Replica } from "../../src/storage/postgres/replica.ts";
import { openRemoteStorage } from "../../src/storage/postgres/storage.ts";
import { lacks } from "../helpers/lacks.ts";
import { seededRandom } from "../helpers/random.ts";
import { tempDir } from "../helpers/temp-dir.ts";
import { hasPgbouncer, startPgbouncer } from "./servers/pgbouncer.ts";
import { hasPostgres, type PostgresServer, startPostgres } from "./servers/postgres.ts";

describe.skipIf(lacks("postgres", hasPostgres) || lacks("pgbouncer", hasPgbouncer))("through PgBouncer", () => {
  let server: PostgresServer;
  beforeAll(async () => {
    server = await startPostgres();
  });
  afterAll(() => server[Symbol.asyncDispose]());

  const refusal = (address: string) =>
    openPostgres(address, { timeout: 4000 }).then(
      async (db) => (await db.close(), "none"),
      (error: Error) => error.message,
    );
  const found = (address: string): Promise<Findings> => probe(parseAddress(address), 4000);

  test.each([
    ["one connection", 1],
    ["four connections", 4],
  ])("a pool of transactions over %s is refused, and told by name what makes it work", async (_, size) => {
    await using pooler = await startPgbouncer(server, { size });
    expect(await refusal(pooler.url())).toContain("add ?pool=transaction to the address");
    expect(await refusal(`${pooler.url()}?pool=transaction`)).toBe("none");
  });

  test("also where others use the pool meanwhile", async () => {
    await using pooler = await startPgbouncer(server);
    const others = await openPostgres(`${pooler.url()}?pool=transaction`, { timeout: 4000 });
    const over = new AbortController();
    const busy = Promise.all(
      [1, 2, 3].map(async () => {
        while (!over.signal.aborted) await others.transaction((tx) => tx.all("SELECT pg_sleep(0.002)"));
      }),
    );
    for (let i = 0; i < 5; i++) expect(await refusal(pooler.url())).toContain("add ?pool=transaction");
    over.abort();
    await busy;
    await others.close();
  });

  test("one that pools statements cannot be used", async () => {
    await using pooler = await startPgbouncer(server, { mode: "statement" });
    expect(await refusal(pooler.url())).toContain("a pooler of single statements cannot be used");
  });

  test("one that pools sessions is as good as none", async () => {
    await using pooler = await startPgbouncer(server, { mode: "session", size: 20 });
    const { takesLimits, notifies } = await found(pooler.url());
    expect({ takesLimits, notifies }).toEqual({ takesLimits: false, notifies: true });
    expect(await refusal(pooler.url())).toBe("none");
  });

  test("notifications do not arrive through a pool of transactions, and are known not to", async () => {
    await using pooler = await startPgbouncer(server);
    expect((await found(`${pooler.url()}?pool=transaction`)).notifies).toBe(false);
    expect((await found(server.url())).notifies).toBe(true);
  });

  test("servers write one after another through it, and know of one another", async () => {
    await using pooler = await startPgbouncer(server, { size: 6 });
    await using over = new AsyncDisposableStack();
    using dir = tempDir();
    const open = async (id: string) => {
      const db = await openPostgres(`${pooler.url()}?pool=transaction`, { timeout: 20_000, connections: 3 });
      over.defer(() => db.close());
      await migratePostgres(db);
      const replica = over.use(
        await Replica.join(db, { id, place: id, onFailure: (said) => expect(said).toBe("none") }),
      );
      const { storage } = over.use(await openRemoteStorage(db, dir.join(`${id}.sqlite`)));
      return { replica, storage };
    };
    const servers = [await open("one"), await open("two"), await open("three")];
    expect(servers[2]?.replica.others.map(({ id }) => id)).toEqual(["one", "two"]);
    await servers[0]?.storage.tenants.insert({ id: "ten_1", name: "0", createdAt: 1 });
    const ROUNDS = 20;
    const counting = servers.map(async ({ storage }) => {
      for (let i = 0; i < ROUNDS; i++)
        await storage.transaction(async ({ tenants }) => {
          const seen = Number((await tenants.get("ten_1"))?.name);
          await tenants.update("ten_1", { name: String(seen + 1) });
        });
    });
    await Promise.all(counting);
    expect((await servers[1]?.storage.tenants.get("ten_1"))?.name).toBe(String(3 * ROUNDS));
  });

  test("every answer is to its own question, and settings of a transaction stay in it", async () => {
    await using pooler = await startPgbouncer(server, { size: 3 });
    const db = await openPostgres(`${pooler.url()}?pool=transaction`, { timeout: 4000, connections: 8 });
    await db.run("CREATE TABLE tally (lane integer PRIMARY KEY, n integer NOT NULL)");
    const random = seededRandom(8);
    const LANES = 16;
    const ROUNDS = 60;
    let wrong = 0;
    await Promise.all(
      Array.from({ length: LANES }, async (_, lane) => {
        await db.run("INSERT INTO tally VALUES (?1, 0)", [lane]);
        for (let n = 0; n < ROUNDS; n++) {
          const mark = Math.floor(random() * 1e9);
          const row = await db.get<{ a: number; b: string }>(`SELECT ?1::int AS a, ?2::text AS b /* ${n % 7} */`, [
            mark,
            `${lane}`,
          ]);
          if (row?.a !== mark || row.b !== `${lane}`) wrong++;
          await db.transaction(async (tx) => {
            const limits =
              "SELECT current_setting('statement_timeout') AS t, current_setting('synchronous_commit') AS c";
            const set = await tx.get<{ t: string; c: string }>(limits);
            if (set?.t !== "3600ms" || set.c !== "off") wrong++;
            await tx.run("UPDATE tally SET n = n + 1 WHERE lane = ?1", [lane]);
          }, "work");
        }
      }),
    );
    expect(wrong).toBe(0);
    expect(await db.get("SELECT count(*) AS lanes, sum(n) AS n FROM tally")).toEqual({
      lanes: LANES,
      n: LANES * ROUNDS,
    });
    expect(await db.get("SELECT current_setting('statement_timeout') AS t")).toEqual({ t: "0" });
    await db.close();
  });
});
