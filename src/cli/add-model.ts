import { cpSync, existsSync, lstatSync, mkdirSync, rmSync, statSync } from "node:fs";
import { basename, join, relative, resolve } from "node:path";
import { Value } from "@sinclair/typebox/value";
import { knownModel } from "../embed/known-models.ts";
import { linkProblem } from "../embed/local/model-files.ts";
import { addingFolder, readModelDirectory, removeUnfinished } from "../models/models-dir.ts";
import { isPartOfModel } from "../models/place-folder.ts";
import { readAddedModels, RemoteModelTable, REMOTE_DIALECTS, writeAddedModels } from "../models/model-tables.ts";
import { messageOf } from "../errors.ts";
import type { Client } from "./client.ts";
import { type ModelsArguments, probe, problemsOf, scan } from "./model-requests.ts";
import { overridesIn, placeModel, placeOf, tellAdded, tellNoPrompts, tellUnusable } from "./place-model.ts";
import { UsageError, VerbFailed } from "./terminal.ts";
import type { Terminal } from "./terminal.ts";

/** Flags of `add --remote` that say nothing of a folder. */
const REMOTE_FLAGS = ["dialect", "model", "address", "api-key-env", "dimensions", "price"] as const;

/**
 * `add DIR`: checks the folder, runs it once in a process of its own, copies it into the data directory in one step, and
 * lets the server open it. A folder that
 * the server cannot use is taken away again. Says exactly what is wrong.
 */
export async function addFolder(
  folder: string,
  args: ModelsArguments,
  dataDir: string,
  client: Client,
  terminal: Terminal,
): Promise<number> {
  const stray = REMOTE_FLAGS.find((flag) => args.has(flag));
  if (stray !== undefined) throw new UsageError(`--${stray} is for models add --remote, not for a folder.`);
  const overrides = overridesIn(args);
  const source = resolve(folder);
  if (!existsSync(source) || !statSync(source).isDirectory()) throw new VerbFailed(`There is no folder ${folder}.`);
  const id = args.get("id") ?? basename(source);
  const read = await readModelDirectory(id, source, overrides);
  if (!read.ok) return refuse(terminal, folder, read.problems);
  placeOf(id, dataDir);
  const models = join(dataDir, "models");
  removeUnfinished(models);
  const partial = addingFolder(models);
  try {
    mkdirSync(models, { recursive: true, mode: 0o700 });
    const filter = (path: string) => {
      const name = relative(source, path);
      if (name === "" || !isPartOfModel(name, read.files)) return name === "";
      const problem = lstatSync(path).isSymbolicLink() ? linkProblem(source, name) : null;
      if (problem !== null) throw new VerbFailed(`${folder} cannot be used: ${problem}.`);
      return true;
    };
    cpSync(source, partial, { recursive: true, dereference: true, filter });
    const placed = await placeModel({ id, dataDir, partial, overrides }, client, terminal);
    if (!placed.ok) return refuse(terminal, folder, placed.problems);
    if (!placed.namesPrompts) tellNoPrompts(terminal);
  } catch (error) {
    rmSync(partial, { recursive: true, force: true });
    throw error;
  }
  await tellAdded(id, client, terminal);
  return 0;
}

/**
 * `add --remote`: writes the model into the operator's file and lets the server ask its provider for vectors. What they
 * tell, their dimensions and where their cosines begin, is written down, so that a start asks nobody.
 */
export async function addRemote(
  args: ModelsArguments,
  dataDir: string,
  client: Client,
  terminal: Terminal,
): Promise<number> {
  if (args.has("variant")) throw new UsageError("--variant is for a folder, not for models add --remote.");
  const table = remoteTable(args);
  const before = readAddedModels(dataDir);
  if (!before.ok) throw new VerbFailed(before.problem);
  const others = before.tables.models.filter(({ id }) => id !== table.id);
  if (others.length < before.tables.models.length) {
    throw new VerbFailed(`There is a model '${table.id}' already: remove it first, or choose another name with --id.`);
  }
  const earlier = await scan(client, terminal.signal);
  if (earlier.some(({ id }) => id === table.id)) {
    throw new VerbFailed(`There is a model '${table.id}' already, which was not added by this verb.`);
  }
  // The server asks for the dimensions of a model that nobody knows, so that they are right whatever was said.
  const isKnown = knownModel(table.model ?? table.id)?.provider === table.dialect;
  const { dimensions: said, ...unsized } = table;
  writeAddedModels(dataDir, { models: [...others, isKnown ? table : unsized] });
  const undo = async () => {
    writeAddedModels(dataDir, { models: others });
    await scan(client, terminal.signal);
  };
  const scanned = await scan(client, terminal.signal);
  const problems = problemsOf(scanned, table.id);
  if (problems.length > 0) {
    await undo();
    return refuse(terminal, table.id, problems);
  }
  try {
    const { dimensions, max_tokens } = await probe(client, table.id, terminal.signal);
    if (!isKnown && said !== undefined && said !== dimensions)
      throw new Error(`its vectors have ${dimensions} dimensions, not ${said}`);
    const unrelated = isKnown ? null : (scanned.find(({ id }) => id === table.id)?.unrelated_cosine ?? null);
    const found = {
      ...(dimensions !== null && { dimensions }),
      ...(max_tokens !== null && { max_tokens }),
      ...(unrelated !== null && { unrelated_cosine: Math.round(unrelated * 1000) / 1000 }),
    };
    writeAddedModels(dataDir, { models: [...others, { ...table, ...found }] });
    await scan(client, terminal.signal);
  } catch (error) {
    await undo();
    return refuse(terminal, table.id, [messageOf(error)]);
  }
  await tellAdded(table.id, client, terminal);
  return 0;
}

function remoteTable(args: ModelsArguments): RemoteModelTable {
  const number = (flag: "dimensions" | "max-tokens" | "price") => {
    const text = args.get(flag);
    return text === undefined ? undefined : Number(text);
  };
  const model = args.get("model");
  const dialect = args.get("dialect") ?? (args.get("address") === undefined ? undefined : "openai-compatible");
  if (dialect === undefined) throw new UsageError(`Say what it speaks: --dialect ${REMOTE_DIALECTS.join(" | ")}.`);
  const id = args.get("id") ?? model;
  if (id === undefined) throw new UsageError("Say which model: --model NAME, as its provider calls it.");
  const given = {
    id,
    dialect,
    model: model === id ? undefined : model,
    address: args.get("address"),
    api_key_env: args.get("api-key-env"),
    dimensions: number("dimensions"),
    max_tokens: number("max-tokens"),
    query_prefix: args.get("query-prefix"),
    passage_prefix: args.get("passage-prefix"),
    usd_per_million_tokens: number("price"),
  };
  const table: unknown = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
  if (Value.Check(RemoteModelTable, table)) return table;
  const key = Value.Errors(RemoteModelTable, table).First()?.path.slice(1).replaceAll("_", "-") ?? "";
  throw new UsageError(`--${key === "usd-per-million-tokens" ? "price" : key} does not fit; see lectern help models.`);
}

function refuse(terminal: Terminal, what: string, problems: readonly string[]): number {
  tellUnusable(what, problems, terminal);
  return 1;
}
