import { readFileSync } from "node:fs";
import { version } from "../platform/build-info.ts";
import { StartError } from "../platform/data-dir.ts";
import { findServiceManager } from "../platform/service-manager.ts";
import { describeSettings, readConfig } from "../config/config.ts";
import type { Flag, Flags } from "./arguments.ts";
import { firstKeyText } from "./terminal.ts";
import { thisMachine } from "./machine.ts";
import type { Terminal } from "./terminal.ts";

/**
 * Runs the server until the terminal's signal aborts, lets load balancers take notice where it is to, then drains it.
 * Standard output carries the ready line and nothing else; a key that was made up goes to standard error, once, whether that is a
 * terminal or not. A service manager that wants to know is told each step.
 */
export async function serve(argv: readonly string[], terminal: Terminal): Promise<number> {
  const readSettings = () =>
    readConfig({
      argv,
      env: terminal.env,
      machine: thisMachine(),
      readFile: (path) => readFileSync(path, "utf8"),
    });
  const config = readSettings();
  using manager = await findServiceManager(terminal.env);
  if (manager === null && terminal.env["NOTIFY_SOCKET"])
    terminal.err("lectern: NOTIFY_SOCKET is set, but cannot be used here: the service manager is told nothing\n");
  const { createContext } = await import("../app/context.ts");
  const progress = { onProgress: (text: string) => manager?.status(text) };
  const context = await createContext(config, { readSettings, verb: terminal.verb, ...progress }).catch(asStartError);
  const reload = () => context.reload();
  terminal.onReload?.(manager === null ? reload : () => manager.reload(reload));
  // One request's fault must not end everybody's server.
  terminal.onFailure?.((thrown) => context.report(thrown));
  const close = () => context[Symbol.asyncDispose]();
  try {
    const { url } = await context.start().catch(asStartError);
    manager?.ready(`Listening on ${url}`);
    terminal.out(`lectern ${version} listening on ${url}\n`);
    const friendly = terminal.errIsTerminal;
    // Only where a person reads it: a link in a log would be a key in a log.
    const link = friendly ? await context.consoleLink() : null;
    const { firstKey, notices } = context;
    terminal.err(greeting({ url, dataDir: config.dataDir, firstKey, notices, friendly, link }));
    await aborted(terminal.signal);
  } catch (error) {
    // The key is in the data directory by now; not showing it would lock its owner out.
    if (context.firstKey) terminal.err(`${firstKeyText(context.firstKey)}\n`);
    await close();
    throw error;
  }
  manager?.stopping();
  if (config.drainDelaySeconds > 0 && terminal.hurry?.aborted !== true) {
    context.leave();
    await Promise.race([Bun.sleep(config.drainDelaySeconds * 1000), aborted(terminal.hurry)]);
  }
  // The context ends its requests within the grace; this only guards against one part of it that hangs. Whatever is
  // unfinished then is durable and goes on at the next start.
  await Promise.race([close(), Bun.sleep((config.graceSeconds + HANGING_SECONDS) * 1000)]);
  return 0;
}

/** What the system refused is the operator's to mend: it is said in a line, with the call and the path, and no stack. */
function asStartError(error: unknown): never {
  if (error instanceof Error && "syscall" in error)
    throw new StartError(`the server cannot start: ${error.message}`, { cause: error });
  throw error;
}

const HANGING_SECONDS = 3;

interface Greeting {
  url: string;
  dataDir: string;
  firstKey: string | null;
  notices: readonly string[];
  friendly: boolean;
  link: string | null;
}

function greeting({ url, dataDir, firstKey, notices, friendly, link }: Greeting): string {
  const lines: string[] = [];
  if (firstKey) lines.push(`  ${firstKeyText(firstKey)}`);
  if (friendly) {
    if (link !== null) lines.push(`  Console           ${link}`, `                    (works once, within 15 minutes)`);
    lines.push(`  API for clients   ${url}/v1`, `  API explorer      ${url}/docs`, `  Data directory    ${dataDir}`);
    lines.push(...notices.map((notice) => `  ${notice}`), `  Stop with Ctrl-C.`);
    return `\n${lines.join("\n")}\n\n`;
  }
  return lines.map((line) => `${line.trim()}\n`).join("");
}

/** Never, where there is no signal. */
function aborted(signal: AbortSignal | undefined): Promise<void> {
  if (signal?.aborted === true) return Promise.resolve();
  return new Promise((resolve) => signal?.addEventListener("abort", () => resolve(), { once: true }));
}

/** The same options as the other verbs have theirs. */
export function serveFlags(): Flags {
  const rows = describeSettings().map(({ option, help, isSwitch, choices }): [string, Flag] => {
    const isPath = /(^|-)(file|data|config)$/.test(option);
    return [option, { help, ...(isSwitch ? {} : { value: isPath ? "FILE" : "VALUE" }), choices }];
  });
  return { ...Object.fromEntries(rows), config: { value: "FILE", help: "a TOML file with these options as keys" } };
}

/** Options, variables and defaults, by group. */
export function serveHelp(): string {
  const rows = describeSettings();
  const width = Math.max(...rows.map((row) => row.option.length)) + 4;
  const groups = [...new Set(rows.map((row) => row.group))];
  const sections = groups.map((group) => {
    const lines = rows
      .filter((row) => row.group === group)
      .map((row) => `  ${`--${row.option}`.padEnd(width)}${row.help} [${row.default}]\n`);
    return `${group}\n${lines.join("")}`;
  });
  return `${sections.join("\n")}
  ${"--config FILE".padEnd(width)}a TOML file with these options as keys

Every option is also an environment variable: --max-upload-mb is LECTERN_MAX_UPLOAD_MB.
A flag wins over the environment, that over the file, that over the default.
Other users of the machine see flags in \`ps\`: give keys as variables, or in files with the -file options.
`;
}
