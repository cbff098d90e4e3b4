/** Several servers over one database: who is there, whose jobs are whose, and what one that was thought dead may write. */
import { afterEach, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import { hasPostgres, STARTING_MS, testDatabase } from "../../../test/cluster/servers/postgres.ts";
import { lacks } from "../../../test/helpers/lacks.ts";
import { tempDir, type TempDir } from "../../../test/helpers/temp-dir.ts";
import { waitFor } from "../../../test/helpers/wait.ts";
import { messageOf } from "../../errors.ts";
import type { ClaimOptions, JobKind } from "../jobs.ts";
import { type Lease, LeaseLost, underLease } from "../leased.ts";
import { migratePostgres } from "../migrations/postgres/runner.ts";
import { ratesTable } from "../rates.ts";
import type { Storage } from "../storage.ts";
import type { PostgresDatabase } from "./database.ts";
import { refuseEarlierHolder } from "./earlier-holder.ts";
import { openPostgres } from "./open.ts";
import { Replica } from "./replica.ts";
import { openRemoteStorage } from "./storage.ts";

const T = "ten_1";
const STORE = "vs_1";
/** Longer than any test. */
const LONG_MS = 600_000;

describe.skipIf(lacks("postgres", hasPostgres))("servers that have one database", () => {
  let address: string;
  let temp: TempDir;
  let over: AsyncDisposableStack;
  beforeAll(() => testDatabase(), STARTING_MS);
  beforeEach(async () => {
    address = await testDatabase();
    temp = tempDir();
    over = new AsyncDisposableStack();
  });
  afterEach(async () => {
    await over.disposeAsync();
    temp[Symbol.dispose]();
  });

  let caches = 0;
  /** Another process's door to the database. */
  async function server(): Promise<{ db: PostgresDatabase; storage: Storage }> {
    const db = over.adopt(await openPostgres(address, { connections: 3 }), (opened) => opened.close());
    await migratePostgres(db);
    const { storage } = over.use(await openRemoteStorage(db, temp.join(`cache-${++caches}.sqlite`)));
    return { db, storage };
  }
  const join = async (db: PostgresDatabase, id: string, { place = id, termMs = LONG_MS } = {}) =>
    over.use(await Replica.join(db, { id, place, termMs, onFailure: (message) => expect(message).toBe("none") }));
  const add = ({ jobs }: Storage, subject: string, kind: JobKind = "ingest") =>
    jobs.insert({ tenantId: T, kind, storeId: STORE, subject, priority: 1, dueMs: 0 });
  const claim = ({ jobs }: Storage, owner: string, options?: ClaimOptions, kind: JobKind = "ingest") =>
    jobs.claim(kind, T, 1, owner, LONG_MS, options);

  test("are listed while they are there, and one that ends is not", async () => {
    const { db, storage } = await server();
    const one = await join(db, "one");
    const two = await join(db, "two");
    expect(two.others.map(({ id }) => id)).toEqual(["one"]);
    const [first] = await storage.replicas.list();
    expect(first).toMatchObject({ id: "one", place: "one", models: [] });
    expect(first?.name).toContain(`(process ${process.pid})`);
    expect(first?.silent_ms).toBeLessThan(LONG_MS);
    await one[Symbol.asyncDispose]();
    expect((await storage.replicas.list()).map(({ id }) => id)).toEqual(["two"]);
  });

  test("know what others have and they have not", async () => {
    const { db } = await server();
    const one = await join(db, "one", { termMs: 600 });
    one.models = () => ["a", "b"];
    const two = await join(db, "two", { termMs: 600 });
    two.models = () => ["b"];
    await waitFor("the second knows it", () => (two.lacking().length > 0 ? true : undefined));
    expect([two.lacking(), one.lacking()]).toEqual([["a"], []]);
  });

  test("leave a job to whoever works on it, until he was not seen for his term", async () => {
    const [a, b] = [await server(), await server()];
    await join(a.db, "a");
    await join(b.db, "b");
    await add(a.storage, "1");
    expect((await claim(a.storage, "a"))?.subject).toBe("1");
    expect(await claim(b.storage, "b")).toBeNull();
    expect(await b.storage.jobs.releaseLost("b", 1)).toBe(0);
    await b.db.run("UPDATE replica SET seen_ms = seen_ms - term_ms - 1 WHERE id = 'a'");
    expect(await b.storage.jobs.releaseLost("b", 1)).toBe(1);
    expect((await claim(b.storage, "b"))?.attempt).toBe(2);
    // Whose it was has no say any more.
    await a.storage.jobs.finish(1, "a");
    await a.storage.jobs.retry(1, "a", 0);
    await a.storage.jobs.renew("a", [1], 0, 1);
    expect(await a.db.get("SELECT lease_owner FROM job")).toEqual({ lease_owner: "b" });
  });

  test("have a lease until it runs out, by the database's clock", async () => {
    const { db, storage } = await server();
    await join(db, "a");
    await add(storage, "1");
    await claim(storage, "a");
    const { left } = (await db.get<{ left: number }>("SELECT lease_ms - lectern_now_ms() AS left FROM job")) ?? {};
    expect(left).toBeGreaterThan(LONG_MS / 2);
    expect(left).toBeLessThanOrEqual(LONG_MS);
    await db.run("UPDATE job SET lease_ms = lectern_now_ms() - 1");
    expect(await storage.jobs.releaseLost("a", 1)).toBe(1);
  });

  test("keep the leases of what runs, and not of a job whose end the database forgot", async () => {
    const { db, storage } = await server();
    await join(db, "a");
    for (const subject of ["1", "2"]) await add(storage, subject);
    const running = await claim(storage, "a");
    await claim(storage, "a");
    await db.run("UPDATE job SET lease_ms = lectern_now_ms() - 1");
    await storage.jobs.renew("a", [running?.id ?? 0], 0, LONG_MS);
    expect(await storage.jobs.releaseLost("a", 1)).toBe(1);
    expect((await claim(storage, "a"))?.subject).toBe("2");
  });

  test("end what was begun in the data directory in which they start", async () => {
    const { db, storage } = await server();
    await join(db, "killed", { place: "p" });
    await add(storage, "1");
    await claim(storage, "killed");
    await join(db, "next", { place: "p" });
    expect(await storage.jobs.releaseLost("next", 1)).toBe(1);
  });

  test("count a tenant's jobs together, and pass over what is held or not theirs to do", async () => {
    const [a, b] = [await server(), await server()];
    for (const subject of ["1", "2", "3"]) await add(a.storage, subject);
    expect((await claim(a.storage, "a", { limit: 2 }))?.subject).toBe("1");
    const next = await claim(b.storage, "b", { limit: 2 });
    expect(next?.subject).toBe("2");
    expect(await claim(a.storage, "a", { limit: 2 })).toBeNull();
    expect(await b.storage.jobs.dueTenants("ingest", 1)).toEqual([{ tenant_id: T, priority: 1, running: 2 }]);
    await b.storage.jobs.giveBack(next?.id ?? 0, "b");
    expect((await claim(a.storage, "a", { exceptJobs: [next?.id ?? 0] }))?.subject).toBe("3");
    await a.db.run(`INSERT INTO vector_store (id, tenant_id, name, created_at, last_active_at, embedding_model)
      VALUES ('${STORE}', '${T}', 's', 1, 1, 'm')`);
    await a.db.run(`INSERT INTO generation (tenant_id, store_id, number, model, model_revision, dimensions, chunk_set,
      state, created_at) VALUES ('${T}', '${STORE}', 1, 'm', '1', 1, 1, 'live', 1)`);
    expect(await claim(b.storage, "b", { lacking: ["m"] })).toBeNull();
    await a.db.run(`INSERT INTO migration (id, tenant_id, store_id, created_at, status, from_generation, from_identity,
      to_identity, dry_run, retain_hours, ingest_credit) VALUES ('mig_1', '${T}', '${STORE}', 1, 'building', 1,
      '{"model":"m"}', '{"model":"n"}', 0, 1, 0)`);
    expect(await claim(b.storage, "b", { lacking: ["other"] })).toBeNull();
    await a.db.run("UPDATE migration SET ingest_credit = 5");
    await add(a.storage, "mig_1", "migrate");
    expect(await claim(b.storage, "b", { lacking: ["n"] }, "migrate")).toBeNull();
    expect((await claim(b.storage, "b", { lacking: ["other"] }, "migrate"))?.subject).toBe("mig_1");
    expect((await claim(b.storage, "b"))?.subject).toBe("2");
  });

  test("write one after another: what one has looked at is still so when it writes", async () => {
    const servers = [await server(), await server(), await server()];
    await servers[0]?.storage.tenants.insert({ id: T, name: "0", createdAt: 1 });
    const ROUNDS = 25;
    const counting = servers.map(async ({ storage }) => {
      for (let i = 0; i < ROUNDS; i++)
        await storage.transaction(async ({ tenants }) => {
          const seen = Number((await tenants.get(T))?.name);
          await tenants.update(T, { name: String(seen + 1) });
        });
    });
    await Promise.all(counting);
    expect((await servers[0]?.storage.tenants.get(T))?.name).toBe(String(3 * ROUNDS));
  });

  test("do what is to be done once for all one at a time, and the next one when who did it is gone", async () => {
    const { db, storage } = await server();
    await join(db, "a");
    const b = await join(db, "b");
    const take = (owner: string) => storage.replicas.takeDuty("upkeep", owner, LONG_MS);
    expect([await take("b"), await take("a"), await take("b")]).toEqual([true, false, true]);
    await b[Symbol.asyncDispose]();
    expect(await take("a")).toBe(true);
    await join(db, "c");
    expect(await take("c")).toBe(false);
    await db.run("UPDATE duty SET until_ms = lectern_now_ms() - 1");
    expect(await take("c")).toBe(true);
  });

  test("have a minute's requests together: all at once, then as they flow in", async () => {
    const doors = [ratesTable((await server()).db), ratesTable((await server()).db)];
    const { db } = await server();
    const take = async (i: number, owner = "key_1") =>
      (await doors[i % 2]?.take(T, owner, { perMinute: 70, wanted: 3 })) ?? { granted: 0, retryMs: 0 };
    let granted = 0;
    for (const lot of await Promise.all(Array.from({ length: 40 }, (_, i) => take(i)))) granted += lot.granted;
    expect(granted).toBeGreaterThanOrEqual(70 - 1);
    expect(granted).toBeLessThan(70 + 10);
    const refused = await waitFor("one too many", async () => {
      const lot = await take(0);
      return lot.granted === 0 ? lot : undefined;
    });
    expect(refused.retryMs).toBeGreaterThan(0);
    expect(refused.retryMs).toBeLessThanOrEqual(60_000 / 70 + 1);
    expect((await take(1, "key_2")).granted).toBe(3);
    // Half a minute later half of it is there again.
    await db.run("UPDATE rate SET full_ms = lectern_now_ms() + 30000");
    granted = 0;
    for (let i = 0; i < 20; i++) granted += (await take(i)).granted;
    expect(Math.abs(granted - 35)).toBeLessThan(5);
    expect(await doors[0]?.trim(10)).toBe(0);
    await db.run("UPDATE rate SET full_ms = lectern_now_ms() - 1");
    expect(await doors[0]?.trim(10)).toBe(2);
  });

  describe("one that has lost a job's lease", () => {
    const losses: number[] = [];
    const leaseOf = (jobId: number, owner: string): Lease => ({
      jobId,
      owner,
      lost: () => void losses.push(jobId),
      isOver: false,
    });
    const outcome = (work: Promise<unknown>) => work.then(() => "done", messageOf);
    beforeEach(() => losses.splice(0));

    test("writes nothing for it, in a transaction or outside, and is told", async () => {
      const [a, b] = [await server(), await server()];
      await a.storage.tenants.insert({ id: T, name: "0", createdAt: 1 });
      await add(a.storage, "1");
      const job = await claim(a.storage, "a");
      const lease = leaseOf(job?.id ?? 0, "a");
      const write = (name: string) =>
        a.storage.transaction(({ tenants }) => tenants.update(T, { name: `in a transaction, ${name}` }));
      await underLease(lease, () => write("first"));
      // Asked for anew while it is being worked on: still its own.
      await add(b.storage, "1");
      await underLease(lease, () => write("second"));
      expect((await b.storage.tenants.get(T))?.name).toBe("in a transaction, second");
      await b.storage.jobs.revoke("ingest", "1", "b");
      await claim(b.storage, "b");
      const lost = new LeaseLost().message;
      expect(await outcome(underLease(lease, () => write("third")))).toBe(lost);
      expect(await outcome(underLease(lease, () => a.storage.tenants.update(T, { name: "alone" })))).toBe(lost);
      expect(await outcome(underLease(lease, () => add(a.storage, "2")))).toBe(lost);
      expect(losses).toHaveLength(3);
      expect((await b.storage.tenants.get(T))?.name).toBe("in a transaction, second");
      expect(await b.db.all("SELECT subject, lease_owner FROM job")).toEqual([{ subject: "1", lease_owner: "b" }]);
      // Reads and others' writes are no business of it.
      expect((await underLease(lease, () => a.storage.tenants.get(T)))?.id).toBe(T);
      await a.storage.tenants.update(T, { name: "of a request" });
    });

    test("or wrote before the database's server crashed, the same: that may be gone", async () => {
      const { db, storage } = await server();
      await storage.tenants.insert({ id: T, name: "0", createdAt: 1 });
      await add(storage, "1");
      const lease = leaseOf((await claim(storage, "a"))?.id ?? 0, "a");
      const write = (name: string) => underLease(lease, () => storage.tenants.update(T, { name }));
      await write("first");
      // Begun anew by a server that recovers.
      await db.run("SELECT pg_stat_reset_shared('bgwriter')");
      expect(await outcome(write("second"))).toBe(new LeaseLost().message);
      expect([losses.length, (await storage.tenants.get(T))?.name]).toEqual([1, "first"]);
      await storage.jobs.giveBack(lease.jobId, "a");
      const again = leaseOf((await claim(storage, "a"))?.id ?? 0, "a");
      await underLease(again, () => storage.tenants.update(T, { name: "again" }));
      expect((await storage.tenants.get(T))?.name).toBe("again");
    });

    test("of a job that nobody wants any more, the same", async () => {
      const { storage } = await server();
      await add(storage, "1");
      const job = await claim(storage, "a");
      await storage.jobs.drop(T, "ingest", "1");
      const lease = leaseOf(job?.id ?? 0, "a");
      expect(await outcome(underLease(lease, () => add(storage, "2")))).toBe(new LeaseLost().message);
      expect(await storage.jobs.depth()).toEqual([]);
    });
  });

  describe("and one of a version that wants it alone", () => {
    const TABLE = `CREATE TABLE lectern_holder (only_one integer PRIMARY KEY, epoch bigint NOT NULL, token text NOT NULL,
      name text NOT NULL, has_session boolean NOT NULL, held_until timestamptz NOT NULL)`;
    const held = (db: PostgresDatabase, until: string) =>
      db.run(`INSERT INTO lectern_holder VALUES (1, 1, 'old', 'elsewhere (process 7)', true, ${until})`);

    test("are not there at the same time: while it lives, it is named", async () => {
      const { db } = await server();
      await db.run(TABLE);
      await held(db, "clock_timestamp() + interval '15 s'");
      const beating = setInterval(
        () => void db.run("UPDATE lectern_holder SET held_until = clock_timestamp() + interval '15 s'"),
        100,
      );
      try {
        const said = await refuseEarlierHolder(db, "postgres://x").catch(messageOf);
        expect(said).toContain("is in use by a Lectern on elsewhere (process 7)");
        expect(said).toContain("stop it first");
      } finally {
        clearInterval(beating);
      }
    });

    test("that was killed is waited for, and none comes back", async () => {
      const { db } = await server();
      await refuseEarlierHolder(db, "postgres://x");
      await db.run(TABLE);
      await held(db, "clock_timestamp() + interval '1 s'");
      await refuseEarlierHolder(db, "postgres://x");
      // Others of this version come too.
      await refuseEarlierHolder(db, "postgres://x");
      const take = "SELECT 1 AS one FROM lectern_holder WHERE held_until < clock_timestamp() OR has_session";
      expect(await db.get(take)).toBeNull();
    });
  });
});
