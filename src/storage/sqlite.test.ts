import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { copyFileSync, mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Database as Connection } from "bun:sqlite";
import { createDiskTrust } from "../platform/disk-trust.ts";
import type { Tx } from "./sql.ts";
import { waitFor } from "../../test/helpers/wait.ts";
import { CHECKPOINT_PAGES, LONG_MS, openSqlite, type SqliteDatabase } from "./sqlite.ts";

const INSERT = "INSERT INTO tenant (id, name, status, quotas, created_at) VALUES (?1, ?1, 'active', '{}', 1)";
const COUNT = "SELECT count(*) AS n FROM tenant";

let dir: string;
let db: SqliteDatabase;
const long: number[] = [];
/** What the database takes for the time; tests move it. */
let nowMs = 0;

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "lectern-sqlite-"));
  db = openSqlite(join(dir, "meta.sqlite"), {
    flush: false,
    onLong: (ms) => long.push(ms),
    monotonicMs: () => nowMs,
  });
});
afterEach(async () => {
  long.length = 0;
  await db.close();
  rmSync(dir, { recursive: true, force: true });
});

const count = async () => (await db.get<{ n: number }>(COUNT))?.n;
const add = (tx: Pick<Tx, "run">, id: string) => tx.run(INSERT, [id]);

describe("a transaction that gives others a turn", () => {
  const turns = async (tx: Tx, ids: readonly string[]) => {
    for (const id of ids) {
      await add(tx, id);
      await tx.nextTurn();
    }
  };

  test("is one: others read what was before it until its end, and who wants to write comes after it", async () => {
    const order: string[] = [];
    const seen = new Set<number | undefined>();
    const over = new AbortController();
    const whole = db.transaction(async (tx) => {
      await turns(tx, ["a", "b", "c"]);
      order.push("whole");
    });
    const other = db.transaction(async (tx) => {
      await add(tx, "d");
      order.push("other");
    });
    const looking = (async () => {
      while (!over.signal.aborted) {
        seen.add(await count());
        await new Promise((resolve) => setImmediate(resolve));
      }
    })();
    await Promise.all([whole, other]);
    over.abort();
    await looking;
    expect(order).toEqual(["whole", "other"]);
    expect([...seen].filter((n) => n !== 0 && n !== 3 && n !== 4)).toEqual([]);
    expect(seen.has(0)).toBe(true);
    expect(await count()).toBe(4);
  });

  test("leaves nothing when it throws after a turn, or its process dies in one", async () => {
    const failing = db.transaction(async (tx) => {
      await turns(tx, ["a", "b"]);
      const left = join(dir, "left.sqlite");
      for (const end of ["", "-wal"]) copyFileSync(join(dir, `meta.sqlite${end}`), left + end);
      throw new Error("enough");
    });
    expect(await failing.catch((error: Error) => error.message)).toBe("enough");
    expect(await count()).toBe(0);
    const left = openSqlite(join(dir, "left.sqlite"), { flush: false });
    expect(await left.get(COUNT)).toEqual({ n: 0 });
    await left.close();
  });

  test("may still await nothing foreign, before a turn or after", async () => {
    for (const turnsFirst of [0, 1, 3]) {
      const failing = db.transaction(async (tx) => {
        await turns(
          tx,
          Array.from({ length: turnsFirst }, (_, i) => `t${i}`),
        );
        await Bun.sleep(20);
        await add(tx, "late");
      });
      expect(await failing.catch((error: Error) => error.message)).toContain("awaited something other");
      expect(await count()).toBe(0);
    }
    await db.transaction((tx) => add(tx, "after"));
    expect(await count()).toBe(1);
  });

  test("is long only where a piece of it is", async () => {
    await db.transaction(async (tx) => {
      for (let i = 0; i < 3; i++) {
        nowMs += LONG_MS * 0.5;
        await tx.nextTurn();
      }
    });
    expect(long).toEqual([]);
    await db.transaction(async (tx) => {
      await tx.nextTurn();
      nowMs += LONG_MS * 1.5;
    });
    expect(long).toEqual([LONG_MS * 1.5]);
  });
});

