/** What servers of one database have of something deleted, asked of one another. */
import { existsSync } from "node:fs";
import { beforeAll, describe, expect, test } from "bun:test";
import { hasPostgres } from "../../test/cluster/servers/postgres.ts";
import { lacks } from "../../test/helpers/lacks.ts";
import { tempDir } from "../../test/helpers/temp-dir.ts";
import { waitFor } from "../../test/helpers/wait.ts";
import { type ChangeBus, createChanges } from "../platform/changes.ts";
import { silentLog } from "../platform/log.ts";
import type { DeletionRow } from "../storage/deletions.ts";
import { createParsedCache } from "../storage/parsed.ts";
import { openPostgres } from "../storage/postgres/open.ts";
import { openRemoteStorage } from "../storage/postgres/storage.ts";
import { deleteFile, deleteStore } from "../storage/removal.ts";
import type { Storage } from "../storage/storage.ts";
import { emptyPostgres, readyPostgres, SERVER_STARTS_MS } from "../storage/testing/kinds.ts";
import { insertGeneration, insertStore, insertStoreFile } from "../storage/testing/rows.ts";
import { CachesElsewhere } from "./caches-elsewhere.ts";

const T = "ten_1";
const STORE = "vs_1";
const SHA = "ab".repeat(32);
const SUBJECT = { tenantId: T, sha256: SHA, filename: "file.txt" };

/** What each tells arrives at all others. */
class Wire {
  readonly #ends = new Map<string, (key: string) => void>();

