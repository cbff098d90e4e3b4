/** `lectern health`: one question to a server, for whatever watches over it. Needs no key. */
import { isIPv6 } from "node:net";
import { messageOf } from "../errors.ts";
import { parseArguments } from "./arguments.ts";
import type { Flags } from "./arguments.ts";
import { configOf, CONNECTION_FLAGS, readCliFile } from "./connect.ts";
import { UsageError, VerbFailed } from "./terminal.ts";
import type { Terminal } from "./terminal.ts";

export const HEALTH_FLAGS = {
  live: { help: "whether it answers at all; else whether it is ready for requests" },
  url: CONNECTION_FLAGS.url,
  data: CONNECTION_FLAGS.data,
} as const satisfies Flags;

export const HEALTH_HELP = `Asks the server at --url, else the one that runs on the data directory, else whoever listens where this machine's settings
(LECTERN_HOST, LECTERN_PORT) say. No key is needed. The exit status is 1 unless it answers well within five seconds.`;

const ANSWER_MS = 5000;

export async function health(argv: readonly string[], terminal: Terminal): Promise<number> {
  const args = parseArguments(argv, HEALTH_FLAGS);
  if (args.words.length > 0) throw new UsageError("lectern health takes no words; see lectern help health.");
  const server =
    args.get("url") ?? (terminal.env["LECTERN_URL"] || undefined) ?? ownAddress(args.get("data"), terminal);
  if (!URL.canParse(server)) throw new UsageError(`${server} is not an address such as http://127.0.0.1:8080.`);
  const url = server.replace(/\/+$/, "").replace(/\/v1$/, "");
  let answer: Response;
  try {
    const signal = AbortSignal.any([terminal.signal, AbortSignal.timeout(ANSWER_MS)]);
    answer = await fetch(`${url}${args.has("live") ? "/healthz" : "/readyz"}`, { signal, redirect: "manual" });
    if (!answer.ok) throw new VerbFailed(`${url} is not ready: ${await answer.text()}`);
  } catch (error) {
    if (error instanceof VerbFailed) throw error;
    throw new VerbFailed(`${url} does not answer: ${messageOf(error)}`);
  }
  terminal.out(`${url} is ${args.has("live") ? "alive" : "ready"}\n`);
  return 0;
}

function ownAddress(data: string | undefined, terminal: Terminal): string {
  const { host, port, dataDir } = configOf(terminal);
  const running = readCliFile(data ?? dataDir);
  if (running) return running.url;
  // Where it listens on every interface it listens on loopback.
  const own = host === "0.0.0.0" ? "127.0.0.1" : host === "::" ? "::1" : host;
  return `http://${isIPv6(own) ? `[${own}]` : own}:${port}`;
}
