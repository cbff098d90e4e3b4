/** Models that an operator dropped into the data directory: <data>/models/<name>/ or <data>/models/<owner>/<name>/. */
import { existsSync, readdirSync, renameSync, rmdirSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { directoryModelFiles } from "../embed/local/model-files.ts";
import { isCrossEncoderFolder, readCrossEncoderFolder } from "../embed/local/cross-encoder-folder.ts";
import type { ModelOverrides, ModelSpec } from "../embed/local/model-folder.ts";
import { readModelFolder } from "../embed/local/model-folder.ts";
import { modelRevision } from "../embed/local/revision.ts";
import { messageOf } from "../errors.ts";
import { isLeftBehind } from "../platform/process-alive.ts";

/** `files` are those that are read, by their paths in the folder: its other graphs are not among them. */
export type ModelDirectory =
  | { ok: true; kind: "embedding"; id: string; directory: string; spec: ModelSpec; files: string[]; revision: string }
  | { ok: true; kind: "reranker"; id: string; directory: string; files: string[]; revision: string }
  | { ok: false; id: string; directory: string; problems: string[] };

/** Parts of a model's id, which clients send in addresses and operators type. */
const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,95}$/;
/** A folder on its way in or out, by the process that is at it: what `addingFolder` and `removeModelFolder` make. */
const UNFINISHED = /^\.(?:adding|removing)-(\d+)(?:-\d+)?$/;
/** Files that make a folder a model's rather than an owner's. */
const MODEL_FILES = ["config.json", "tokenizer.json", "modules.json"];

/**
 * Every model folder there is, broken ones with their problems, sorted by id. Reads the folders' files once (the
 * revision is a hash of them) and loads nothing native; whether a graph runs is seen when a worker opens it.
 */
export async function scanModels(modelsDirectory: string, overrides?: ModelOverrides): Promise<ModelDirectory[]> {
  const found: ModelDirectory[] = [];
  for (const { id, directory } of modelDirectories(modelsDirectory)) {
    found.push(await readModelDirectory(id, directory, overrides));
  }
  return found;
}

/** One folder: what `models verify` and a scan say about it. */
export async function readModelDirectory(
  id: string,
  directory: string,
  overrides?: ModelOverrides,
): Promise<ModelDirectory> {
  const bad = id.split("/").filter((part) => !NAME.test(part));
  if (bad.length > 0) {
    return {
      ok: false,
      id,
      directory,
      problems: [`'${id}' cannot be a model's name: use letters, digits, '.', '_' and '-'`],
    };
  }
  try {
    const files = directoryModelFiles(directory);
    if (await isCrossEncoderFolder(files)) {
      const folder = await readCrossEncoderFolder(files, overrides);
      if (!folder.ok) return { ok: false, id, directory, problems: folder.problems };
      const revision = await modelRevision(files, folder.spec);
      return { ok: true, kind: "reranker", id, directory, files: folder.spec.files, revision };
    }
    const folder = await readModelFolder(files, overrides);
    if (!folder.ok) return { ok: false, id, directory, problems: folder.problems };
    const { spec } = folder;
    const revision = await modelRevision(files, spec);
    return { ok: true, kind: "embedding", id, directory, spec, files: spec.files, revision };
  } catch (error) {
    const reason = messageOf(error);
    return { ok: false, id, directory, problems: [`the folder cannot be read: ${reason}`] };
  }
}

/** Ids and folders of all there are, read or not. */
export function modelDirectories(root: string): { id: string; directory: string }[] {
  const found: { id: string; directory: string }[] = [];
  for (const name of subdirectories(root)) {
    const directory = join(root, name);
    const children = isModelFolder(directory)
      ? []
      : subdirectories(directory).filter((c) => isModelFolder(join(directory, c)));
    if (children.length === 0) found.push({ id: name, directory });
    else for (const child of children) found.push({ id: `${name}/${child}`, directory: join(directory, child) });
  }
  return found.sort((a, b) => (a.id < b.id ? -1 : 1));
}

function isModelFolder(directory: string): boolean {
  return MODEL_FILES.some((name) => existsSync(join(directory, name)));
}

/** Names of the folders in a directory, links to folders included; none where it does not exist. */
function subdirectories(directory: string): string[] {
  if (!existsSync(directory)) return [];
  return readdirSync(directory, { withFileTypes: true })
    .filter((entry) => !entry.name.startsWith(".") && (entry.isDirectory() || entry.isSymbolicLink()))
    .map((entry) => entry.name);
}

/** Where this process copies a model to, out of sight until it is whole. */
export function addingFolder(modelsDirectory: string): string {
  return join(modelsDirectory, `.adding-${process.pid}`);
}

/**
 * Removes what processes that were killed have left half copied or half removed. For whoever is at none itself in there.
 * What cannot be removed is in nobody's way and stays.
 */
export function removeUnfinished(modelsDirectory: string): void {
  const owners = subdirectories(modelsDirectory).map((name) => join(modelsDirectory, name));
  for (const folder of [modelsDirectory, ...owners]) {
    if (!existsSync(folder)) continue;
    for (const name of readdirSync(folder)) {
      if (!isLeftBehind(name, UNFINISHED)) continue;
      try {
        rmSync(join(folder, name), { recursive: true, force: true });
      } catch {
        // Another user's.
      }
    }
  }
}

/** Takes a model's folder out of the models directory; out of sight in one step, for half of it would be a broken model. */
export function removeModelFolder(id: string, path: string): void {
  const gone = join(dirname(path), `.removing-${process.pid}-${Date.now()}`);
  renameSync(path, gone);
  rmSync(gone, { recursive: true, force: true });
  // An owner's folder without models would be taken for a model.
  const owner = dirname(path);
  if (id.includes("/") && readdirSync(owner).length === 0) rmdirSync(owner);
}
