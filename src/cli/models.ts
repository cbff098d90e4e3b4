import { existsSync, statSync } from "node:fs";
import { basename, resolve } from "node:path";
import { Type } from "@sinclair/typebox";
import { activateAddedModels, describeRemote } from "../models/model-tables.ts";
import { readModelDirectory } from "../models/models-dir.ts";
import { pullModel } from "./pull-model.ts";
import { addChatModel } from "./add-chat-model.ts";
import { addFolder, addRemote } from "./add-model.ts";
import { parseArguments } from "./arguments.ts";
import type { Client } from "./client.ts";
import { connect } from "./connect.ts";
import { dataDirOf, namedDirectory } from "./models-data.ts";
import { ModelRow, type ModelsArguments, MODELS_FLAGS, probe, scan } from "./model-requests.ts";
import { printTable } from "./table.ts";
import { printable, UsageError } from "./terminal.ts";
import type { Terminal } from "./terminal.ts";
import { messageOf } from "../errors.ts";

const ModelList = Type.Object({ data: Type.Array(ModelRow) });
const Deleted = Type.Object({ id: Type.String() });
const USAGE =
  "Say what to do: lectern models list, add DIR, add --remote, add --chat, pull NAME, verify [NAME or DIR...], or remove NAME.";

export async function models(argv: readonly string[], terminal: Terminal): Promise<number> {
  const args = parseArguments(argv, MODELS_FLAGS);
  const [verb, ...words] = args.words;
  const [word, ...more] = words;
  const fits =
    (verb === "list" && word === undefined) ||
    (verb === "add" && more.length === 0 && (word === undefined) === (args.has("remote") || args.has("chat"))) ||
    (verb === "pull" && word !== undefined && more.length === 0) ||
    verb === "verify" ||
    (verb === "remove" && word !== undefined && more.length === 0);
  if (!fits) throw new UsageError(USAGE);
  // Folders alone need no server.
  if (verb === "verify" && words.length > 0 && words.every(isFolder)) return await verifyFolders(words, terminal);

  // What is fetched is fetched before a server is asked or started.
  if (verb === "pull" && word !== undefined) return await pullModel(word, args, terminal);

  // Before a server is asked or started: it would not start where its default model is inactive.
  if (verb === "verify") activate(words, args, terminal);
  await using connection = await connect(args, terminal, { mayCreate: verb === "add" });
  const { client } = connection;
  switch (verb) {
    case "list":
      return await list(client, args, terminal);
    case "add": {
      const dataDir = dataDirOf(args, terminal);
      if (word !== undefined) return await addFolder(word, args, dataDir, client, terminal);
      if (args.has("chat")) return await addChatModel(args, dataDir, client, terminal);
      return await addRemote(args, dataDir, client, terminal);
    }
    case "verify":
      return await verifyModels(words, client, terminal);
    default:
      await client.send(Deleted, "DELETE", `/v1/models/${encodeURIComponent(word ?? "")}`, undefined, terminal.signal);
      terminal.out(`Removed ${word}\n`);
      return 0;
  }
}

async function list(client: Client, args: ModelsArguments, terminal: Terminal): Promise<number> {
  const scanned = await scan(client, terminal.signal);
  const { data } = await client.send(ModelList, "GET", "/v1/models", undefined, terminal.signal);
  const broken = scanned.filter((model) => !model.usable);
  if (args.has("json")) {
    terminal.out(`${JSON.stringify({ models: data, broken }, null, 2)}\n`);
    return 0;
  }
  const number = (value: number | null) => (value === null ? "" : String(value));
  printTable(
    terminal,
    ["MODEL", "WHERE", "DIMENSIONS", "TOKENS", "TYPE", "RUNS"],
    data.map((row) => [
      row.id,
      row.location,
      number(row.dimensions),
      number(row.max_tokens),
      row.type,
      row.resolves_to ?? row.id,
    ]),
  );
  for (const { id, problems } of broken) terminal.err(`${id} cannot be used: ${problems.join("; ")}\n`);
  return 0;
}

async function verifyFolders(folders: readonly string[], terminal: Terminal): Promise<number> {
  let failed = 0;
  for (const folder of folders) {
    const read = await readModelDirectory(basename(resolve(folder)), resolve(folder));
    if (!read.ok) failed += 1;
    tell(terminal, folder, read.ok ? [] : read.problems, read.ok ? `revision ${read.revision}` : "");
  }
  return failed === 0 ? 0 : 1;
}

/** Each is asked for a vector or a score; all that the server found when none is named. */
async function verifyModels(names: readonly string[], client: Client, terminal: Terminal): Promise<number> {
  const scanned = await scan(client, terminal.signal);
  let failed = 0;
  for (const id of names.length > 0 ? names : scanned.map((model) => model.id)) {
    let problems = scanned.find((model) => model.id === id)?.problems ?? [];
    let found = "";
    if (problems.length === 0) {
      try {
        const { type, dimensions } = await probe(client, id, terminal.signal);
        found = type === "embedding" ? `${dimensions} dimensions` : `a ${type === "chat" ? "chat model" : "reranker"}`;
      } catch (error) {
        problems = [messageOf(error)];
      }
    }
    if (problems.length > 0) failed += 1;
    tell(terminal, id, problems, found);
  }
  return failed === 0 ? 0 : 1;
}

/** Shows whom inactive models call and lets them be used: naming one is an operator's consent. */
function activate(names: readonly string[], args: ModelsArguments, terminal: Terminal): void {
  for (const model of activateAddedModels(namedDirectory(args, terminal), names))
    terminal.err(`${model.id} is active now: ${printable(describeRemote(model))}.\n`);
}

function tell(terminal: Terminal, name: string, problems: readonly string[], found: string): void {
  if (problems.length === 0) terminal.out(`${name}: ok, ${found}\n`);
  else terminal.out(`${name}: cannot be used\n${problems.map((problem) => `  - ${problem}\n`).join("")}`);
}

function isFolder(word: string): boolean {
  return existsSync(word) && statSync(word).isDirectory();
}
