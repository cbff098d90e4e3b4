import { expect, test } from "bun:test";
import type { Sql } from "./sql.ts";
import { SQLITE } from "./testing/kinds.ts";
import { untilCommit } from "./until-commit.ts";

const NAME = /*sql*/ `SELECT name FROM tenant WHERE id = ?1`;

/** A read of a tenant's name that counts how often the database was asked. */
function counted(sql: Sql) {
  const seen = { asked: 0 };
  const read = untilCommit(sql, (id: string) => {
    seen.asked++;
    return sql.get<{ name: string }>(NAME, [id]);
  });
  return { seen, read };
}

async function opened() {
  const database = await SQLITE.open();
  await database.storage.tenants.insert({ id: "ten_a", name: "A", createdAt: 1 });
  return database;
}

test("the database is asked once until something is committed, whatever it is", async () => {
  await using f = await opened();
  const { seen, read } = counted(f.db);
  expect([(await read("ten_a"))?.name, (await read("ten_a"))?.name]).toEqual(["A", "A"]);
  expect(seen.asked).toBe(1);
  await f.storage.tenants.update("ten_a", { name: "B" });
  expect((await read("ten_a"))?.name).toBe("B");
  await f.storage.transaction(({ tenants }) => tenants.update("ten_a", { name: "C" }));
  expect((await read("ten_a"))?.name).toBe("C");
  expect(seen.asked).toBe(3);
});

test("what a transaction has not committed is not seen, and counts from its commit on", async () => {
  await using f = await opened();
  const { read } = counted(f.db);
  const half = Promise.withResolvers<void>();
  const done = f.storage.transaction(async ({ tenants }, tx) => {
    await tenants.update("ten_a", { name: "B" });
    half.resolve();
    await tx.nextTurn();
  });
  await half.promise;
  expect((await read("ten_a"))?.name).toBe("A");
  await done;
  expect((await read("ten_a"))?.name).toBe("B");
});

test("inside a transaction its own writes are read", async () => {
  await using f = await opened();
  expect((await f.storage.tenants.get("ten_a"))?.name).toBe("A");
  await f.storage.transaction(async ({ tenants }) => {
    await tenants.update("ten_a", { name: "B" });
    expect((await tenants.get("ten_a"))?.name).toBe("B");
  });
});

test("what is not there is asked for again, and rows are not to be changed", async () => {
  await using f = await opened();
  const { seen, read } = counted(f.db);
  expect([await read("ten_b"), await read("ten_b")]).toEqual([null, null]);
  expect(seen.asked).toBe(2);
  const row = await read("ten_a");
  expect(() => Object.assign(row ?? {}, { name: "else" })).toThrow(TypeError);
});

test("a commit between a read and its answer is not lost", async () => {
  let commits = 0;
  let name = "A";
  const sql: Pick<Sql, "commits"> = { commits: () => commits };
  const read = untilCommit(sql as Sql, async () => {
    const row = { name };
    if (name === "A") {
      name = "B";
      commits++;
    }
    return await Promise.resolve(row);
  });
  expect((await read())?.name).toBe("A");
  expect((await read())?.name).toBe("B");
});

test("a database that others write to is asked each time", async () => {
  let asked = 0;
  const sql: Pick<Sql, "commits"> = {};
  const read = untilCommit(sql as Sql, async () => ({ n: ++asked }));
  expect([(await read())?.n, (await read())?.n]).toEqual([1, 2]);
});