describe("the log", () => {
  const logged = () => db.raw.query<{ log: number; checkpointed: number }, []>("PRAGMA wal_checkpoint(NOOP)").get();
  const write = (pages: number) =>
    db.transaction(async (tx) => {
      const text = "x".repeat(4000);
      for (let i = 0; i < pages; i++) await tx.run(INSERT, [`${Math.random()}${text}`]);
    });

  test("is copied into the database in a later turn than that of the large commit", async () => {
    await write(CHECKPOINT_PAGES);
    expect(logged()?.log).toBeGreaterThanOrEqual(CHECKPOINT_PAGES);
    expect(logged()?.checkpointed).toBe(0);
    await waitFor("the log is copied", async () => (logged()?.log === logged()?.checkpointed ? true : undefined));
  });

  test("is left alone while the file is frozen, and copied after", async () => {
    const frozen = await db.freeze(() => Promise.resolve(null));
    await write(CHECKPOINT_PAGES);
    for (let i = 0; i < 5; i++) await new Promise((resolve) => setImmediate(resolve));
    expect(logged()?.checkpointed).toBe(0);
    await frozen?.thaw();
    await waitFor("the log is copied", async () => (logged()?.log === logged()?.checkpointed ? true : undefined));
  });

  test("does not hold up a close", async () => {
    await write(CHECKPOINT_PAGES);
    await db.close();
    db = openSqlite(join(dir, "meta.sqlite"), { flush: false });
    expect(await count()).toBe(CHECKPOINT_PAGES);
  });
});

describe("a transaction", () => {
  test("is whole for everybody else, and absent until it is", async () => {
    await db.transaction(async (tx) => {
      await add(tx, "a");
      await add(tx, "b");
      expect((await tx.get<{ n: number }>(COUNT))?.n).toBe(2);
      expect(db.now.all<{ n: number }>(COUNT)).toEqual([{ n: 0 }]);
    });
    expect(await count()).toBe(2);
    expect(db.now.values(COUNT)).toEqual([[2]]);
  });

  test("leaves nothing when its function throws, and gives what was thrown", async () => {
    const failing = db.transaction(async (tx) => {
      await add(tx, "a");
      throw new Error("no");
    });
    await expect(failing).rejects.toThrow("no");
    expect(await count()).toBe(0);
    await db.transaction((tx) => add(tx, "b"));
    expect(await count()).toBe(1);
  });

  test("is one of many that come at once, in the order in which they came", async () => {
    const order: number[] = [];
    const one = (i: number) =>
      db.transaction(async (tx) => {
        order.push(i);
        await add(tx, `t${i}`);
        expect((await tx.get<{ n: number }>(COUNT))?.n).toBe(i + 1);
      });
    await Promise.all(Array.from({ length: 50 }, (_, i) => one(i)));
    expect(order).toEqual(Array.from({ length: 50 }, (_, i) => i));
  });

  test("runs its effects in the turn of its commit, before whoever waited for it or for the lock", async () => {
    const seen: string[] = [];
    const first = db
      .transaction(async (tx) => {
        tx.onCommit(() => seen.push(`effect, ${db.now.all<{ n: number }>(COUNT)[0]?.n} there`));
        await add(tx, "a");
        seen.push("written");
      })
      .then(() => seen.push("told"));
    const second = db.transaction(async () => void seen.push("next"));
    await Promise.all([first, second]);
    expect(seen.slice(0, 2)).toEqual(["written", "effect, 1 there"]);
    expect(seen.slice(2).toSorted()).toEqual(["next", "told"]);
  });

  test("runs no effect after a rollback", async () => {
    const seen: string[] = [];
    const failing = db.transaction(async (tx) => {
      tx.onCommit(() => seen.push("effect"));
      throw new Error("no");
    });
    await expect(failing).rejects.toThrow("no");
    expect(seen).toEqual([]);
  });

  test("may be used from its effects: they are outside of it", async () => {
    const { promise, resolve } = Promise.withResolvers<number | undefined>();
    await db.transaction(async (tx) => {
      await add(tx, "a");
      tx.onCommit(() => resolve(db.transaction((other) => add(other, "b")).then(count)));
    });
    expect(await promise).toBe(2);
  });

  test("that awaits something foreign is rolled back, throws, and keeps nobody waiting", async () => {
    const foreign: [string, () => Promise<unknown>][] = [
      ["a timer", () => Bun.sleep(1)],
      ["a timer that is due", () => new Promise((resolve) => setTimeout(resolve, 0))],
      ["another turn", () => new Promise((resolve) => setImmediate(resolve))],
    ];
    for (const [what, wait] of foreign) {
      const refused = db.transaction(async (tx) => {
        await add(tx, what);
        await wait();
        await add(tx, `${what}, later`);
      });
      const next = db.transaction((tx) => add(tx, `after ${what}`));
      await expect(refused).rejects.toThrow("awaited something other than its own statements");
      expect(await next).toBe(1);
    }
    expect(await count()).toBe(foreign.length);
  });

  test("that waits for ever is rolled back as well", async () => {
    void db.transaction(async (tx) => {
      await add(tx, "a");
      await new Promise(() => {});
    });
    await db.transaction((tx) => add(tx, "b"));
    expect(await count()).toBe(1);
  });

  test("is not nested: another one, and every use of the outer database, is refused", async () => {
    const uses: [string, () => Promise<unknown>][] = [
      ["transaction", () => db.transaction((tx) => add(tx, "b"))],
      ["get", () => db.get(COUNT)],
      ["all", () => db.all(COUNT)],
      ["run", () => add(db, "b")],
      ["exclusively", () => db.exclusively(() => {})],
    ];
    for (const [, use] of uses) {
      const refused = db.transaction(async (tx) => {
        await add(tx, "a");
        await use();
      });
      await expect(refused).rejects.toThrow("inside a transaction");
    }
    expect(await count()).toBe(0);
  });

  test("is over when its function is: a handle that was kept is refused, also during another one", async () => {
    let kept: Tx | null = null;
    await db.transaction(async (tx) => void (kept = tx));
    const stale = kept as Tx | null;
    await expect(stale?.run(INSERT, ["a"])).rejects.toThrow("outside its function");
    const { promise: other, resolve } = Promise.withResolvers<void>();
    const late = other.then(() => stale?.run(INSERT, ["a"]));
    await db.transaction(async (tx) => {
      resolve();
      for (let i = 0; i < 10; i++) await tx.get(COUNT);
    });
    await expect(late).rejects.toThrow("outside its function");
    expect(await count()).toBe(0);
  });

  test("joins a transaction that it is part of", async () => {
    await db.transaction(async (tx) => {
      await tx.atomic(async (same) => {
        expect(same).toBe(tx);
        await add(same, "a");
      });
    });
    await db.atomic((tx) => add(tx, "b"));
    expect(await count()).toBe(2);
  });

  test("that holds the thread for long is told of", async () => {
    await db.transaction(async (tx) => {
      await tx.get(COUNT);
      nowMs += LONG_MS + 1;
    });
    expect(long).toEqual([LONG_MS + 1]);
    await db.transaction((tx) => add(tx, "a"));
    expect(long).toHaveLength(1);
  });

  test("is timed by the system's clock where no other is given", async () => {
    const timed = openSqlite(":memory:", { onLong: (ms) => long.push(ms) });
    await timed.transaction(async (tx) => {
      const until = performance.now() + LONG_MS * 1.5;
      while (performance.now() < until) await tx.get(COUNT);
    });
    await timed.close();
    expect(long.map((ms) => ms > LONG_MS)).toEqual([true]);
  });
});

