/**
 * How a verb finds its server, in this order:
 *  1. `--url` / LECTERN_URL with `--key` / `--key-file` / LECTERN_API_KEY;
 *  2. `<data>/cli.json`, which a running server leaves readable for its own user only, and which is believed where it and
 *     its directory are this user's alone;
 *  3. when nobody holds the data directory, a server of its own inside this process, on a free port, for as long as the
 *     verb runs.
 */
import { existsSync, lstatSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { type Static, Type } from "@sinclair/typebox";
import { Value } from "@sinclair/typebox/value";
import { readConfig } from "../config/config.ts";
import type { Config } from "../config/config.ts";
import { dataPathOf, strangerTo } from "../platform/data-place.ts";
import { readKeyFile } from "../platform/key-file.ts";
import { isAlive } from "../platform/process-alive.ts";
import type { Arguments, Flags } from "./arguments.ts";
import { createClient } from "./client.ts";
import type { Client } from "./client.ts";
import { thisMachine } from "./machine.ts";
import { UsageError, firstKeyText, VerbFailed } from "./terminal.ts";
import type { Terminal } from "./terminal.ts";

export const CONNECTION_FLAGS = {
  url: { value: "URL", help: "address of the server; or LECTERN_URL" },
  key: { value: "KEY", help: "API key; or LECTERN_API_KEY. Other users see a flag in `ps`" },
  "key-file": { value: "FILE", help: "file that holds the API key; or LECTERN_API_KEY_FILE" },
  data: { value: "DIR", help: "data directory of the server on this machine; ./lectern-data unless set" },
} as const satisfies Flags;

export interface Connection extends AsyncDisposable {
  client: Client;
}

const CliFile = Type.Object({
  url: Type.String(),
  key: Type.String(),
  pid: Type.Integer(),
  /** That the server may make no outbound connection. */
  offline: Type.Optional(Type.Boolean()),
});
type CliFile = Static<typeof CliFile>;

type ConnectionArguments = Arguments<typeof CONNECTION_FLAGS>;

/** Throws `VerbFailed` when there is nothing to talk to; `mayCreate` allows a new data directory. */
export async function connect(
  args: ConnectionArguments,
  terminal: Terminal,
  { mayCreate }: { mayCreate: boolean },
): Promise<Connection> {
  const connection = await connectIfThere(args, terminal, { mayCreate });
  if (connection) return connection;
  const dataDir = dataDirOf(args, terminal);
  throw new VerbFailed(
    `No server is known: ${dataDir} does not exist. Start one with "lectern serve", or name one with --url and --key.`,
  );
}

/** The server that is named or that runs on the data directory; null where neither is so. */
export async function connectToRunning(args: ConnectionArguments, terminal: Terminal): Promise<Client | null> {
  const url = args.get("url") ?? terminal.env["LECTERN_URL"];
  if (url) return remote(url, keyOf(args, terminal));
  const running = readCliFile(dataDirOf(args, terminal));
  if (!running || !(await answers(running.url))) return null;
  return createClient({ url: running.url, key: givenKey(args) ?? running.key });
}

export function dataDirOf(args: ConnectionArguments, terminal: Terminal): string {
  return args.get("data") ?? configOf(terminal).dataDir;
}

/** null when no server is named and there is no data directory to open. */
export async function connectIfThere(
  args: ConnectionArguments,
  terminal: Terminal,
  { mayCreate }: { mayCreate: boolean },
): Promise<Connection | null> {
  const running = await connectToRunning(args, terminal);
  if (running) return { client: running, [Symbol.asyncDispose]: () => Promise.resolve() };
  const dataDir = dataDirOf(args, terminal);
  if (!mayCreate && !existsSync(dataDir)) return null;
  return await ownServer({ ...configOf(terminal), dataDir }, terminal);
}

export function configOf(terminal: Terminal): Config {
  return readConfig({
    argv: [],
    env: terminal.env,
    machine: thisMachine(),
    readFile: (path) => readFileSync(path, "utf8"),
  });
}

/** The key of a named server: a flag, then the environment. */
function keyOf(args: ConnectionArguments, { env }: Terminal): string | undefined {
  const given = givenKey(args);
  if (given !== undefined) return given;
  const [key, file] = [env["LECTERN_API_KEY"] || undefined, env["LECTERN_API_KEY_FILE"] || undefined];
  if (key !== undefined && file !== undefined)
    throw new UsageError("LECTERN_API_KEY and LECTERN_API_KEY_FILE are both set: keep one of them.");
  return file === undefined ? key : keyIn(file);
}

function givenKey(args: ConnectionArguments): string | undefined {
  const file = args.get("key-file");
  if (file === undefined) return args.get("key");
  if (args.has("key")) throw new UsageError("--key and --key-file are both given: keep one of them.");
  return keyIn(file);
}

function keyIn(path: string): string {
  const file = readKeyFile(path);
  if (!file.ok) throw new VerbFailed(`The file ${path}, which is to hold the key, ${file.problem}.`);
  return file.key;
}

function remote(url: string, key: string | undefined): Client {
  if (!URL.canParse(url) || !/^https?:$/.test(new URL(url).protocol)) {
    throw new UsageError(`${JSON.stringify(url)} is not an address such as http://127.0.0.1:8080.`);
  }
  if (!key) throw new UsageError("A key is needed for that server: --key-file FILE, --key KEY or LECTERN_API_KEY.");
  return createClient({ url: url.replace(/\/+$/, "").replace(/\/v1$/, ""), key });
}

/**
 * What the running server wrote; null where there is none, or only the remains of a killed one. Whoever could write that
 * file would be sent the documents: a `VerbFailed` where it may be somebody else's.
 */
export function readCliFile(dataDir: string): CliFile | null {
  const path = join(dataPathOf(dataDir), "cli.json");
  let file: unknown;
  try {
    if (lstatSync(path, { throwIfNoEntry: false }) === undefined) return null;
    const stranger = strangerTo(path);
    if (stranger !== null)
      throw new VerbFailed(`${path} is not believed: ${stranger}. Name the server with --url and --key-file.`);
    file = JSON.parse(readFileSync(path, "utf8"));
  } catch (error) {
    if (error instanceof VerbFailed) throw error;
    return null;
  }
  return Value.Check(CliFile, file) && isAlive(file.pid) ? file : null;
}

/** A machine with much to do is slow to answer; one where nobody listens says so at once. */
const ANSWER_MS = 10_000;

/** A file that a killed server left behind may name a process that is by now another one. */
async function answers(url: string): Promise<boolean> {
  try {
    return (await fetch(`${url}/healthz`, { signal: AbortSignal.timeout(ANSWER_MS), redirect: "manual" })).ok;
  } catch {
    return false;
  }
}

async function ownServer(config: Config, terminal: Terminal): Promise<Connection> {
  const { createContext } = await import("../app/context.ts");
  const logLevel = config.logLevel === "debug" ? "debug" : "error";
  const own = { ...config, host: "127.0.0.1", port: 0, noLocalCli: false, logLevel } as const;
  const context = await createContext(own, { verb: terminal.verb });
  try {
    await context.start();
    if (context.firstKey) terminal.err(`${firstKeyText(context.firstKey)}\n`);
    const file = readCliFile(config.dataDir);
    if (!file) throw new Error(`${join(config.dataDir, "cli.json")} was not written`);
    return { client: createClient(file), [Symbol.asyncDispose]: () => context[Symbol.asyncDispose]() };
  } catch (error) {
    await context[Symbol.asyncDispose]();
    throw error;
  }
}
