/**
 * `models pull NAME[@REVISION]`: shows what a hub has under that name, fetches what is needed of it into a folder out of
 * sight, and adds it as `add DIR` does. Nothing is fetched before somebody said yes.
 */
import { existsSync, mkdirSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { addressProblem, resolveHost } from "../embed/remote/address.ts";
import type { ModelOverrides } from "../embed/local/model-folder.ts";
import { HUB_LIMITS, HubClient } from "../models/hub/hub-client.ts";
import { HubError } from "../models/hub/hub-failure.ts";
import { cardAddress, type HubName, parseHubName, PUBLIC_HUB } from "../models/hub/hub-name.ts";
import { knownPrompts } from "../models/hub/known-prompts.ts";
import { fetchPlan, planPull, type PullPlan } from "../models/hub/pull.ts";
import { openStaging, type Staging } from "../models/hub/staging.ts";
import { addingFolder, readModelDirectory, removeUnfinished } from "../models/models-dir.ts";
import { freeBytes } from "../platform/disk-reserve.ts";
import { readKeyFile } from "../platform/key-file.ts";
import { connect, readCliFile } from "./connect.ts";
import { dataDirOf, isDataDirectory, namedDirectory, settingsOf } from "./models-data.ts";
import type { ModelsArguments } from "./model-requests.ts";
import { overridesIn, placeModel, placeOf, tellAdded, tellNoPrompts, tellUnusable } from "./place-model.ts";
import { createPullDisplay } from "./pull-progress.ts";
import { printTable } from "./table.ts";
import { formatBytes, printable, type Terminal, UsageError, VerbFailed } from "./terminal.ts";

/** Flags of other verbs that say nothing of a hub's model. */
const STRAY_FLAGS = ["remote", "dialect", "model", "address", "api-key-env", "dimensions", "price", "json"] as const;

/** Left free for the database and for whoever else writes. */
const SPARE_BYTES = 256 * 2 ** 20;
const INTERRUPTED = 130;

export async function pullModel(word: string, args: ModelsArguments, terminal: Terminal): Promise<number> {
  const pull = readPull(word, args, terminal);
  const client = hubClient(pull, args, terminal);
  try {
    const architecture = process.arch === "arm64" ? "arm64" : "x64";
    const planning = await planPull(client, pull.asked, { variant: args.get("variant"), architecture });
    if (!planning.ok) {
      tellUnusable(pull.asked.name, planning.problems, terminal);
      return 1;
    }
    const { plan } = planning;
    const free = await freeBytes(nearestFolder(pull.dataDir));
    show(pull, plan, free, terminal);
    const problem = spaceProblem(pull.dataDir, plan.bytes, free);
    if (problem !== null) throw new VerbFailed(problem);
    if (!(await isWanted(args, terminal))) return 1;
    await ensureDataDirectory(args, terminal);
    return await fetchAndAdd({ pull, plan, client }, args, terminal);
  } catch (error) {
    if (terminal.signal.aborted) {
      terminal.err("Interrupted: the same command goes on where this one was.\n");
      return INTERRUPTED;
    }
    if (error instanceof HubError) throw new VerbFailed(printable(error.message), { cause: error });
    throw error;
  }
}

/** Why so many bytes are not fetched to where so many are free; null where they fit. */
export function spaceProblem(place: string, bytes: number, free: number): string | null {
  if (bytes + SPARE_BYTES <= free) return null;
  return `There is too little space at ${place}: ${formatBytes(bytes)} and ${formatBytes(SPARE_BYTES)} to spare are needed, ${formatBytes(free)} are free.`;
}

interface Pull {
  asked: HubName;
  id: string;
  endpoint: URL;
  dataDir: string;
  /** What the flags say. */
  overrides: ModelOverrides;
}

function readPull(word: string, args: ModelsArguments, terminal: Terminal): Pull {
  const stray = STRAY_FLAGS.find((flag) => args.has(flag));
  if (stray !== undefined) throw new UsageError(`--${stray} is not for models pull.`);
  const asked = parseHubName(word);
  if (asked === null)
    throw new UsageError(
      `${JSON.stringify(word)} is no name of a hub's model, such as owner/name or owner/name@revision.`,
    );
  const address = args.get("endpoint") ?? PUBLIC_HUB;
  const problem = addressProblem(address);
  if (problem !== null) throw new UsageError(`--endpoint: ${problem}.`);
  const dataDir = namedDirectory(args, terminal);
  refuseOffline(args, dataDir, terminal);
  const id = args.get("id") ?? asked.name;
  placeOf(id, dataDir);
  return { asked, id, endpoint: new URL(address), dataDir, overrides: overridesIn(args) };
}

function refuseOffline(args: ModelsArguments, dataDir: string, terminal: Terminal): void {
  const isServers = () => existsSync(dataDir) && readCliFile(dataDir)?.offline === true;
  if (!args.has("offline") && !settingsOf(terminal).offline && !isServers()) return;
  throw new VerbFailed(
    "Outbound connections are switched off (--offline). Pull the model on another machine, carry its folder here and add it: lectern models add DIR.",
  );
}

function hubClient({ endpoint }: Pull, args: ModelsArguments, terminal: Terminal): HubClient {
  const settings = settingsOf(terminal);
  // The moving line may stand there.
  const clear = terminal.errIsTerminal ? "\r\x1b[2K" : "";
  const allowPrivate = args.has("allow-private-addresses") || settings.allowPrivateAddresses;
  return new HubClient({
    endpoint,
    token: tokenIn(args, terminal),
    access: { policy: { allowPrivate, offline: false }, resolve: resolveHost },
    limits: HUB_LIMITS,
    signal: terminal.signal,
    onPause: (ms, why) => terminal.err(`${clear}${printable(why)} Trying again in ${Math.ceil(ms / 1000)} s.\n`),
  });
}

function tokenIn(args: ModelsArguments, terminal: Terminal): string | null {
  const path = args.get("token-file");
  if (path === undefined) return null;
  const file = readKeyFile(path);
  if (!file.ok) throw new VerbFailed(`The file ${path}, which is to hold the token, ${file.problem}.`);
  if (file.isOpenToOthers) terminal.err(`Other users may read ${path}: chmod 600 ${path}\n`);
  return file.key;
}

function show({ asked, endpoint, overrides, id }: Pull, plan: PullPlan, free: number, terminal: Terminal): void {
  const { model, licence, files, bytes, graph, otherGraphs } = plan;
  const line = (name: string, text: string) => terminal.err(`${name.padEnd(9)} ${printable(text)}\n`);
  const card = cardAddress(endpoint, asked.name);
  line("model", `${asked.name} at ${endpoint.host}`);
  line("revision", model.revision === asked.revision ? asked.revision : `${asked.revision} (${model.revision})`);
  line("licence", licence ?? `not said: read ${card}`);
  if (plan.isGated) line("access", `has to be asked for: ${card}`);
  line(
    "graph",
    otherGraphs.length === 0 ? graph : `${graph}; others by --variant: ${otherGraphs.map(stemOf).join(", ")}`,
  );
  const { queryPrefix = "", passagePrefix = "" } = { ...knownPrompts(asked.name), ...overrides };
  const prompts = [
    queryPrefix === "" ? "" : `${JSON.stringify(queryPrefix)} before queries`,
    passagePrefix === "" ? "" : `${JSON.stringify(passagePrefix)} before passages`,
  ].filter((prompt) => prompt !== "");
  if (prompts.length > 0) line("prompts", prompts.join(", "));
  if (id !== asked.name) line("name here", id);
  const rows = files.map((file) => [file.name, formatBytes(file.bytes)]);
  printTable({ ...terminal, out: terminal.err }, ["FILE", "SIZE"], rows);
  terminal.err(`${files.length} files, ${formatBytes(bytes)}; ${formatBytes(free)} are free.\n`);
}

function stemOf(graph: string): string {
  return graph.slice(graph.lastIndexOf("/") + 1).replace(/\.onnx$/, "");
}

async function isWanted(args: ModelsArguments, terminal: Terminal): Promise<boolean> {
  if (args.has("yes")) return true;
  if (!terminal.ask) throw new UsageError("Nothing was fetched: say --yes to fetch it where nobody can be asked.");
  const answer = await terminal.ask("Fetch it? [y/N] ");
  if (/^y(es)?$/i.test(answer.trim())) return true;
  terminal.err("Nothing was fetched.\n");
  return false;
}

/** A new data directory is made by a server, as for `add`. */
async function ensureDataDirectory(args: ModelsArguments, terminal: Terminal): Promise<void> {
  if (isDataDirectory(namedDirectory(args, terminal))) return;
  await using _ = await connect(args, terminal, { mayCreate: true });
  dataDirOf(args, terminal);
}

interface Agreed {
  pull: Pull;
  plan: PullPlan;
  client: HubClient;
}

async function fetchAndAdd({ pull, plan, client }: Agreed, args: ModelsArguments, terminal: Terminal): Promise<number> {
  const dataDir = dataDirOf(args, terminal);
  const models = join(dataDir, "models");
  mkdirSync(models, { recursive: true, mode: 0o700 });
  removeUnfinished(models);
  using staging = openStaging(models, { endpoint: pull.endpoint, name: plan.model.name, commit: plan.model.revision });
  await fetchFiles(client, plan, staging, terminal);
  // Only now: a server of this verb's own would hold the data directory for as long as the fetch takes.
  await using connection = await connect(args, terminal, { mayCreate: false });
  const partial = addingFolder(models);
  staging.moveTo(partial);
  try {
    const prompts = (await namesPrompts(partial)) ? {} : knownPrompts(pull.asked.name);
    const placing = { id: pull.id, dataDir, partial, overrides: { ...prompts, ...pull.overrides } };
    const placed = await placeModel(placing, connection.client, terminal);
    if (!placed.ok) {
      tellUnusable(pull.asked.name, placed.problems, terminal);
      return 1;
    }
    if (!placed.namesPrompts) tellNoPrompts(terminal);
  } finally {
    rmSync(partial, { recursive: true, force: true });
  }
  await tellAdded(pull.id, connection.client, terminal);
  return 0;
}

/** The model's own files know better than what is said of its name. */
async function namesPrompts(folder: string): Promise<boolean> {
  const read = await readModelDirectory("pulled", folder);
  return read.ok && read.kind === "embedding" && (read.spec.queryPrefix !== "" || read.spec.passagePrefix !== "");
}

async function fetchFiles(client: HubClient, plan: PullPlan, staging: Staging, terminal: Terminal): Promise<void> {
  const total = { files: plan.files.length, bytes: plan.bytes };
  const display = createPullDisplay(terminal, total, () => performance.now());
  try {
    await fetchPlan(client, plan, staging, {
      onBytes: (file, bytes) => display.advance(file.name, bytes),
      onFile: (file) => display.settle(file.name, file.bytes),
    });
  } finally {
    display.finish();
  }
}

/** The folder itself, or the one in which it would be made. */
function nearestFolder(path: string): string {
  return existsSync(path) || dirname(path) === path ? path : nearestFolder(dirname(path));
}