describe("outside a transaction", () => {
  test("a write is a transaction of one statement, also one that gives rows", async () => {
    expect(await add(db, "a")).toBe(1);
    expect(await db.get<{ id: string }>(`${INSERT} RETURNING id`, ["b"])).toEqual({ id: "b" });
    expect(await db.all<{ id: string }>("UPDATE tenant SET name = 'x' RETURNING id")).toHaveLength(2);
    await expect(add(db, "a")).rejects.toThrow("UNIQUE");
    expect(await count()).toBe(2);
  });

  test("a read is of the committed state while a transaction is under way", async () => {
    const reads: Promise<number | undefined>[] = [];
    const { promise: begun, resolve: begin } = Promise.withResolvers<void>();
    const reader = begun.then(() => reads.push(count()));
    await db.transaction(async (tx) => {
      await add(tx, "a");
      begin();
      for (let i = 0; i < 10; i++) await add(tx, `more ${i}`);
    });
    await reader;
    expect(await reads[0]).toBe(0);
  });

  test("what looks like a read and writes is refused while a transaction is open", async () => {
    const text =
      "WITH x AS (SELECT 1) INSERT INTO tenant (id, name, status, quotas, created_at) VALUES ('a', 'a', 'active', '{}', 1)";
    const { promise: begun, resolve: begin } = Promise.withResolvers<void>();
    const write = begun.then(() => db.all(text));
    write.catch(() => {});
    await db.transaction(async (tx) => {
      begin();
      for (let i = 0; i < 10; i++) await add(tx, `more ${i}`);
    });
    await expect(write).rejects.toThrow("readonly");
  });
});

