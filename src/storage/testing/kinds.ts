/** The databases that storage stands on: what is tested on one is tested on each that this machine has. */
import { beforeAll, describe } from "bun:test";
import { join } from "node:path";
import { hasPostgres, testDatabase } from "../../../test/cluster/servers/postgres.ts";
import { lacks } from "../../../test/helpers/lacks.ts";
import { tempDir } from "../../../test/helpers/temp-dir.ts";
import { migratePostgres } from "../migrations/postgres/runner.ts";
import { openPostgres } from "../postgres/open.ts";
import { openRemoteStorage } from "../postgres/storage.ts";
import { openSqlite } from "../sqlite.ts";
import type { Database } from "../sql.ts";
import { createStorage, type Storage } from "../storage.ts";

/** An empty database of the newest schema, of one test. */
export interface TestStorage extends AsyncDisposable {
  readonly db: Database;
  readonly storage: Storage;
}

export interface DatabaseKind {
  readonly name: "SQLite" | "PostgreSQL";
  open(): Promise<TestStorage>;
}

export const SQLITE: DatabaseKind = {
  name: "SQLite",
  async open() {
    const temp = tempDir();
    const db = openSqlite(join(temp.path, "meta.sqlite"), { flush: false });
    return {
      db,
      storage: createStorage(db),
      async [Symbol.asyncDispose]() {
        await db.close();
        temp[Symbol.dispose]();
      },
    };
  },
};

/** Addresses of databases that nobody uses: to empty one takes a hundredth of the time that it takes to make one. */
const free: string[] = [];

export const POSTGRES: DatabaseKind = {
  name: "PostgreSQL",
  async open() {
    const temp = tempDir();
    const address = free.pop() ?? (await makeDatabase());
    const db = await openPostgres(address, { connections: 4 });
    const remote = await openRemoteStorage(db, join(temp.path, "cache", "index.sqlite"));
    return {
      db,
      storage: remote.storage,
      async [Symbol.asyncDispose]() {
        remote[Symbol.dispose]();
        await db.run(EMPTY);
        await db.close();
        free.push(address);
        temp[Symbol.dispose]();
      },
    };
  },
};

/** A server is made and started for the first database, which on a busy machine takes longer than a test may. */
export const SERVER_STARTS_MS = 120_000;

/** For `beforeAll`. */
export async function readyPostgres(): Promise<void> {
  if (free.length === 0) free.push(await makeDatabase());
}

/** A database that holds what `fill` puts into it, for a server of a test; given back when it is let go of. */
export async function emptyPostgres(
  fill: (storage: Storage) => Promise<void>,
): Promise<{ readonly address: string } & AsyncDisposable> {
  const address = free.pop() ?? (await makeDatabase());
  const temp = tempDir();
  const db = await openPostgres(address, { connections: 1 });
  const remote = await openRemoteStorage(db, join(temp.path, "index.sqlite"));
  await fill(remote.storage);
  remote[Symbol.dispose]();
  await db.close();
  temp[Symbol.dispose]();
  return {
    address,
    async [Symbol.asyncDispose]() {
      const again = await openPostgres(address, { connections: 1 });
      await again.run(EMPTY);
      await again.close();
      free.push(address);
    },
  };
}

async function makeDatabase(): Promise<string> {
  const address = await testDatabase();
  const db = await openPostgres(address, { connections: 1 });
  await migratePostgres(db);
  await db.close();
  return address;
}

/** As the migrations leave it; numbers begin anew. */
const EMPTY = /*sql*/ `DO $$
DECLARE own RECORD;
BEGIN
  DROP TABLE IF EXISTS thing;
  FOR own IN SELECT tablename AS name FROM pg_tables WHERE schemaname = 'public'
      AND tablename NOT IN ('schema_version', 'shown_id', 'query_log_size') LOOP
    EXECUTE format('DELETE FROM %I', own.name);
  END LOOP;
  FOR own IN SELECT sequencename AS name FROM pg_sequences WHERE schemaname = 'public' AND last_value IS NOT NULL LOOP
    PERFORM setval(own.name::regclass, 1, false);
  END LOOP;
  DELETE FROM embedding_cache_size;
  UPDATE query_log_size SET bytes = 0;
  UPDATE shown_id SET secret = sha256(uuid_send(gen_random_uuid()));
END $$`;

/** The same tests over each kind of database. */
export function onEachDatabase(tests: (kind: DatabaseKind) => void): void {
  describe("on SQLite", () => tests(SQLITE));
  describe.skipIf(lacks("PostgreSQL", hasPostgres))("on PostgreSQL", () => {
    beforeAll(readyPostgres, SERVER_STARTS_MS);
    tests(POSTGRES);
  });
}
