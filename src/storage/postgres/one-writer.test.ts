import { afterEach, beforeEach, expect, test } from "bun:test";
import { openSqlite } from "../sqlite.ts";
import type { Database } from "../sql.ts";
import { OneWriter } from "./one-writer.ts";

let under: Database;
let db: OneWriter;
let log: string[];
beforeEach(() => {
  log = [];
  under = openSqlite(":memory:");
  // What a database elsewhere is: several at a time, each after some turns.
  const slow = async <T>(name: string, work: () => Promise<T>): Promise<T> => {
    log.push(`${name} begins`);
    for (let turn = 0; turn < 3; turn++) await new Promise((resolve) => setImmediate(resolve));
    log.push(`${name} ends`);
    return await work();
  };
  db = new OneWriter({
    dialect: "postgres",
    now: under.now,
    all: (text, params) => slow(text, () => under.all(text, params)),
    get: (text, params) => slow(text, () => under.get(text, params)),
    run: (text, params) => slow(text, () => under.run(text, params)),
    atomic: (fn) => slow("transaction", () => under.atomic(fn)),
    transaction: (fn) => slow("transaction", () => under.transaction(fn)),
    settleErased: async () => {},
    makeDurable: async () => {},
    reclaim: async () => {},
    close: () => under.close(),
  });
});
afterEach(() => db.close());

test("writes come one after another, in the order in which they were asked for", async () => {
  await under.run("CREATE TABLE t (n INTEGER)");
  const write = (n: number) => `INSERT INTO t (n) VALUES (${n})`;
  const returning = "INSERT INTO t (n) VALUES (3) RETURNING n";
  const [, , , row] = await Promise.all([
    db.run(write(1)),
    db.transaction((tx) => tx.run(write(2))),
    db.atomic((tx) => tx.run(write(4))),
    db.get<{ n: number }>(returning),
  ]);
  expect(row).toEqual({ n: 3 });
  const order = [write(1), "transaction", "transaction", returning];
  expect(log).toEqual(order.flatMap((name) => [`${name} begins`, `${name} ends`]));
});

test("reads wait for nobody, and a write that fails lets the next one in", async () => {
  const failed = db.transaction(async () => {
    throw new Error("no");
  });
  const read = db.get<{ n: number }>("SELECT 1 AS n");
  const next = db.run("CREATE TABLE t (n INTEGER)");
  expect(await read).toEqual({ n: 1 });
  expect(log.indexOf("SELECT 1 AS n begins")).toBe(1);
  expect(await failed.catch(String)).toBe("Error: no");
  await next;
  expect(log.at(-1)).toBe("CREATE TABLE t (n INTEGER) ends");
});
