/** What servers of one database tell one another by rows: two storages over one database, as two servers have them. */
import { beforeAll, describe, expect, test } from "bun:test";
import { hasPostgres } from "../../test/cluster/servers/postgres.ts";
import { lacks } from "../../test/helpers/lacks.ts";
import { tempDir } from "../../test/helpers/temp-dir.ts";
import type { KeptStep } from "./response-steps.ts";
import type { NewResponse, ResponseRow } from "./responses.ts";
import { openPostgres } from "./postgres/open.ts";
import { openRemoteStorage } from "./postgres/storage.ts";
import type { Storage } from "./storage.ts";
import { emptyPostgres, readyPostgres, SERVER_STARTS_MS } from "./testing/kinds.ts";

const TENANT = "ten_a";

interface Two extends AsyncDisposable {
  readonly one: Storage;
  readonly other: Storage;
}

async function two(): Promise<Two> {
  const stack = new AsyncDisposableStack();
  const { address } = stack.use(await emptyPostgres(() => Promise.resolve()));
  const dir = stack.use(tempDir());
  const open = async (name: string) => {
    const db = await openPostgres(address, { connections: 3 });
    stack.defer(() => db.close());
    return stack.use(await openRemoteStorage(db, dir.join(name))).storage;
  };
  return { one: await open("one"), other: await open("other"), [Symbol.asyncDispose]: () => stack.disposeAsync() };
}

const RESPONSE: NewResponse = {
  id: "resp_1",
  tenant_id: TENANT,
  key_id: "key_1",
  parent: null,
  previous_id: null,
  status: "queued",
  background: true,
  created_at: 1,
  completed_at: null,
  request: { ignored: [], include: [], echo: {} },
  question: { text: "q", previous: null },
  outcome: null,
};
const text = (delta: string): KeptStep => ({ type: "text", delta });
const NOTHING = { usage: null, error: null, reason: null, warnings: [] };

async function answering({ one }: Two): Promise<ResponseRow> {
  const row = await one.transaction(({ responses }) => responses.insert(RESPONSE, { input: [], output: [] }));
  await one.responses.start(TENANT, row.id);
  return row;
}

