import { expect, test } from "bun:test";
import { conversationsTable } from "./conversations.ts";
import { filesTable } from "./files.ts";
import { jobsTable } from "./job-table.ts";
import { responsesTable } from "./responses.ts";
import { openSqlite, type SqliteDatabase } from "./sqlite.ts";
import type { Sql } from "./sql.ts";

/** How each statement that is asked goes through the tables, in their order. */
async function plansOf(db: SqliteDatabase, ask: (sql: Sql) => Promise<unknown>): Promise<string[]> {
  const asked: string[] = [];
  const heard: Sql = {
    dialect: db.dialect,
    run: (text, params) => {
      asked.push(text);
      return db.run(text, params);
    },
    atomic: (fn, durability) => db.atomic(fn, durability),
    all: (text, params) => {
      asked.push(text);
      return db.all(text, params);
    },
    get: (text, params) => {
      asked.push(text);
      return db.get(text, params);
    },
  };
  await ask(heard);
  const plans = asked.map((text) => db.all<{ detail: string }>(`EXPLAIN QUERY PLAN ${text}`));
  return (await Promise.all(plans)).map((steps) => steps.map(({ detail }) => detail).join("\n"));
}

test("how many answers wait is asked without a look at all that were ever given", async () => {
  const db = openSqlite(":memory:");
  const plans = await plansOf(db, async (sql) => expect(await responsesTable(sql).queued()).toBe(0));
  expect(plans).toEqual([expect.stringContaining("response_unfinished")]);
  await db.close();
});

test("an item is taken out of its conversation without a look at those of others", async () => {
  const db = openSqlite(":memory:");
  const plans = await plansOf(db, (sql) => conversationsTable(sql).takeOut("ten_a", 1, "msg_1"));
  expect(plans).toEqual([expect.stringContaining("SEARCH i USING INDEX response_item_by_response (response=?)")]);
  await db.close();
});

test("some files of a tenant are found by their ids, whatever else it has", async () => {
  const db = openSqlite(":memory:");
  const plans = await plansOf(db, async (sql) => {
    await filesTable(sql).times("ten_a", ["file-1"]);
    await filesTable(sql).inScope("ten_a", ["file-1"], { keyId: "key_1", storeIds: ["vs_1"] });
  });
  for (const plan of plans) expect(plan).toContain("INDEX sqlite_autoindex_file_1 (id=?)");
  await db.close();
});

test("files without a job are looked for in the stores that have some in progress", async () => {
  const db = openSqlite(":memory:");
  const plans = await plansOf(db, (sql) => jobsTable(sql).filesWithoutJob(10));
  expect(plans).toEqual([
    expect.stringContaining("SEARCH f USING INDEX store_file_by_status (store_id=? AND status=?)"),
  ]);
  await db.close();
});

test("what was said before is found from its Responses, whatever else was said", async () => {
  const db = openSqlite(":memory:");
  const plans = await plansOf(db, async (sql) => {
    const responses = responsesTable(sql);
    await responses.calls("ten_a", 1);
    await responses.lastUserMessage("ten_a", 1);
    await responses.conversation("ten_a", { response: 1 });
    await responses.conversation("ten_a", { conversation: 1, of: null });
    await responses.items("ten_a", 1, "input");
  });
  for (const plan of plans) {
    expect(plan).toContain("SEARCH i USING INDEX response_item_by_response (response=?");
    expect(plan).toContain("SEARCH m USING INDEX response_item_by_id (tenant_id=? AND id=?)");
  }
  expect(plans).toHaveLength(5);
  await db.close();
});

test("what is too old is found beside what belongs to conversations, and work of known kinds by its time", async () => {
  const db = openSqlite(":memory:");
  const [old, due] = await plansOf(db, async (sql) => {
    expect(await responsesTable(sql).trim(1, 10)).toBe(0);
    expect(await jobsTable(sql).nextDueMs(["ingest"])).toBeNull();
  });
  expect(old).toBe("SEARCH response USING INDEX response_alone (created_at<?)");
  expect(due).toStartWith("SCAN job USING INDEX job_by_due");
  expect(due).not.toContain("TEMP B-TREE FOR ORDER BY");
  await db.close();
});
