import { beforeAll, describe, expect, test } from "bun:test";
import { SQL } from "bun";
import { hasPostgres, STARTING_MS, testDatabase } from "../../../test/cluster/servers/postgres.ts";
import { lacks } from "../../../test/helpers/lacks.ts";
import { waitFor } from "../../../test/helpers/wait.ts";
import { messageOf } from "../../errors.ts";
import { StartError } from "../../platform/data-dir.ts";
import { parseAddress } from "./address.ts";
import { type Hold, holdDatabase } from "./hold.ts";
import { openPostgres } from "./open.ts";

const TERM_MS = 3000;

describe.skipIf(lacks("postgres", hasPostgres))("the hold on a database", () => {
  beforeAll(() => testDatabase(), STARTING_MS);

  const lost: string[] = [];
  const take = (address: string, isPooled = false): Promise<Hold> =>
    holdDatabase({ ...parseAddress(address), isPooled, term: TERM_MS, onLost: (sentence) => lost.push(sentence) });
  const refusal = async (address: string, isPooled = false) => {
    try {
      await (await take(address, isPooled)).release();
      return "none";
    } catch (error) {
      expect(error).toBeInstanceOf(StartError);
      return messageOf(error);
    }
  };

  test.each([
    ["by a session", false, false],
    ["by its term alone", true, true],
    ["by its term, then by a session", true, false],
    ["by a session, then by its term", false, true],
  ])("is one at a time, and goes on to the next at once: %s", async (_, first, second) => {
    const address = await testDatabase();
    const held = await take(address, first);
    expect(held.doubt).toBeNull();
    const said = await refusal(address, second);
    expect(said).toContain(
      `is in use by a Lectern on ${(await import("node:os")).hostname()} (process ${process.pid})`,
    );
    expect(said).toContain("one Lectern at a time can have a database");
    expect(held.doubt).toBeNull();
    await held.release();
    expect(await refusal(address, second)).toBe("none");
  });

  test("of a process that was killed is free at once with its session, and after its term without one", async () => {
    const address = await testDatabase();
    await using sql = new SQL(address, { max: 1 });
    await refusal(address);
    const left = (
      hasSession: boolean,
      seconds: number,
    ) => sql`UPDATE lectern_holder SET token = 'killed', name = 'elsewhere',
      has_session = ${hasSession}, held_until = clock_timestamp() + ${seconds}::integer * interval '1 s'`;
    // Longer than anybody waits.
    await left(true, 60);
    expect(await refusal(address)).toBe("none");
    await left(false, 1);
    const again = performance.now();
    expect(await refusal(address, true)).toBe("none");
    expect(performance.now() - again).toBeGreaterThan(900);
  });

  test("that lost its connection is in doubt until it has it again, and stays the same", async () => {
    const address = await testDatabase();
    await using sql = new SQL(address, { max: 1 });
    const held = await take(address);
    const epoch = async () => (await sql`SELECT epoch::int FROM lectern_holder`)[0].epoch as number;
    const before = await epoch();
    await sql`SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`;
    await waitFor("doubt", () => (held.doubt === null ? undefined : true));
    await waitFor("no doubt", () => (held.doubt === null ? true : undefined));
    expect(await epoch()).toBe(before);
    expect(await refusal(address)).toContain("is in use by");
    await held.release();
    expect(lost).toEqual([]);
  });

  test.each([
    ["sessions", false],
    ["terms", true],
  ])("that somebody else has taken meanwhile is lost, with a sentence: %s", async (_, isPooled) => {
    const address = await testDatabase();
    await using sql = new SQL(address, { max: 1 });
    const held = await take(address, isPooled);
    await sql`UPDATE lectern_holder SET token = 'other', name = 'other (process 1)', epoch = epoch + 1`;
    const [sentence] = await waitFor("the loss", () => (lost.length > 0 ? lost.splice(0) : undefined));
    expect(sentence).toContain("a Lectern on other (process 1) has taken the database");
    expect(sentence).toContain("so this one ends");
    expect(held.doubt).toContain("has taken the database");
    await held.release();
    expect([...(await sql`SELECT token FROM lectern_holder`)]).toEqual([{ token: "other" }]);
  });

  test("two that start at the same time: one of them has it", async () => {
    const address = await testDatabase();
    const both = await Promise.allSettled(Array.from({ length: 4 }, () => take(address)));
    expect(both.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
    for (const each of both) if (each.status === "fulfilled") await each.value.release();
  });

  test("a database that is held sends nothing once it is not", async () => {
    const address = await testDatabase();
    const taken: string[] = [];
    const db = await openPostgres(address, { timeout: 4000, onTaken: (sentence) => taken.push(sentence) });
    expect(await db.get("SELECT 1 AS one")).toEqual({ one: 1 });
    expect(db.away).toBeNull();
    await db.run("UPDATE lectern_holder SET token = 'other', name = 'other (process 1)'");
    await waitFor("the loss", () => (taken.length > 0 ? true : undefined));
    expect(await db.get("SELECT 1 AS one").catch(messageOf)).toContain("not available just now");
    expect(db.away).toContain("has taken the database");
    await db.close();
  });
});
