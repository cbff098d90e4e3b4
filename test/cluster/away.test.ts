import { mkdirSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { CommitUnknown, DatabaseAway } from "../../src/storage/postgres/failures.ts";
import { openPostgres, type PostgresOptions } from "../../src/storage/postgres/open.ts";
import type { PostgresDatabase } from "../../src/storage/postgres/database.ts";
import { migratePostgres } from "../../src/storage/migrations/postgres/runner.ts";
import { AppError } from "../../src/errors.ts";
import { lacks } from "../helpers/lacks.ts";
import { waitFor } from "../helpers/wait.ts";
import { hasHaproxy, startHaproxy } from "./servers/haproxy.ts";
import { hasPostgres, type PostgresServer, startPostgres } from "./servers/postgres.ts";
import { mayMakeNamespaces, startNamespace } from "./servers/namespace.ts";
import { give } from "./servers/process.ts";
import { startWire } from "./servers/wire.ts";

const TIMEOUT_MS = 1500;
/** For what is told within the timeout: the watchdog looks twenty times in it, and the machine has other work. */
const SLACK_MS = 6000;

describe.skipIf(lacks("postgres", hasPostgres))("a database that is away", () => {
  let server: PostgresServer;
  beforeAll(async () => {
    server = await startPostgres();
  });
  afterAll(() => server[Symbol.asyncDispose]());

  const told: string[] = [];
  /** Through `port`, with a table to write into. */
  const open = async (port: number, name: string, options: PostgresOptions = {}): Promise<PostgresDatabase> => {
    await server.createDatabase(name);
    told.length = 0;
    const db = await openPostgres(`postgres://postgres@127.0.0.1:${port}/${name}`, {
      timeout: TIMEOUT_MS,
      onAway: (reason) => told.push(reason),
      onBack: () => told.push("back"),
      ...options,
    });
    await db.run("CREATE TABLE entry (id bigint PRIMARY KEY, text text)");
    return db;
  };
  const add = (db: PostgresDatabase, id: number) =>
    db.transaction(async (tx) => void (await tx.run("INSERT INTO entry (id) VALUES (?1)", [id])));
  const outcome = (promise: Promise<unknown>): Promise<unknown> =>
    promise.then(
      () => "done",
      (error: unknown) => error,
    );
  const isBack = (db: PostgresDatabase) =>
    waitFor("the database is back", async () =>
      (await outcome(db.get("SELECT 1 AS one"))) === "done" ? true : undefined,
    );

  test("behind a wire that is cut: everything fails within the timeout, then at once, and comes back by itself", async () => {
    await using wire = await startWire(server.port);
    const db = await open(wire.port, "cut", { connections: 4 });
    await Promise.all([1, 2, 3, 4].map((id) => add(db, id)));
    wire.cut();
    const from = performance.now();
    // More than there are connections, reads and writes.
    const under = [
      ...[5, 6, 7, 8, 9, 10].map((id) => add(db, id)),
      db.get("SELECT 1 AS one"),
      db.run("DELETE FROM entry"),
    ];
    for (const error of await Promise.all(under.map(outcome))) {
      expect(error).toBeInstanceOf(DatabaseAway);
      expect((error as DatabaseAway).retryAfterSeconds).toBe(2);
    }
    expect(performance.now() - from).toBeLessThan(TIMEOUT_MS + SLACK_MS);
    await waitFor("it is known to be away", () => db.away ?? undefined);
    expect(told).toEqual([db.away ?? ""]);
    const again = performance.now();
    expect(await outcome(db.get("SELECT 1 AS one"))).toBeInstanceOf(DatabaseAway);
    expect(performance.now() - again).toBeLessThan(100);
    wire.mend();
    await isBack(db);
    expect(db.away).toBeNull();
    expect(told.at(-1)).toBe("back");
    // What the server had been sent before the cut was ended by its own limits; nothing was told as done.
    const ids = (await db.all<{ id: number }>("SELECT id FROM entry ORDER BY id")).map(({ id }) => id);
    expect(ids.slice(0, 4)).toEqual([1, 2, 3, 4]);
    await db.close();
  });

  test.skipIf(lacks("the right to make networks", mayMakeNamespaces()))(
    "on a network whose cable is pulled: the same, and the other one is not touched",
    async () => {
      await using network = startNamespace();
      await using far = await startPostgres({ within: network });
      const db = await openPostgres(far.url(), { timeout: TIMEOUT_MS, connections: 3 });
      const other = await open(server.port, "near", { connections: 2 });
      await db.run("CREATE TABLE entry (id bigint PRIMARY KEY, text text)");
      await Promise.all([1, 2, 3].map((id) => add(db, id)));
      network.cut();
      const from = performance.now();
      for (const error of await Promise.all([4, 5, 6, 7].map((id) => outcome(add(db, id)))))
        expect(error).toBeInstanceOf(DatabaseAway);
      expect(performance.now() - from).toBeLessThan(TIMEOUT_MS + SLACK_MS);
      await waitFor("it is known to be away", () => db.away ?? undefined);
      expect(await outcome(add(other, 1))).toBe("done");
      network.mend();
      await isBack(db);
      await add(db, 8);
      // Nothing that was refused was done: its transactions died with their connections.
      expect(await db.all("SELECT id FROM entry ORDER BY id")).toEqual([1, 2, 3, 8].map((id) => ({ id })));
      await Promise.all([db.close(), other.close()]);
    },
  );

  describe("a commit whose answer is lost", () => {
    /** What became of it for the caller, and whether its effect has run. */
    const lose = async (db: PostgresDatabase, id: number, cutOff: () => void) => {
      const effects: number[] = [];
      const done = outcome(
        db.transaction(async (tx) => {
          tx.onCommit(() => void effects.push(id));
          await tx.run("INSERT INTO entry (id) VALUES (?1)", [id]);
          await tx.get("SELECT 1 AS one");
          cutOff();
        }),
      );
      return { effects, done };
    };
    const isThere = async (name: string, id: number) =>
      (await server.query(`SELECT 1 FROM entry WHERE id = ${id}`, name)).length === 1;

    test("and that was done: the caller learns it a little later, and its effects come before anything else", async () => {
      await using wire = await startWire(server.port);
      const db = await open(wire.port, "done");
      const { effects, done } = await lose(db, 1, () => wire.deafen());
      expect(await done).toBe("done");
      expect(effects).toEqual([1]);
      expect(await isThere("done", 1)).toBe(true);
      await db.close();
    });

    test("and that was not: the caller is told that it was not", async () => {
      await using wire = await startWire(server.port);
      const db = await open(wire.port, "undone");
      const { effects, done } = await lose(db, 1, () => wire.reset());
      const error = await done;
      expect(error).toBeInstanceOf(DatabaseAway);
      expect(error).not.toBeInstanceOf(CommitUnknown);
      expect([effects, await isThere("undone", 1)]).toEqual([[], false]);
      await isBack(db);
      await db.close();
    });

    test("and nobody can be asked: the caller is told to look, and its effects come once it is known", async () => {
      await using wire = await startWire(server.port);
      const db = await open(wire.port, "unknown");
      const { effects, done } = await lose(db, 1, () => wire.deafen());
      await waitFor("it is committed", async () => ((await isThere("unknown", 1)) ? true : undefined));
      wire.cut();
      const error = await done;
      expect(error).toBeInstanceOf(CommitUnknown);
      expect((error as CommitUnknown).isFinal).toBe(true);
      expect(effects).toEqual([]);
      expect(await outcome(db.get("SELECT 1 AS one"))).toBeInstanceOf(DatabaseAway);
      wire.mend();
      await isBack(db);
      expect(effects).toEqual([1]);
      await db.close();
    });
  });

  describe("a commit in which the server crashes", () => {
    let crashing: PostgresServer;
    beforeAll(async () => {
      // What is written reaches the log with a commit, and by nothing else.
      crashing = await startPostgres({ settings: { wal_writer_delay: "10s" } });
    });
    afterAll(() => crashing[Symbol.asyncDispose]());

    const nextXid = async () =>
      Number((await crashing.query("SELECT pg_current_xact_id()::text AS xid"))[0]?.["xid"] ?? NaN);

    /** Commits beside a crash: the row is one of a writer with a mark, or of one without. */
    const crash = async (name: string, writer: string | undefined, isCommitted: boolean) => {
      await using wire = await startWire(crashing.port);
      await crashing.createDatabase(name);
      const db = await openPostgres(`postgres://postgres@127.0.0.1:${wire.port}/${name}`, { timeout: TIMEOUT_MS });
      await migratePostgres(db);
      await db.run("CREATE TABLE entry (id bigint PRIMARY KEY)");
      const add = (id: number, onCommit: () => void, cutOff: () => void) =>
        db.transaction(async (tx) => {
          if (writer !== undefined) tx.markAs(writer);
          tx.onCommit(onCommit);
          await tx.run("INSERT INTO entry (id) VALUES (?1)", [id]);
          await tx.get("SELECT 1 AS one");
          cutOff();
        });
      const effects: number[] = [];
      // The one before has left a mark too.
      await add(
        1,
        () => void effects.push(1),
        () => {},
      );
      const count = async () => (await crashing.query("SELECT id FROM entry", name)).length;
      const before = await nextXid();
      const done = outcome(add(2, () => void effects.push(2), isCommitted ? wire.deafen : wire.cut));
      await (isCommitted ? waitFor("it is committed", async () => ((await count()) === 2 ? true : undefined)) : done);
      wire.cut();
      await crashing.stop("immediate");
      await crashing.start();
      // Somebody else is given its number, if it is to be had again, and commits.
      const after = await nextXid();
      while ((await nextXid()) <= before + 3);
      wire.mend();
      await isBack(db);
      await db.close();
      return { done: await done, effects, rows: await count(), isGivenAgain: after <= before + 1 };
    };

    test("and that had not come to it was not done, whoever has its number now", async () => {
      const marked = await crash("marked_undone", "one", false);
      expect(marked).toMatchObject({ effects: [1], rows: 1, isGivenAgain: true });
      expect(marked.done).toBeInstanceOf(DatabaseAway);
      const bare = await crash("bare_undone", undefined, false);
      expect(bare).toMatchObject({ effects: [1], rows: 1, isGivenAgain: true });
      expect(bare.done).toBeInstanceOf(DatabaseAway);
    });

    test("of which one process dies, so that it recovers by itself, is another run of it", async () => {
      await crashing.createDatabase("recovers");
      const db = await openPostgres(crashing.url("recovers"), { timeout: TIMEOUT_MS, connections: 2 });
      await db.get("SELECT 1 AS one");
      expect(db.runs).toBe(1);
      const pids = await crashing.query("SELECT pid FROM pg_stat_activity WHERE datname = 'recovers'");
      process.kill(Number(pids[0]?.["pid"]), "SIGKILL");
      await waitFor("it is another run", async () => {
        await outcome(db.get("SELECT 1 AS one"));
        return db.runs > 1 ? true : undefined;
      });
      await isBack(db);
      expect(db.runs).toBe(2);
      await db.close();
    });

    test("and that had come to it is known by its mark", async () => {
      const marked = await crash("marked_done", "one", true);
      expect(marked).toMatchObject({ effects: [1, 2], rows: 2 });
      // Without one nobody can tell.
      const bare = await crash("bare_done", undefined, true);
      expect(bare).toMatchObject({ effects: [1], rows: 2 });
      expect(bare.done).toBeInstanceOf(CommitUnknown);
    });
  });

  test("whose processes stand still: the same", async () => {
    const db = await open(server.port, "frozen", { connections: 2 });
    await add(db, 1);
    server.freeze();
    const from = performance.now();
    for (const error of await Promise.all([add(db, 2), add(db, 3), add(db, 4)].map(outcome)))
      expect(error).toBeInstanceOf(DatabaseAway);
    expect(performance.now() - from).toBeLessThan(TIMEOUT_MS + SLACK_MS);
    await waitFor("it is known to be away", () => db.away ?? undefined);
    server.thaw();
    await isBack(db);
    await add(db, 5);
    await db.close();
  });

  test("connections that were reset while they rested are not noticed by anybody", async () => {
    await using wire = await startWire(server.port);
    const db = await open(wire.port, "reset", { connections: 3 });
    await Promise.all([1, 2, 3].map((id) => add(db, id)));
    for (let round = 0; round < 5; round++) {
      wire.reset();
      await waitFor("the ends have met", () => (wire.connections === 0 ? true : undefined));
      const ids = [10 * round + 10, 10 * round + 11, 10 * round + 12];
      expect(await Promise.all(ids.map((id) => outcome(add(db, id))))).toEqual(["done", "done", "done"]);
    }
    expect(told).toEqual([]);
    await db.close();
  });

  test("a statement that takes too long ends by itself, at the server too, and nothing else does", async () => {
    const db = await open(server.port, "slow", { connections: 2 });
    const others = Array.from({ length: 20 }, async (_, i) => {
      await add(db, i);
      return await db.get("SELECT 1 AS one");
    });
    const slow = outcome(db.get("SELECT pg_sleep(60)"));
    await Promise.all(others);
    expect(await slow).toBeInstanceOf(DatabaseAway);
    const running =
      "SELECT count(*) AS n FROM pg_stat_activity WHERE query LIKE '%pg_sleep(60)%' AND pid <> pg_backend_pid() AND state = 'active'";
    expect(await db.get(running)).toEqual({ n: 0 });
    expect([db.away, told]).toEqual([null, []]);
    await db.close();
  });

  test("killed under writes, again and again: nothing acknowledged is lost, nothing half done, and it comes back", async () => {
    const db = await open(server.port, "killed", { connections: 8 });
    await db.run("CREATE TABLE twin (id bigint PRIMARY KEY)");
    const acknowledged = new Set<number>();
    const failed = new Set<number>();
    const over = new AbortController();
    let next = 1;
    const lanes = Array.from({ length: 12 }, async () => {
      while (!over.signal.aborted) {
        const id = next++;
        const writing = db.transaction(async (tx) => {
          await tx.run("INSERT INTO entry (id) VALUES (?1)", [id]);
          await tx.run("INSERT INTO twin (id) VALUES (?1)", [id]);
          tx.onCommit(() => acknowledged.add(id));
        });
        const result = await outcome(writing);
        if (result === "done") continue;
        expect(result).toBeInstanceOf(DatabaseAway);
        failed.add(id);
        await isBack(db);
      }
    });
    for (let round = 0; round < 3; round++) {
      const before = acknowledged.size;
      await waitFor("writes go on", () => (acknowledged.size > before + 200 ? true : undefined));
      await server.stop("immediate");
      await server.start();
    }
    const before = acknowledged.size;
    await waitFor("writes go on", () => (acknowledged.size > before + 50 ? true : undefined));
    over.abort();
    await Promise.all(lanes);
    const ids = new Set((await db.all<{ id: number }>("SELECT id FROM entry")).map(({ id }) => id));
    expect([...acknowledged].filter((id) => !ids.has(id))).toEqual([]);
    const alone =
      "SELECT count(*) AS n FROM entry FULL JOIN twin USING (id) WHERE entry.ctid IS NULL OR twin.ctid IS NULL";
    expect(await db.get(alone)).toEqual({ n: 0 });
    expect(failed.size).toBeGreaterThan(0);
    console.log(`acknowledged ${acknowledged.size}, lost 0, failed ${failed.size}`);
    await db.close();
  });

  test.skipIf(lacks("the right to mount", mayMount()))(
    "with no room left on its disk: what was asked for is refused, and nothing else happens",
    async () => {
      using place = smallDisk(`${server.directory}/small`);
      const db = await open(server.port, "stuffed", { connections: 2 });
      await server.query(`CREATE TABLESPACE small LOCATION '${place.path}'`);
      await db.run("CREATE TABLE large (id bigint PRIMARY KEY, bytes bytea) TABLESPACE small");
      await db.run("ALTER TABLE large ALTER COLUMN bytes SET STORAGE EXTERNAL");
      let id = 0;
      const fill = () =>
        outcome(
          db.transaction(async (tx) => {
            await tx.run("INSERT INTO entry (id) VALUES (?1)", [++id]);
            await tx.run("INSERT INTO large (id, bytes) VALUES (?1, ?2)", [id, new Uint8Array(1 << 20)]);
          }),
        );
      const end = await waitFor("the disk is full", async () => {
        const result = await fill();
        return result === "done" ? undefined : result;
      });
      expect(end).toBeInstanceOf(AppError);
      expect((end as AppError).code).toBe("insufficient_storage");
      expect((await db.get<{ n: number }>("SELECT count(*) AS n FROM entry"))?.n).toBe(id - 1);
      expect((await db.get<{ n: number }>("SELECT count(*) AS n FROM large"))?.n).toBe(id - 1);
      expect([db.away, told]).toEqual([null, []]);
      await db.run("DROP TABLE large");
      await db.close();
      await server.query("DROP DATABASE stuffed WITH (FORCE)");
      await server.query("DROP TABLESPACE small");
    },
  );

  test("that takes no writes is away until it does", async () => {
    const db = await open(server.port, "closed", { connections: 2 });
    await add(db, 1);
    await server.query("ALTER DATABASE closed SET default_transaction_read_only = on");
    await server.query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'closed'");
    const refused = await waitFor("a refusal", async () => {
      const result = await outcome(db.run("UPDATE entry SET text = 'x'"));
      return result === "done" ? undefined : result;
    });
    expect(refused).toBeInstanceOf(DatabaseAway);
    expect(await waitFor("it is known to be away", () => db.away ?? undefined)).toContain("takes no writes");
    await server.query("ALTER DATABASE closed SET default_transaction_read_only = off");
    await isBack(db);
    await add(db, 2);
    await db.close();
  });

  test("with too few connections serves with those it has; with none it is away until there are some", async () => {
    await server.createDatabase("crowded", "CONNECTION LIMIT 3");
    await server.query("CREATE ROLE common LOGIN; ALTER DATABASE crowded OWNER TO common");
    const address = server.url("crowded").replace("postgres@", "common@");
    told.length = 0;
    const db = await openPostgres(address, {
      timeout: 10_000,
      connections: 8,
      onAway: (reason) => told.push(reason),
    });
    await db.run("CREATE TABLE entry (id bigint PRIMARY KEY, text text)");
    const ids = Array.from({ length: 30 }, (_, i) => i);
    expect(new Set(await Promise.all(ids.map((id) => outcome(add(db, id)))))).toEqual(new Set(["done"]));
    expect([db.away, told]).toEqual([null, []]);
    await server.query("ALTER DATABASE crowded CONNECTION LIMIT 0");
    await server.query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'crowded'");
    const refused = await waitFor("a refusal", async () => {
      const result = await outcome(add(db, 100));
      return result === "done" ? undefined : result;
    });
    expect(refused).toBeInstanceOf(DatabaseAway);
    expect(await waitFor("it is known to be away", () => db.away ?? undefined)).toContain("no connection left");
    await server.query("ALTER DATABASE crowded CONNECTION LIMIT 3");
    await isBack(db);
    await db.close();
  });

  test.skipIf(lacks("haproxy", hasHaproxy))(
    "behind a proxy whose server changes: away for the change only",
    async () => {
      await using other = await startPostgres();
      await using proxy = await startHaproxy([server.port, other.port]);
      const db = await open(proxy.port, "moved", { connections: 3 });
      await other.createDatabase("moved");
      await other.query("CREATE TABLE entry (id bigint PRIMARY KEY, text text)", "moved");
      await Promise.all([1, 2, 3].map((id) => add(db, id)));
      await server.stop("immediate");
      await isBack(db);
      await add(db, 4);
      expect(await other.query("SELECT id FROM entry", "moved").then((rows) => rows.map((row) => row["id"]))).toEqual([
        4n,
      ]);
      await server.start();
      await db.close();
    },
  );
});

/** A disk of 24 MiB. */
function smallDisk(path: string): Disposable & { path: string } {
  mkdirSync(path);
  const mounted = Bun.spawnSync(["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", path]);
  expect(mounted.success).toBe(true);
  give(path);
  return { path, [Symbol.dispose]: () => void Bun.spawnSync(["umount", "-l", path]) };
}

function mayMount(): boolean {
  return process.getuid?.() === 0 && Bun.spawnSync(["unshare", "--mount", "true"]).success;
}
