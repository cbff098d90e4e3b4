import { SQL } from "bun";
import { sharedOptions } from "../../helpers/pair.ts";
import { startOne, type StartOptions, type TestServer } from "../../helpers/server.ts";
import { tempDir } from "../../helpers/temp-dir.ts";

/** Several Lecterns over one database and one place of uploaded bytes, each with a data directory of its own. */
export interface Replicas extends AsyncDisposable {
  readonly servers: TestServer[];
  /** Starts the n-th in its directory: again, where it has ended. */
  start(n: number, more?: StartMore): Promise<TestServer>;
  /** As the database's owner. */
  rows<Row>(text: string): Promise<Row[]>;
  /** Rows of what follows FROM. */
  count(of: string): Promise<number>;
  /** What a server is called in leases. */
  idOf(server: TestServer): Promise<string>;
}

export interface StartMore {
  /** Another way to the same database. */
  address?: string;
  /** How `lectern` is called. */
  command?: readonly string[];
  args?: readonly string[];
}

/** ms that a server is waited for which is not seen: longer than a busy machine leaves one without its turn. */
export const TERM_MS = 5000;

export interface ReplicaOptions {
  args?: readonly string[];
  env?: StartOptions["env"];
  /** Puts into each data directory what is to be there before the server starts. */
  prepare?: (dataDir: string) => Promise<void>;
}

export async function startReplicas(
  address: string,
  count: number,
  { args = [], env, prepare }: ReplicaOptions = {},
): Promise<Replicas> {
  const dir = tempDir();
  const blobs = dir.join("blobs");
  const sql = new SQL(address, { max: 1, bigint: true });
  const servers: TestServer[] = [];
  const start = async (n: number, { address: way = address, args: more = [], ...how }: StartMore = {}) => {
    const own = [...sharedOptions(way, blobs), "--test-replica-term", String(TERM_MS)];
    const server = await startOne({
      dataDir: dir.join(`data-${n}`),
      args: [...own, ...args, ...more],
      ...(env && { env }),
      ...how,
    });
    servers[n] = server;
    return server;
  };
  for (let n = 0; n < count; n++) {
    await prepare?.(dir.join(`data-${n}`));
    await start(n);
  }
  const rows = async <Row>(text: string) => [...((await sql.unsafe(text)) as Row[])];
  return {
    servers,
    start,
    rows,
    count: async (of) => (await rows<{ n: number }>(`SELECT count(*)::int AS n FROM ${of}`))[0]?.n ?? 0,
    idOf: async ({ pid }) =>
      (await rows<{ id: string }>(`SELECT id FROM replica WHERE name LIKE '%(process ${pid})'`))[0]?.id ?? "",
    async [Symbol.asyncDispose]() {
      for (const server of servers) await server[Symbol.asyncDispose]();
      await sql.close({ timeout: 0 });
      dir[Symbol.dispose]();
    },
  };
}
