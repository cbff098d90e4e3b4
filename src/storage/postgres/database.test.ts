import { afterAll, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import { hasPostgres, STARTING_MS, testDatabase } from "../../../test/cluster/servers/postgres.ts";
import { lacks } from "../../../test/helpers/lacks.ts";
import type { Tx } from "../sql.ts";
import { type PostgresDatabase, serverLimits } from "./database.ts";
import { openPostgres } from "./open.ts";

describe.skipIf(lacks("postgres", hasPostgres))("the door to PostgreSQL", () => {
  let db: PostgresDatabase;
  const long: number[] = [];

  beforeAll(async () => {
    db = await openPostgres(await testDatabase(), { connections: 4, timeout: 5000, onLong: (ms) => long.push(ms) });
  }, STARTING_MS);
  afterAll(() => db.close());
  beforeEach(async () => {
    await db.run(
      "DROP TABLE IF EXISTS thing; CREATE TABLE thing (id bigint PRIMARY KEY, name text, bytes bytea, ratio float8)",
    );
  });

  const add = (tx: Pick<Tx, "run">, id: number) => tx.run("INSERT INTO thing (id, name) VALUES (?1, ?2)", [id, "x"]);
  const ids = async () => (await db.all<{ id: number }>("SELECT id FROM thing ORDER BY id")).map(({ id }) => id);
  const saying = (promise: Promise<unknown>) =>
    promise.then(
      () => "",
      (error: Error) => error.message,
    );

  test("gives back what it was given, whatever came before in the same statement", async () => {
    const insert = "INSERT INTO thing (id, name, bytes, ratio) VALUES (?1, ?2, ?3, ?4)";
    const rows = [
      { id: 1, name: null, bytes: null, ratio: null },
      { id: 2, name: "é\u{1F600}", bytes: new Uint8Array([0, 255]), ratio: 0.1 },
      { id: 2 ** 40, name: "", bytes: new Uint8Array(0), ratio: 3 },
      { id: Number.MAX_SAFE_INTEGER, name: null, bytes: new Uint8Array([1]), ratio: -0.5 },
    ];
    for (const { id, name, bytes, ratio } of rows) expect(await db.run(insert, [id, name, bytes, ratio])).toBe(1);
    expect(await db.all<(typeof rows)[0]>("SELECT * FROM thing ORDER BY id")).toEqual(rows);
    expect(await db.get("SELECT * FROM thing WHERE id = ?1", [3])).toBeNull();
    const sums =
      "SELECT count(*) AS n, sum(id) AS s, exists(SELECT 1 FROM thing WHERE id = ?1) AS e FROM thing WHERE id < 5";
    expect(await db.get(sums, [2])).toEqual({ n: 2, s: 3, e: 1 });
    expect(await db.run("UPDATE thing SET name = ?2 WHERE id > ?1", [1, "z"])).toBe(3);
    expect(await db.run("DELETE FROM thing")).toBe(4);
  });

  test("bytes are those of the call, also where the statement waits for its turn", async () => {
    const bytes = new Uint8Array([1, 2, 3]);
    await db.transaction(async (tx) => {
      const before = tx.all("SELECT pg_sleep(0.05)");
      const inserted = tx.run("INSERT INTO thing (id, bytes) VALUES (1, ?1)", [bytes]);
      bytes.fill(9);
      await Promise.all([before, inserted]);
    });
    expect(await db.get("SELECT bytes FROM thing")).toEqual({ bytes: new Uint8Array([1, 2, 3]) });
  });

  describe("a transaction", () => {
    test("is all or nothing, and its effects follow its commit only", async () => {
      const done: string[] = [];
      await db.transaction(async (tx) => {
        tx.onCommit(() => void done.push("first"));
        await add(tx, 1);
        await tx.atomic(async (same) => void (await add(same, 2)));
        expect(await ids().catch((error: Error) => error.message)).toContain("inside a transaction");
      });
      const failing = db.transaction(async (tx) => {
        tx.onCommit(() => void done.push("second"));
        await add(tx, 3);
        throw new Error("enough");
      });
      expect(await saying(failing)).toBe("enough");
      expect([await ids(), done]).toEqual([[1, 2], ["first"]]);
    });

    test("that goes on after a statement of it failed is undone, and says which", async () => {
      await add(db, 1);
      const failing = db.transaction(async (tx) => {
        await add(tx, 2);
        await add(tx, 1).catch(() => {});
        tx.onCommit(() => expect.unreachable());
      });
      expect(await saying(failing)).toContain("duplicate key");
      expect(await ids()).toEqual([1]);
    });

    test("that did not wait for the disk is on it when all before is made durable", async () => {
      const flushed = async (at: string) =>
        (await db.get<{ is: number }>("SELECT pg_current_wal_flush_lsn() >= ?1::text::pg_lsn AS is", [at]))?.is;
      // The server flushes by itself now and then: once in twenty it must be this that did.
      for (let id = 0; id < 20; id++) {
        await db.transaction(async (tx) => void (await add(tx, id)), "work");
        const inserted = await db.get<{ at: string }>("SELECT pg_current_wal_insert_lsn()::text AS at");
        await db.makeDurable();
        expect(await flushed(inserted?.at ?? "")).toBe(1);
      }
    });

    test("that awaits something foreign is rolled back there and then", async () => {
      const { promise, resolve } = Promise.withResolvers<void>();
      const held = Promise.withResolvers<void>();
      let left: Promise<unknown> | null = null;
      const standing = db.transaction(async (tx) => {
        await add(tx, 1);
        held.resolve();
        await promise;
        left = saying(add(tx, 2));
        await left;
      });
      await held.promise;
      // Not while it holds its locks: the row can be written by another.
      await add(db, 1);
      resolve();
      expect(await saying(standing)).toContain("awaited something other than its own statements");
      expect(await left!).toContain("awaited something other");
      expect(await ids()).toEqual([1]);
    });

    test("may give others turns, and send statements together", async () => {
      await db.transaction(async (tx) => {
        for (const id of [1, 2, 3]) {
          await add(tx, id);
          await tx.nextTurn();
        }
        await Promise.all([4, 5, 6].map((id) => add(tx, id)));
      });
      expect(await ids()).toEqual([1, 2, 3, 4, 5, 6]);
    });

    test("cannot be used outside its function, nor within another", async () => {
      let kept: Tx | null = null;
      await db.transaction(async (tx) => {
        kept = tx;
        await add(tx, 1);
      });
      expect(await saying(add(kept!, 2))).toContain("outside its function");
      const nested = db.transaction(async (tx) => {
        await add(tx, 3);
        await db.transaction(async (other) => void (await add(other, 4)));
      });
      expect(await saying(nested)).toContain("begun, or the outer database used, inside");
      expect(await ids()).toEqual([1]);
    });

    test("of the work of jobs does not wait for the disk", async () => {
      const setting =
        "SELECT current_setting('synchronous_commit') AS s, current_setting('transaction_isolation') AS i";
      expect(await db.transaction((tx) => tx.get(setting), "work")).toEqual({ s: "off", i: "read committed" });
      expect(await db.transaction((tx) => tx.get(setting))).toEqual({ s: "on", i: "read committed" });
    });

    test("is done again when another one stood in its way, its effects once", async () => {
      await add(db, 1);
      await add(db, 2);
      const count = { runs: 0, effects: 0 };
      const holding = new Set<number>();
      const both = (first: number, second: number) =>
        db.transaction(async (tx) => {
          count.runs++;
          tx.onCommit(() => void count.effects++);
          // Done again, it stands in nobody's way.
          while (count.runs > 2 && count.effects === 0) await tx.nextTurn();
          const raise = "UPDATE thing SET ratio = coalesce(ratio, 0) + 1 WHERE id = ?1";
          await tx.run(raise, [first]);
          holding.add(first);
          // Each holds its first row before either asks for its second.
          while (holding.size < 2) await tx.nextTurn();
          await tx.run(raise, [second]);
        });
      await Promise.all([both(1, 2), both(2, 1)]);
      expect(count).toEqual({ runs: 3, effects: 2 });
      expect(await db.all("SELECT ratio FROM thing ORDER BY id")).toEqual([{ ratio: 2 }, { ratio: 2 }]);
    });

    test("is done again when this process stood still for longer than the server waits, its effects once", async () => {
      const away: string[] = [];
      const address = await testDatabase();
      const hasty = await openPostgres(address, { timeout: 1500, onAway: (reason) => away.push(reason) });
      await hasty.run("CREATE TABLE thing (id bigint PRIMARY KEY, name text)");
      const done: string[] = [];
      let runs = 0;
      await hasty.transaction(async (tx) => {
        runs++;
        tx.onCommit(() => void done.push("done"));
        await add(tx, 1);
        if (runs === 1) Bun.sleepSync(2 * serverLimits(1500).idle_in_transaction_session_timeout);
        await add(tx, 2);
      });
      expect([runs, done, away, hasty.away]).toEqual([2, ["done"], [], null]);
      expect(await hasty.all("SELECT id FROM thing ORDER BY id")).toEqual([{ id: 1 }, { id: 2 }]);
      await hasty.close();
    }, 60_000);

    test("that is in conflict again and again ends with the server's words", async () => {
      let runs = 0;
      const conflict = "DO $$ BEGIN RAISE EXCEPTION 'in the way' USING ERRCODE = '40001'; END $$";
      const failing = db.transaction(async (tx) => {
        runs++;
        await tx.run(conflict);
      });
      expect(await saying(failing)).toBe("in the way");
      expect(runs).toBe(4);
    });

    test("that is open for long is told", async () => {
      long.length = 0;
      await db.transaction((tx) => tx.all("SELECT pg_sleep(1.01)"));
      expect(long.map((ms) => ms > 1000)).toEqual([true]);
    });
  });

  describe("what waits for a lock of somebody else", () => {
    const TIMEOUT_MS = 1500;

    /** A row is changed, and kept until `free`; `db`: of somebody who wants it. */
    async function held() {
      const stack = new AsyncDisposableStack();
      const address = await testDatabase();
      const away: string[] = [];
      const keeping = await openPostgres(address, { connections: 2 });
      stack.defer(() => keeping.close());
      const one = await openPostgres(address, { timeout: TIMEOUT_MS, onAway: (reason) => away.push(reason) });
      stack.defer(() => one.close());
      await keeping.run("CREATE TABLE thing (id bigint PRIMARY KEY, name text)");
      await add(keeping, 1);
      const over = new AbortController();
      const isKept = Promise.withResolvers<void>();
      const keeps = keeping.unhurried(async (tx) => {
        await tx.run("UPDATE thing SET name = 'kept' WHERE id = 1");
        isKept.resolve();
        while (!over.signal.aborted) await tx.all("SELECT pg_sleep(0.01)");
      });
      await isKept.promise;
      const free = async () => {
        over.abort();
        await keeps;
      };
      stack.defer(free);
      /** When transactions began that were seen to wait for it. */
      const begun = new Set<number>();
      const waited = async (times: number) => {
        while (begun.size < times) {
          const waiting = `SELECT (extract(epoch FROM xact_start) * 1000)::float8 AS at FROM pg_stat_activity
            WHERE wait_event_type = 'Lock' AND datname = current_database()`;
          for (const { at } of await keeping.all<{ at: number }>(waiting)) begun.add(at);
        }
      };
      return { db: one, away, free, waited, [Symbol.asyncDispose]: () => stack.disposeAsync() };
    }

    test("waits on, and gets it once that comes free; the database is not away", async () => {
      await using here = await held();
      const done: string[] = [];
      const changed = here.db.transaction(async (tx) => {
        tx.onCommit(() => void done.push("done"));
        await tx.run("UPDATE thing SET name = name || ' and changed' WHERE id = 1");
      });
      await Promise.race([here.waited(2), changed]);
      await here.free();
      await changed;
      expect(await here.db.get("SELECT name FROM thing")).toEqual({ name: "kept and changed" });
      expect([done, here.away, here.db.away]).toEqual([["done"], [], null]);
    }, 60_000);

    test("is told to come back where that does not come free, and what else is asked is answered", async () => {
      await using here = await held();
      const changed = here.db.run("UPDATE thing SET name = 'changed' WHERE id = 1").catch((error: unknown) => error);
      await here.waited(1);
      expect(await here.db.get("SELECT name FROM thing")).toEqual({ name: "x" });
      const error = await changed;
      expect(error).toMatchObject({ name: "AppError", code: "storage_unavailable", retryAfterSeconds: 2 });
      expect(String(error)).toContain("is busy");
      expect([here.away, here.db.away]).toEqual([[], null]);
    }, 60_000);
  });

  test("more transactions than connections wait for their turn", async () => {
    const numbers = Array.from({ length: 60 }, (_, i) => i);
    await Promise.all(numbers.map((id) => db.transaction(async (tx) => void (await add(tx, id)))));
    expect(await ids()).toEqual(numbers);
    expect(await db.get("SELECT count(*) AS n FROM pg_stat_activity WHERE datname = current_database()")).toEqual({
      n: 4,
    });
  });
});