  end(name: string): ChangeBus {
    return {
      isHeard: true,
      tell: (key) => {
        for (const [other, hear] of this.#ends) if (other !== name) queueMicrotask(() => hear(key));
      },
      listen: (hear) => void this.#ends.set(name, hear),
    };
  }
}

/** Servers of one database, each with a memory and a disk of its own; all are there but those that are named. */
async function servers(names: readonly string[], away: readonly string[] = []) {
  const stack = new AsyncDisposableStack();
  const { address } = stack.use(await emptyPostgres(() => Promise.resolve()));
  const dir = stack.use(tempDir());
  const wire = new Wire();
  const open = async (name: string) => {
    const db = await openPostgres(address, { connections: 3 });
    stack.defer(() => db.close());
    const { storage } = stack.use(await openRemoteStorage(db, dir.join(name, "index.sqlite")));
    const seen = away.includes(name) ? 3_600_000 : 0;
    await db.run(
      `INSERT INTO replica (id, place, name, version, models, started_at, seen_ms, term_ms, clock_ms)
       VALUES (?1, ?1, ?2, '1', '[]', 1, lectern_now_ms() - CAST(?3 AS BIGINT), 600000, 0)`,
      [name, `server ${name}`, seen],
    );
    const parsed = createParsedCache(dir.join(name));
    const inMemory = new Set<string>();
    const warned: string[] = [];
    const done: string[] = [];
    const caches = new CachesElsewhere({
      storage,
      parsed,
      changes: createChanges(wire.end(name)),
      replica: { id: name, everyMs: 600_000 },
      log: { ...silentLog, warn: (message) => void warned.push(message) },
      inMemory: (store, file) => {
        if (inMemory.has("broken")) throw new Error("broken");
        return inMemory.has(file === null ? store : `${store}/${file}`);
      },
      imaged: () => false,
      onDisk: () => false,
      forgetStore: async (store) => void done.push(`forget ${store}`),
      forgetCopy: (store, file) => void done.push(`forget ${store}/${file}`),
    });
    return { storage, parsed, inMemory, warned, done, caches, write: () => Bun.write(parsed.path(SUBJECT), "parsed") };
  };
  const all = [];
  for (const name of names) all.push(await open(name));
  return { all, [Symbol.asyncDispose]: () => stack.disposeAsync() };
}

/** A store with a file that is deleted at once, and the number of the file in the store. */
async function deleted(storage: Storage): Promise<{ row: DeletionRow; file: number }> {
  await storage.tenants.insert({ id: T, name: "a", createdAt: 1 });
  await insertStore(storage, { id: STORE, tenantId: T });
  await insertGeneration(storage, { tenantId: T, storeId: STORE });
  await storage.files.insert({
    id: "file-1",
    tenant_id: T,
    filename: "a.txt",
    bytes: 1,
    purpose: "assistants",
    mime: "text/plain",
    sha256: SHA,
    created_at: 1,
    expires_at: null,
  });
  const { seq } = await insertStoreFile(storage, { tenantId: T, storeId: STORE, fileId: "file-1" });
  await storage.transaction((tables) => deleteFile(tables, T, "file-1", 5));
  return { row: await newest(storage), file: seq };
}

async function newest(storage: Storage): Promise<DeletionRow> {
  const [row] = (await storage.deletions.list(T, { limit: 1, order: "desc" })).rows;
  if (row === undefined) throw new Error("nothing is deleted");
  return row;
}

describe.skipIf(lacks("PostgreSQL", hasPostgres))("what is left of a deletion at other servers", () => {
  beforeAll(readyPostgres, SERVER_STARTS_MS);

  test("is counted by them, and removed first where the deletion is being ended", async () => {
    await using here = await servers(["a", "b", "c"], ["c"]);
    const [a, b] = here.all;
    if (a === undefined || b === undefined) throw new Error("no servers");
    const { row, file } = await deleted(a.storage);
    await using asker = a.caches;
    await using asked = b.caches;
    asker.start();
    asked.start();
    const empty = { entries: 0, silent: [], waited: 12, away: ["server c"] };
    expect(await asker.ask(row, false)).toEqual(empty);
    b.inMemory.add(`${STORE}/${file}`);
    await b.write();
    expect(await asker.ask(row, false)).toEqual({ ...empty, entries: 2 });
    expect([existsSync(b.parsed.path(SUBJECT)), a.done, b.done]).toEqual([true, [], []]);
    b.inMemory.clear();
    expect(await asker.ask(row, true)).toEqual(empty);
    const forgotten = [`forget ${STORE}/${file}`];
    expect([existsSync(b.parsed.path(SUBJECT)), a.done, b.done]).toEqual([false, forgotten, forgotten]);
    expect((await newest(a.storage)).cache_entries).toBe(1);
    // Nothing of the questions stays.
    expect(await a.storage.asks.askedOf("look", "b")).toEqual([]);
  });

  test("of a store goes from their memory and disk", async () => {
    await using here = await servers(["a", "b"]);
    const [a, b] = here.all;
    if (a === undefined || b === undefined) throw new Error("no servers");
    await deleted(a.storage);
    await a.storage.transaction((tables) => deleteStore(tables, T, STORE, 5000));
    await using asker = a.caches;
    await using asked = b.caches;
    asked.start();
    b.inMemory.add(STORE);
    const row = await newest(a.storage);
    expect(await asker.ask(row, true)).toMatchObject({ entries: 1, silent: [] });
    expect(b.done).toEqual([`forget ${STORE}`]);
  });

  test("is not known where one cannot say it, and whoever stops waits for no answer", async () => {
    await using here = await servers(["a", "b"]);
    const [a, b] = here.all;
    if (a === undefined || b === undefined) throw new Error("no servers");
    const { row } = await deleted(a.storage);
    await using asked = b.caches;
    b.inMemory.add("broken");
    asked.start();
    const answer = a.caches.ask(row, false);
    await waitFor("it has failed", () => b.warned.length > 0 || undefined);
    await a.caches[Symbol.asyncDispose]();
    expect(await answer).toEqual({ entries: 0, silent: ["server b"], waited: 12, away: [] });
    // As often as it was asked.
    expect(new Set(b.warned)).toEqual(new Set(["what is left of a deletion here was not found out"]));
  });

  test("goes from the disk of one that was away when it is back", async () => {
    await using here = await servers(["a"]);
    const [a] = here.all;
    if (a === undefined) throw new Error("no server");
    await deleted(a.storage);
    await a.write();
    await using back = a.caches;
    back.start();
    await waitFor("it is gone", () => !existsSync(a.parsed.path(SUBJECT)) || undefined);
  });

  test("a question that no server of this version asks is left alone", async () => {
    await using here = await servers(["a", "b"]);
    const [a, b] = here.all;
    if (a === undefined || b === undefined) throw new Error("no servers");
    const { row } = await deleted(a.storage);
    const strange = { kind: "look", tenantId: T, subject: "x" } as const;
    const unknown = { kind: "look", tenantId: T, subject: "y" } as const;
    await a.storage.asks.ask(strange, ["b"], `forget ${row.id}`, 60_000);
    await a.storage.asks.ask(unknown, ["b"], "end del_unknown", 60_000);
    await using asker = a.caches;
    await using asked = b.caches;
    asked.start();
    expect((await asker.ask(row, false)).silent).toEqual([]);
    expect([b.done, b.warned]).toEqual([[], []]);
    const nothing = new Map([["b", null]]);
    for (const about of [strange, unknown]) expect(await a.storage.asks.said(about)).toEqual(nothing);
  });
});
