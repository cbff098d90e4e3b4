import { closeSync, existsSync, readFileSync, statSync, writeSync } from "node:fs";
import { hostname, release, userInfo } from "node:os";
import { dirname, join, resolve } from "node:path";
import { gzipSync } from "node:zlib";
import { type Config, describeSettings, redactedConfig } from "../config/config.ts";
import { messageOf } from "../errors.ts";
import { modelDirectories } from "../models/models-dir.ts";
import { readAddedModels } from "../models/model-tables.ts";
import { versionText } from "../platform/build-info.ts";
import { randomText } from "../platform/ids.ts";
import { createAnew } from "../platform/replace-file.ts";
import { TAR_END, tarHeader, tarPadding } from "../platform/tar.ts";
import { takeCensus } from "../storage/census.ts";
import { parseArguments } from "./arguments.ts";
import type { Flags } from "./arguments.ts";
import { readCliFile } from "./connect.ts";
import { allChecks, settingsOf } from "./doctor.ts";
import { isConfirmed } from "./output.ts";
import { scrubbedLog } from "./support-log.ts";
import { createScrub, type Scrub } from "./support-scrub.ts";
import { formatBytes, UsageError, VerbFailed } from "./terminal.ts";
import type { Terminal } from "./terminal.ts";

export const SUPPORT_FLAGS = {
  data: { value: "DIR", help: "data directory; ./lectern-data unless set" },
  log: { value: "FILE", help: "the server's log, or - for standard input; the last lines go in, without names" },
  yes: { help: "write it without a question" },
} as const satisfies Flags;

export const SUPPORT_HELP = `Writes one archive (FILE.tar.gz) for whoever helps from afar: versions, what doctor says, settings, metrics, counts.
It holds no text of documents, no query, no key, no address and no name of a file, store, tenant, model or machine; what
has to be told apart is replaced by marks that mean nothing elsewhere. What goes in is shown before; look into it
(tar -xzf) before you send it.
  journalctl -u lectern -o cat -n 2000 | lectern support help.tar.gz --log - --yes`;

/** One file of the archive. */
interface Part {
  name: string;
  /** For people. */
  what: string;
  text: string;
}

const MOST_LOG_BYTES = 64 * 1024 * 1024;

export async function support(argv: readonly string[], terminal: Terminal): Promise<number> {
  const args = parseArguments(argv, SUPPORT_FLAGS);
  const [path, ...more] = args.words;
  if (path === undefined || more.length > 0)
    throw new UsageError("Say where to: lectern support FILE.tar.gz [--data DIR] [--log FILE].");
  if (existsSync(path)) throw new VerbFailed(`${path} is there already; choose another name.`);
  const { config, named } = settingsOf(args.get("data"), terminal);
  const scrub = createScrub(privateWords(config, named), randomText(32));
  const parts = [
    { name: "versions.json", what: "versions of Lectern and the system", text: json(versions()) },
    { name: "doctor.json", what: "what lectern doctor says", text: json(await doctorTold(config, named, scrub)) },
    { name: "settings.json", what: "settings; words and paths only as (set)", text: json(settingsTold(config)) },
    { name: "counts.json", what: "how many rows and files there are, by state", text: json(counts(config, scrub)) },
    ...(await serverParts(config, scrub)),
    ...(await logPart(args.get("log"), terminal, scrub)),
  ];
  terminal.err(`${path} will hold:\n`);
  for (const { name, what, text } of parts)
    terminal.err(`  ${name.padEnd(14)}  ${formatBytes(Buffer.byteLength(text)).padStart(8)}  ${what}\n`);
  if (!args.has("yes")) {
    if (terminal.ask === undefined) throw new UsageError("Nobody can be asked here: give --yes to write it.");
    if (!(await isConfirmed(terminal, "Write it?"))) return 1;
  }
  writeArchive(path, parts);
  terminal.err(`Written to ${path}.\n`);
  return 0;
}

function json(value: unknown): string {
  return `${JSON.stringify(value, null, 2)}\n`;
}

function versions(): object {
  return { lectern: versionText, system: process.platform, kernel: release(), at: new Date().toISOString() };
}

/** What would say whose machine this is. */
function privateWords(config: Config, named: string): Record<string, string[]> {
  const added = readAddedModels(config.dataDir);
  const models = [
    ...modelDirectories(join(config.dataDir, "models")).map(({ id }) => id),
    ...(added.ok ? [...added.tables.models, ...added.tables.chatModels].map(({ id }) => id) : []),
    ...[...config.remoteModels, ...config.chatModels].map(({ id }) => id),
    ...config.modelNames.keys(),
  ];
  const { username, homedir } = userInfo();
  return {
    data: [resolve(config.dataDir), resolve(named)],
    home: [homedir],
    user: [username].filter((name) => name !== "root" && name !== "lectern"),
    machine: [hostname()],
    model: models,
  };
}

