import { rmSync } from "node:fs";
import { join } from "node:path";
import { Type } from "@sinclair/typebox";
import { replaceFile } from "../platform/replace-file.ts";
import { parseArguments } from "./arguments.ts";
import type { Flags } from "./arguments.ts";
import { createClient } from "./client.ts";
import { configOf, CONNECTION_FLAGS, readCliFile } from "./connect.ts";
import { UsageError, VerbFailed } from "./terminal.ts";
import type { Terminal } from "./terminal.ts";

export const OPEN_FLAGS = {
  print: { help: "only print the link" },
  json: { help: "print the server's answer as JSON, and open nothing" },
  data: CONNECTION_FLAGS.data,
} as const satisfies Flags;

export const OPEN_HELP = `Asks the server that runs on this machine, for the same user, for a link to its web console, prints it and opens it. The
link works once, within a minute; the key that it brings lives until the server stops.`;

const Link = Type.Object({ code: Type.String(), url: Type.String(), expires_at: Type.Integer() });

/** Browsers read a page after the program that opens them has ended. */
const READING_MS = 5000;

export async function open(argv: readonly string[], terminal: Terminal): Promise<number> {
  const args = parseArguments(argv, OPEN_FLAGS);
  if (args.words.length > 0) throw new UsageError("lectern open takes no words; see lectern help open.");
  const dataDir = args.get("data") ?? configOf(terminal).dataDir;
  const running = readCliFile(dataDir);
  if (running === null)
    throw new VerbFailed(
      `No server runs on ${dataDir} (or it was started with --no-local-cli). Start one with "lectern serve", or name its directory with --data.`,
    );
  const link = await createClient(running).send(Link, "POST", "/v1/console/links");
  if (args.has("json")) {
    terminal.out(`${JSON.stringify(link)}\n`);
    return 0;
  }
  terminal.out(`${link.url}\n`);
  const program = args.has("print") || !terminal.outIsTerminal ? null : browserProgram(terminal);
  if (program !== null) await openInBrowser(program, link.url, { dataDir, signal: terminal.signal });
  return 0;
}

/** What opens pages here; null where nobody would see them. */
function browserProgram({ env }: Terminal): string | null {
  if (process.platform === "darwin") return Bun.which("open");
  return env["DISPLAY"] || env["WAYLAND_DISPLAY"] ? Bun.which("xdg-open") : null;
}

/** By a page of this user's own that leads there: other users of the machine see the arguments of programs. */
async function openInBrowser(
  program: string,
  url: string,
  { dataDir, signal }: { dataDir: string; signal: AbortSignal },
): Promise<void> {
  const path = join(dataDir, "console-link.html");
  replaceFile(path, `<!doctype html><meta http-equiv="refresh" content="0; url=${Bun.escapeHTML(url)}">\n`);
  try {
    await Bun.spawn([program, path], { stdin: "ignore", stdout: "ignore", stderr: "ignore" }).exited;
    await Promise.race([
      Bun.sleep(READING_MS),
      new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true })),
    ]);
  } finally {
    rmSync(path, { force: true });
  }
}
