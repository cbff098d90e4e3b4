import { existsSync, rmSync } from "node:fs";
import { join } from "node:path";
import { definedOf, type ModelOverrides } from "../embed/local/model-folder.ts";
import { readModelDirectory } from "../models/models-dir.ts";
import { moveIntoPlace, writeOverrides } from "../models/place-folder.ts";
import { unpackNatives } from "../platform/native.ts";
import { findProcessBounds } from "../platform/process-bounds.ts";
import { tryModel } from "../workers/model-trial.ts";
import { integerFlag } from "./arguments.ts";
import type { Client } from "./client.ts";
import { ModelRow, type ModelsArguments, problemsOf, scan } from "./model-requests.ts";
import { type Terminal, VerbFailed } from "./terminal.ts";

/** A model's folder on its way into the data directory. */
export interface Placing {
  id: string;
  dataDir: string;
  /** Where it lies whole, out of sight and on the same disk. */
  partial: string;
  overrides: ModelOverrides;
}

/** Where a model of this name belongs. Throws a `UsageError` where there is one already. */
export function placeOf(id: string, dataDir: string): string {
  const target = join(dataDir, "models", id);
  if (existsSync(target))
    throw new VerbFailed(`There is a model '${id}' already: remove it first, or choose another name with --id.`);
  return target;
}

export type Placed = { ok: true; namesPrompts: boolean } | { ok: false; problems: readonly string[] };

/**
 * Runs the model once in a process of its own, puts it in its place in one step, and lets the server open it. What cannot
 * be used is not there afterwards, under neither name.
 */
export async function placeModel(placing: Placing, client: Client, terminal: Terminal): Promise<Placed> {
  const { id, dataDir, partial, overrides } = placing;
  const target = placeOf(id, dataDir);
  const refuse = (problems: readonly string[], at: string): Placed => {
    rmSync(at, { recursive: true, force: true });
    return { ok: false, problems };
  };
  writeOverrides(partial, overrides);
  const read = await readModelDirectory(id, partial);
  if (!read.ok) return refuse(read.problems, partial);
  const { kind, files } = read;
  const natives = await unpackNatives(dataDir);
  const wrong = await tryModel({ kind, directory: partial, files }, { natives, bounds: await findProcessBounds() });
  if (wrong.length > 0) return refuse(wrong, partial);
  moveIntoPlace(partial, target);
  const problems = problemsOf(await scan(client, terminal.signal), id);
  if (problems.length > 0) {
    const refused = refuse(problems, target);
    await scan(client, terminal.signal);
    return refused;
  }
  return {
    ok: true,
    namesPrompts: kind === "reranker" || read.spec.queryPrefix !== "" || read.spec.passagePrefix !== "",
  };
}

/** What the flags say of a folder's model on top of its files. */
export function overridesIn(args: ModelsArguments): ModelOverrides {
  return definedOf({
    variant: args.get("variant"),
    maxTokens: args.has("max-tokens") ? integerFlag("max-tokens", args.get("max-tokens"), 0, 1, 1_000_000) : undefined,
    queryPrefix: args.get("query-prefix"),
    passagePrefix: args.get("passage-prefix"),
    matryoshka: args.has("matryoshka") ? sizesIn(args.get("matryoshka") ?? "") : undefined,
  });
}

function sizesIn(text: string): number[] {
  const sizes = text.split(",").map((size) => integerFlag("matryoshka", size.trim(), 0, 1, 100_000));
  return [...new Set(sizes)].sort((a, b) => a - b);
}

/** Tells that the model can be used now. */
export async function tellAdded(id: string, client: Client, terminal: Terminal): Promise<void> {
  const model = await client.send(ModelRow, "GET", `/v1/models/${encodeURIComponent(id)}`, undefined, terminal.signal);
  terminal.out(`${model.id}\n`);
  const what = model.type === "reranker" ? "a reranker" : `${model.dimensions} dimensions`;
  terminal.err(`Added ${model.id}: ${what}, windows of ${model.max_tokens} tokens.\n`);
  const { missing_at: missing = [] } = (await scan(client, terminal.signal)).find((one) => one.id === id) ?? {};
  if (missing.length > 0)
    terminal.err(`Other servers of the database lack it; add it to each: ${missing.join(", ")}.\n`);
}

export function tellUnusable(what: string, problems: readonly string[], terminal: Terminal): void {
  terminal.err(`${what} cannot be used:\n${problems.map((problem) => `  - ${problem}\n`).join("")}`);
}

export function tellNoPrompts(terminal: Terminal): void {
  terminal.err("Its files name no prompts: if its card asks for some, add it with --query-prefix, --passage-prefix.\n");
}