async function doctorTold(config: Config, named: string, scrub: Scrub): Promise<object> {
  const checks = await allChecks(config, { named, full: false, fix: false });
  // The first is this program's own, of a form that paths have too.
  return { checks: checks.map((check, i) => (i === 0 ? check : { ...check, detail: scrub.text(check.detail) })) };
}

/** Numbers, switches and choices as they are; of words only whether they are set. */
function settingsTold(config: Config): object {
  const rows = new Map(describeSettings().map((row) => [row.option, row]));
  const told = Object.entries(redactedConfig(config)).map(([option, value]) => {
    const isWord = typeof value === "string" && !(rows.get(option)?.choices ?? []).includes(value);
    return [option, isWord ? "(set)" : value];
  });
  const { remoteModels, chatModels, modelNames } = config;
  const tables = { models: remoteModels.length, chat_models: chatModels.length, aliases: modelNames.size };
  return { ...Object.fromEntries(told), tables };
}

function counts(config: Config, scrub: Scrub): object {
  if (!existsSync(join(config.dataDir, "meta.sqlite"))) return { database: "none" };
  try {
    const census = takeCensus(config.dataDir);
    const generations = census.generations.map((one) => ({ ...one, model: modelTold(one.model, scrub) }));
    return { ...census, generations };
  } catch (error) {
    return { database: scrub.text(messageOf(error)) };
  }
}

/** Those that are part of the executable are nobody's secret. */
function modelTold(id: string, scrub: Scrub): string {
  return /^lectern-[a-z-]+$/.test(id) ? id : scrub.mark("model", id);
}

/** Values of labels: words of the program, and names of models. */
function metricsTold(text: string, scrub: Scrub): string {
  return text.replace(/(\w+)="((?:[^"\\]|\\.)*)"/g, (_, label: string, value: string) => {
    const isOwn = label !== "model" && /^[\w{}/.:+-]{0,100}$/.test(value);
    return `${label}="${isOwn ? value : modelTold(value, scrub)}"`;
  });
}

/** What a running server says of itself. */
async function serverParts(config: Config, scrub: Scrub): Promise<Part[]> {
  const running = readCliFile(config.dataDir);
  if (running === null) return [];
  try {
    const answer = await fetch(`${running.url}/metrics`, {
      headers: { authorization: `Bearer ${running.key}` },
      signal: AbortSignal.timeout(10_000),
      redirect: "manual",
    });
    if (!answer.ok) return [];
    const text = metricsTold(await answer.text(), scrub);
    return [{ name: "metrics.txt", what: "metrics of the running server", text }];
  } catch {
    // It does not answer, which doctor says.
    return [];
  }
}

async function logPart(path: string | undefined, terminal: Terminal, scrub: Scrub): Promise<Part[]> {
  if (path === undefined) return [];
  const text = path === "-" ? await inputText(terminal) : fileText(path);
  return [{ name: "log.jsonl", what: "last lines of the log, without names", text: scrubbedLog(text, scrub) }];
}

function fileText(path: string): string {
  const size = statSync(path, { throwIfNoEntry: false })?.size;
  if (size === undefined) throw new VerbFailed(`There is no file ${path}.`);
  const bytes = readFileSync(path);
  return bytes.subarray(Math.max(0, size - MOST_LOG_BYTES)).toString("utf8");
}

async function inputText(terminal: Terminal): Promise<string> {
  let text = "";
  const decoder = new TextDecoder();
  for await (const piece of terminal.input?.() ?? [])
    text = (text + decoder.decode(piece, { stream: true })).slice(-MOST_LOG_BYTES);
  return text;
}

function writeArchive(path: string, parts: readonly Part[]): void {
  const now = Date.now() / 1000;
  const pieces = parts.flatMap(({ name, text }) => {
    const bytes = new TextEncoder().encode(text);
    const header = tarHeader({ name: `lectern-support/${name}`, bytes: bytes.byteLength }, now);
    return [header, bytes, tarPadding(bytes.byteLength)];
  });
  if (!existsSync(dirname(resolve(path)))) throw new VerbFailed(`There is no folder ${dirname(path)}.`);
  const file = createAnew(path);
  try {
    writeSync(file, gzipSync(Buffer.concat([...pieces, TAR_END])));
  } finally {
    closeSync(file);
  }
}
