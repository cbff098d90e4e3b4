import { appendFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { SQL } from "bun";
import type { Namespace } from "./namespace.ts";
import {
  childrenOf,
  dropDirectory,
  dropWhenGone,
  findProgram,
  freePort,
  runCommand,
  saysInLog,
  serverDirectory,
  type ServerProcess,
  startProcess,
} from "./process.ts";

/** Debian's versions, the newest first. */
const PLACES = versions().map((version) => `/usr/lib/postgresql/${version}/bin`);

function versions(): string[] {
  try {
    return readdirSync("/usr/lib/postgresql").toSorted((a, b) => Number(b) - Number(a));
  } catch {
    return [];
  }
}

export const POSTGRES = findProgram("postgres", ...PLACES);
const INITDB = findProgram("initdb", ...PLACES);

/** Whether the tests can start a PostgreSQL. */
export const hasPostgres = POSTGRES !== null && INITDB !== null && Bun.which("setpriv") !== null;

export interface PostgresServer extends AsyncDisposable {
  readonly port: number;
  readonly directory: string;
  /** Of the superuser `postgres`, who needs no password. */
  url(database?: string): string;
  /** A new database in UTF-8, with nothing in it; `with`: what follows CREATE DATABASE. */
  createDatabase(name: string, how?: string): Promise<string>;
  /** As the superuser, on a connection of its own. */
  query(text: string, database?: string): Promise<Record<string, unknown>[]>;
  /** `immediate`: all of it dies at once, as in a crash. */
  stop(mode: "fast" | "immediate"): Promise<void>;
  /** After a stop. */
  start(): Promise<void>;
  /** Freezes every process of it: connections stand, and nothing answers. */
  freeze(): void;
  thaw(): void;
  log(): string;
}

export interface PostgresChoice {
  /** Lines of postgresql.conf. */
  settings?: Readonly<Record<string, string | number>>;
  /** Lines of pg_hba.conf before the one that trusts everybody. */
  access?: readonly string[];
  /** Where its files lie. A new directory without. */
  directory?: string;
  /** The folder of its programs; Debian's without. */
  programs?: string;
  /** The network in which it listens, beside its own loopback. */
  within?: Pick<Namespace, "prefix" | "address">;
}

/** Makes a server and waits until it takes connections. */
export async function startPostgres(choice: PostgresChoice = {}): Promise<PostgresServer> {
  const { settings = {}, access = [], directory, within, programs } = choice;
  const initdb = programs === undefined ? (INITDB ?? "") : join(programs, "initdb");
  const postgres = programs === undefined ? (POSTGRES ?? "") : join(programs, "postgres");
  const home = directory ?? serverDirectory("postgres");
  const data = join(home, "data");
  const locale = ["--encoding=UTF8", "--locale=C.UTF-8"];
  await runCommand([initdb, "-D", data, "-U", "postgres", "--auth=trust", "--no-sync", ...locale], home);
  const port = freePort();
  const lines: Record<string, string | number> = {
    listen_addresses: within?.address ?? "127.0.0.1",
    port,
    unix_socket_directories: "",
    shared_buffers: "32MB",
    max_wal_size: "256MB",
    max_connections: 100,
    timezone: "UTC",
    ...settings,
  };
  const written = Object.entries(lines).map(([name, value]) => `${name} = '${value}'\n`);
  appendFileSync(join(data, "postgresql.conf"), written.join(""));
  // Nobody else's machine leads here.
  await Bun.write(join(data, "pg_hba.conf"), [...access, "host all all all trust", ""].join("\n"));
  const server = new Server(home, { data, postgres }, port, within);
  await server.start();
  return server;
}

class Server implements PostgresServer {
  readonly port: number;
  readonly directory: string;
  readonly #data: string;
  readonly #postgres: string;
  readonly #within: PostgresChoice["within"];
  #process: ServerProcess | null = null;
  #frozen: number[] = [];

  constructor(
    directory: string,
    { data, postgres }: { data: string; postgres: string },
    port: number,
    within: PostgresChoice["within"],
  ) {
    this.#within = within;
    this.directory = directory;
    this.#data = data;
    this.#postgres = postgres;
    this.port = port;
  }

  url(database = "postgres"): string {
    return `postgres://postgres@${this.#within?.address ?? "127.0.0.1"}:${this.port}/${database}`;
  }

  async createDatabase(name: string, how = ""): Promise<string> {
    await this.query(`CREATE DATABASE ${name} ${how}`);
    return this.url(name);
  }

  async query(text: string, database?: string): Promise<Record<string, unknown>[]> {
    const sql = new SQL(this.url(database), { max: 1, bigint: true });
    try {
      return await sql.unsafe(text);
    } finally {
      await sql.close({ timeout: 0 });
    }
  }

  async start(): Promise<void> {
    this.#process = startProcess({
      command: [this.#postgres, "-D", this.#data],
      prefix: this.#within?.prefix,
      cwd: this.directory,
      lastSignal: "QUIT",
    });
    await saysInLog(this.#process, /database system is ready to accept (?:read-only )?connections/);
  }

  async stop(mode: "fast" | "immediate"): Promise<void> {
    this.thaw();
    await this.#process?.end(mode === "fast" ? "SIGINT" : "SIGQUIT");
  }

  freeze(): void {
    const pid = this.#process?.pid;
    if (pid === undefined) return;
    process.kill(pid, "SIGSTOP");
    this.#frozen = [pid, ...childrenOf(pid)];
    for (const child of this.#frozen.slice(1)) signal(child, "SIGSTOP");
  }

  thaw(): void {
    for (const pid of this.#frozen.splice(0).toReversed()) signal(pid, "SIGCONT");
  }

  log(): string {
    return this.#process?.log() ?? "";
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop("immediate");
    dropDirectory(this.directory);
  }
}

function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch {
    // It has ended meanwhile.
  }
}

/** That the first database of a process may take, on a busy machine. */
export const STARTING_MS = 60_000;

/** Who, once made, needs a password in the shared server. */
export const GUARDED = "guarded";

let shared: Promise<PostgresServer> | null = null;
let databases = 0;

/**
 * An empty database for a test, in a server that the tests of this process share and that ends with it. Its address.
 */
export async function testDatabase(how?: string): Promise<string> {
  // Nothing in these tests is about power cuts.
  const settings = { fsync: "off", max_connections: 200 };
  shared ??= startPostgres({ settings, access: [`host all ${GUARDED} 127.0.0.1/32 scram-sha-256`] }).then((server) => {
    dropWhenGone(server.directory);
    return server;
  });
  const server = await shared;
  return await server.createDatabase(`test_${process.pid}_${++databases}`, how);
}