test("a frozen file does not change while work goes on, and is thawed", async () => {
  await add(db, "a");
  const frozen = await db.freeze(() => Promise.resolve("seen"));
  expect(frozen?.seen).toBe("seen");
  expect(await db.freeze(() => Promise.resolve(null))).toBeNull();
  const path = join(dir, "meta.sqlite");
  const before = Bun.hash(await Bun.file(path).bytes());
  for (let i = 0; i < 50; i++) await add(db, `more ${i}`);
  await db.transaction(async (tx) => {
    tx.erase();
    await tx.run("DELETE FROM tenant WHERE id = 'a'");
  });
  await db.settleErased();
  expect(Bun.hash(await Bun.file(path).bytes())).toBe(before);
  await frozen?.thaw();
  await db.settleErased();
  expect(Bun.hash(await Bun.file(path).bytes())).not.toBe(before);
});

test("a database in memory keeps the same rules on its one connection", async () => {
  const memory = openSqlite(":memory:");
  const { promise: begun, resolve: begin } = Promise.withResolvers<void>();
  const read = begun.then(() => memory.get<{ n: number }>(COUNT));
  await memory.transaction(async (tx) => {
    await add(tx, "a");
    begin();
    await add(tx, "b");
    await expect(memory.get(COUNT)).rejects.toThrow("inside a transaction");
  });
  // It waited for the lock: nothing half-done was seen.
  expect(await read).toEqual({ n: 2 });
  await memory.close();
});

test("whoever never lets the event loop turn does not grow the log for ever", async () => {
  const log = join(dir, "meta.sqlite-wal");
  await db.transaction((tx) => tx.run("CREATE TABLE large (data BLOB)"));
  const page = new Uint8Array(400_000);
  let largest = 0;
  for (let i = 0; i < 300; i++) {
    await db.transaction((tx) => tx.run("INSERT INTO large VALUES (?1)", [page]));
    largest = Math.max(largest, statSync(log).size);
  }
  // It is looked at after each hundred commits of 40 MB: at the second look it is copied.
  expect(largest).toBeLessThan(100_000_000);
});

test("once a sync has failed nothing is written, and what was committed is read", async () => {
  const path = join(dir, "doubted.sqlite");
  const trust = createDiskTrust();
  const doubted = openSqlite(path, { trust });
  await doubted.transaction((tx) => add(tx, "before"));
  trust.lose("the database", new Error("EIO"));
  const writes = [
    doubted.transaction((tx) => add(tx, "after")),
    doubted.run(INSERT, ["after"]),
    doubted.reclaim(1),
    doubted.freeze(async () => null),
    doubted.makeDurable(),
  ];
  for (const write of writes)
    expect(await write.catch((error: unknown) => error)).toMatchObject({ code: "storage_unavailable" });
  expect(await doubted.get(COUNT)).toEqual({ n: 1 });
  await doubted.settleErased();
  await doubted.close();
  const next = openSqlite(path, { flush: false });
  expect(await next.get(COUNT)).toEqual({ n: 1 });
  await next.close();
});

test("a start brings the log into the database, and so writes once more what the disk perhaps does not have", async () => {
  await db.transaction((tx) => add(tx, "in the log"));
  const path = join(dir, "copy.sqlite");
  for (const end of ["", "-wal"]) copyFileSync(join(dir, `meta.sqlite${end}`), `${path}${end}`);
  expect(statSync(`${path}-wal`).size).toBeGreaterThan(0);
  const next = openSqlite(path, { flush: false });
  expect(statSync(`${path}-wal`).size).toBe(0);
  expect(await next.get(COUNT)).toEqual({ n: 1 });
  await next.close();
});

test("goes by the indexes, not by what the tables were like when an earlier version stopped", async () => {
  const plan = async () =>
    (await db.all<{ detail: string }>("EXPLAIN QUERY PLAN SELECT * FROM file WHERE tenant_id = 'a' AND id = 'b'")).map(
      ({ detail }) => detail,
    );
  const before = await plan();
  await db.close();
  const earlier = new Connection(join(dir, "meta.sqlite"));
  earlier.run("ANALYZE");
  earlier.run("INSERT INTO sqlite_stat1 VALUES ('file', NULL, '1')");
  earlier.close();
  db = openSqlite(join(dir, "meta.sqlite"), { flush: false });
  expect(await plan()).toEqual(before);
  expect(await db.get("SELECT count(*) AS n FROM sqlite_stat1")).toEqual({ n: 0 });
  await db.close();
  db = openSqlite(join(dir, "meta.sqlite"), { flush: false });
  expect(await db.get("SELECT count(*) AS n FROM sqlite_stat1")).toEqual({ n: 0 });
});