describe.skipIf(lacks("PostgreSQL", hasPostgres))("two servers of one database", () => {
  beforeAll(readyPostgres, SERVER_STARTS_MS);

  test("hold a thing one at a time, until it is freed or its time is over", async () => {
    await using both = await two();
    const { one, other } = both;
    const asked = [one, other, one, other].map(({ held }, i) => held.take(TENANT, "upload", `h${i}`, 60_000));
    const got = await Promise.all(asked);
    expect(got.filter(Boolean)).toHaveLength(1);
    const holder = `h${got.indexOf(true)}`;
    // Whoever has it may have it longer.
    expect(await other.held.take(TENANT, "upload", holder, 60_000)).toBe(true);
    expect([await one.held.isHeld(TENANT, "upload"), await other.held.isHeld("ten_b", "upload")]).toEqual([
      true,
      false,
    ]);
    await one.held.free(TENANT, "upload", "somebody else");
    expect(await other.held.isHeld(TENANT, "upload")).toBe(true);
    await one.held.free(TENANT, "upload", holder);
    expect(await other.held.take(TENANT, "upload", "late", -1)).toBe(true);
    // Over already.
    expect(await one.held.isHeld(TENANT, "upload")).toBe(false);
    expect(await one.held.take(TENANT, "upload", "next", 60_000)).toBe(true);
  });

  test("take a code once, whichever it is brought to, and know the key that came of it", async () => {
    await using both = await two();
    const { one, other } = both;
    await one.consolePasses.add(TENANT, { hash: "c0de", kind: "code", ms: 60_000 }, 64);
    await one.consolePasses.add(TENANT, { hash: "01d", kind: "code", ms: -1 }, 64);
    const taken = await Promise.all(
      [one, other, one, other].map(({ consolePasses }) => consolePasses.take(TENANT, "c0de")),
    );
    expect(taken.filter(Boolean)).toHaveLength(1);
    expect(await other.consolePasses.take(TENANT, "01d")).toBe(false);
    await other.consolePasses.add(TENANT, { hash: "5e55", kind: "session", ms: 60_000 }, 2);
    expect([await one.consolePasses.isSession(TENANT, "5e55"), await one.consolePasses.take(TENANT, "5e55")]).toEqual([
      true,
      false,
    ]);
    // Of too many those that end first are forgotten.
    for (const [i, hash] of ["a1", "a2"].entries())
      await one.consolePasses.add(TENANT, { hash, kind: "session", ms: 70_000 + i }, 2);
    const known = await Promise.all(["5e55", "a1", "a2"].map((hash) => other.consolePasses.isSession(TENANT, hash)));
    expect(known).toEqual([false, true, true]);
  });

  test("know where a page of the other ended", async () => {
    await using both = await two();
    const { one, other } = both;
    await one.listPlaces.note(TENANT, [
      { name: " file-1", seq: 7 },
      { name: " file-2", seq: 9 },
    ]);
    await other.listPlaces.note(TENANT, [{ name: " file-2", seq: 10 }]);
    expect(await other.listPlaces.find(TENANT, " file-1")).toBe(7);
    expect(await one.listPlaces.find(TENANT, " file-2")).toBe(10);
    expect(await one.listPlaces.find("ten_b", " file-2")).toBeUndefined();
    expect([await one.listPlaces.trim(60, 10), await one.listPlaces.trim(-60, 10)]).toEqual([0, 2]);
    expect(await other.listPlaces.find(TENANT, " file-1")).toBeUndefined();
  });

  test("an answer that one writes is read at the other, from any step on, and is gone when it ends", async () => {
    await using both = await two();
    const { one, other } = both;
    const row = await answering(both);
    expect(await one.responseSteps.begin(row, "w1")).toBe(true);
    const steps: KeptStep[] = [{ type: "message", id: "msg_1" }, text("a"), text("b"), text("c")];
    expect(await one.responseSteps.add(row, "w1", 0, steps.slice(0, 2))).toBe(true);
    expect(await one.responseSteps.add(row, "w1", 2, steps.slice(2))).toBe(true);
    for (let from = 0; from <= 4; from++) expect(await other.responseSteps.from(row, from)).toEqual(steps.slice(from));
    const end = { status: "completed" as const, at: 2, outcome: NOTHING, output: [] };
    await other.transaction(({ responses }) => responses.end(TENANT, row.id, end));
    expect(await one.responseSteps.from(row, 0)).toEqual([]);
    // Who writes it learns that it has ended.
    expect(await one.responseSteps.add(row, "w1", 4, [text("d")])).toBe(false);
  });

  test("who is followed by another attempt writes no more, and nothing begins anew that was seen", async () => {
    await using both = await two();
    const { one, other } = both;
    const row = await answering(both);
    await one.responseSteps.begin(row, "w1");
    await one.responseSteps.add(row, "w1", 0, [text("old")]);
    expect(await other.responseSteps.begin(row, "w2")).toBe(true);
    expect(await one.responseSteps.add(row, "w1", 1, [text("older")])).toBe(false);
    expect(await other.responseSteps.from(row, 0)).toEqual([]);
    await other.responseSteps.add(row, "w2", 0, [text("new")]);
    await one.responses.markShown(TENANT, row.id);
    expect(await one.responseSteps.begin(row, "w3")).toBe(false);
  });

  test("who ends an answer that the other writes has all that was written before", async () => {
    await using both = await two();
    const { one, other } = both;
    const row = await answering(both);
    await one.responseSteps.begin(row, "w1");
    const writing = (async () => {
      let n = 0;
      while (await one.responseSteps.add(row, "w1", n, [text(String(n))])) n += 1;
      return n;
    })();
    let seen: KeptStep[] = [];
    while (seen.length < 3) seen = await other.responseSteps.from(row, 0);
    const closed = await other.transaction(async ({ responses, responseSteps }) => {
      const all = await responseSteps.closed(row);
      const end = { status: "cancelled" as const, at: 2, outcome: NOTHING, output: [] };
      expect(await responses.end(TENANT, row.id, end)).toBe(true);
      return all;
    });
    expect(closed).toHaveLength(await writing);
    expect(closed.length).toBeGreaterThanOrEqual(seen.length);
  });

  test("add to the statistics of the same hour", async () => {
    await using both = await two();
    const { one, other } = both;
    const hour = { tenantId: TENANT, storeId: "vs_1", hour: 9, queries: 2, empty: 1 };
    await Promise.all(
      Array.from({ length: 20 }, (_, i) =>
        (i % 2 === 0 ? one : other).transaction(({ statistics }) =>
          statistics.addQueries({ ...hour, latency: { "1": 1, [String(i % 2)]: 5 } }),
        ),
      ),
    );
    expect(await one.statistics.queryHours(TENANT, "vs_1", 0)).toEqual([
      { hour: 9, queries: 40, empty: 20, latency: { "0": 50, "1": 60 } },
    ]);
  });

  test("tell how far the files are that they index, where they still do", async () => {
    await using both = await two();
    const { one, other } = both;
    for (const subject of ["7", "8"])
      await one.jobs.insert({ tenantId: TENANT, kind: "ingest", storeId: "vs_1", subject, priority: 0, dueMs: 0 });
    await one.jobs.claim("ingest", TENANT, 1, "first", 60_000);
    await other.jobs.claim("ingest", TENANT, 1, "second", 60_000);
    const progress = { stage: "embed" as const, done: 3, total: 9, pace: 0.5 };
    const told = [7, 8].map((storeFile) => ({ storeFile, storeId: "vs_1", progress }));
    // Only of its own.
    await one.jobs.tellProgress("first", told);
    expect(await other.jobs.toldProgress("second")).toEqual([{ ...told[0]!, owner: "first" }]);
    expect(await one.jobs.toldProgress("first")).toEqual([]);
  });
});
