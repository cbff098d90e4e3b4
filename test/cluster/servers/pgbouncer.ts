import { join } from "node:path";
import { dropDirectory, findProgram, freePort, give, saysInLog, serverDirectory, startProcess } from "./process.ts";
import type { PostgresServer } from "./postgres.ts";

const PGBOUNCER = findProgram("pgbouncer");

export const hasPgbouncer = PGBOUNCER !== null;

export interface Pooler extends AsyncDisposable {
  readonly port: number;
  url(database?: string): string;
}

/** A PgBouncer in front of a server: each transaction, or each session, on any connection of few. */
export async function startPgbouncer(
  server: PostgresServer,
  {
    mode = "transaction",
    size = 4,
    settings = [],
  }: { mode?: string; size?: number; settings?: readonly string[] } = {},
): Promise<Pooler> {
  const directory = serverDirectory("pgbouncer");
  const port = freePort();
  const file = join(directory, "pgbouncer.ini");
  const lines = [
    "[databases]",
    `* = host=127.0.0.1 port=${server.port} user=postgres`,
    "[pgbouncer]",
    "listen_addr = 127.0.0.1",
    `listen_port = ${port}`,
    "unix_socket_dir =",
    "auth_type = any",
    `pool_mode = ${mode}`,
    `default_pool_size = ${size}`,
    "max_client_conn = 400",
    ...settings,
  ];
  await Bun.write(file, `${lines.join("\n")}\n`);
  give(file);
  const pooler = startProcess({ command: [PGBOUNCER ?? "", file], cwd: directory });
  await saysInLog(pooler, /process up/);
  return {
    port,
    url: (database = "postgres") => `postgres://postgres@127.0.0.1:${port}/${database}`,
    async [Symbol.asyncDispose]() {
      await pooler.end("SIGKILL");
      dropDirectory(directory);
    },
  };
}
