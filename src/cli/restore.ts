import { closeSync, createReadStream, existsSync, fsyncSync, mkdirSync, openSync, readdirSync } from "node:fs";
import { renameSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { replaceKeys } from "../app/access-keys.ts";
import { messageOf } from "../errors.ts";
import { type AddedModel, deactivateAddedModels, describeRemote } from "../models/model-tables.ts";
import { readBackup } from "../platform/backup-archive.ts";
import { findPlace } from "../platform/data-place.ts";
import { makeDirectory, syncPath, syncTree, writeAll } from "../platform/replace-file.ts";
import { TarError } from "../platform/tar.ts";
import { databaseProblem } from "../storage/inspect.ts";
import { openSqlite } from "../storage/sqlite.ts";
import { createStorage } from "../storage/storage.ts";
import { faultOfFile } from "../workers/ocr-bundled.ts";
import { knownLanguages, languageDirectory } from "../workers/ocr-languages.ts";
import { parseArguments } from "./arguments.ts";
import type { Flags } from "./arguments.ts";
import { checkBackup, refusal } from "./backup.ts";
import { putBack } from "./put-back.ts";
import { printable, UsageError, VerbFailed } from "./terminal.ts";
import type { Terminal } from "./terminal.ts";

export const RESTORE_FLAGS = {
  data: { value: "DIR", help: "data directory to make; it must be empty or missing. ./lectern-data unless set" },
  check: { help: "only check the backup: every byte is as it was written" },
  "before-upgrade": { help: "go back in DIR to the database that was kept before the last upgrade; takes no FILE" },
  "new-keys": { help: "make every key of the backup invalid, and print a new administrator's key" },
} as const satisfies Flags;

/**
 * `lectern restore FILE`: checks every byte and the database, then makes the data directory in one step. The file may come
 * from somebody else, so nothing in it acts by itself: the database has no SQL of its own, and remote models wait for an
 * operator.
 */
export async function restore(argv: readonly string[], terminal: Terminal): Promise<number> {
  const args = parseArguments(argv, RESTORE_FLAGS);
  const [path, ...more] = args.words;
  const dataDir = args.get("data") ?? (terminal.env["LECTERN_DATA"] || "./lectern-data");
  if ((terminal.env["LECTERN_DATABASE"] ?? "") !== "" && !args.has("check"))
    throw new VerbFailed(
      "LECTERN_DATABASE names a database, which is restored with its own tools (pg_restore, or the copy that its operator keeps). To make a data directory of a backup file, unset it.",
    );
  if (args.has("before-upgrade")) {
    if (path !== undefined || args.has("new-keys") || args.has("check"))
      throw new UsageError("--before-upgrade goes with --data alone: lectern restore --before-upgrade --data DIR.");
    return putBack(dataDir, terminal);
  }
  if (path === undefined || more.length > 0) throw new UsageError("Say what from: lectern restore FILE --data DIR.");
  if (!existsSync(path)) throw new VerbFailed(`There is no file ${path}.`);
  const manifest = await checkBackup(path);
  const from = `a backup of ${new Date(manifest.created_at * 1000).toISOString()} by Lectern ${manifest.lectern}`;
  if (args.has("check")) {
    terminal.out(`${path} is whole: ${from}, ${manifest.files} files\n`);
    return 0;
  }
  const target = targetOf(dataDir);
  const partial = `${target}.restoring`;
  let made: { models: AddedModel[]; key: string | null };
  let leftOut: string[];
  let lies = partial;
  try {
    rmSync(partial, { recursive: true, force: true });
    makeDirectory(dirname(partial));
    mkdirSync(partial, { mode: 0o700 });
    await unpack(path, partial);
    made = await disarm(partial, args.has("new-keys"));
    leftOut = await leaveOutLanguages(partial);
    // The names of the files too, before the directory has the name under which it is believed.
    syncTree(partial);
    rmSync(target, { recursive: true, force: true });
    renameSync(partial, target);
    lies = target;
    syncPath(dirname(target));
  } catch (error) {
    rmSync(lies, { recursive: true, force: true });
    throw refusal(path, error);
  }
  terminal.err(`Restored ${from} into ${target}. Start it with: lectern serve --data ${target}\n`);
  for (const sentence of leftOut) terminal.err(`${sentence}\n`);
  tellModels(made.models, terminal);
  if (made.key !== null) {
    terminal.err("No key of the backup is valid; the new administrator's key is shown this once:\n");
    terminal.out(`${made.key}\n`);
  } else if (!args.has("new-keys"))
    terminal.err("Keys that were revoked after the backup was taken are valid again; --new-keys makes all invalid.\n");
  return 0;
}

function targetOf(named: string): string {
  const place = findPlace(named);
  if (place.type === "refuse") throw new VerbFailed(`${named} cannot be the data directory: ${place.reason}.`);
  const { path } = place;
  if (existsSync(path) && readdirSync(path).length > 0)
    throw new VerbFailed(`${path} is not empty. Choose another directory with --data, or move it away.`);
  return path;
}

async function unpack(path: string, partial: string): Promise<void> {
  await readBackup(createReadStream(path), async (name, content) => {
    const target = join(partial, name);
    mkdirSync(dirname(target), { recursive: true, mode: 0o700 });
    const file = openSync(target, "wx", 0o600);
    try {
      for await (const piece of content) writeAll(file, piece);
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
  });
}

/** Throws where the directory holds what must not be used; takes away what would act by itself. */
async function disarm(partial: string, withNewKeys: boolean): Promise<{ models: AddedModel[]; key: string | null }> {
  const database = join(partial, "meta.sqlite");
  const problem = databaseProblem(database);
  if (problem !== null) throw new TarError(`its database cannot be used, for ${problem}`);
  let models: AddedModel[];
  try {
    models = deactivateAddedModels(partial);
  } catch (error) {
    throw new TarError(`its list of remote models cannot be used: ${messageOf(error).replace(`${partial}/`, "")}`);
  }
  return { models, key: withNewKeys ? await replaceKeysOf(database) : null };
}

/** Languages for OCR that `lectern ocr add` would not take; the rest of a backup is no worse for them. */
async function leaveOutLanguages(partial: string): Promise<string[]> {
  const sentences: string[] = [];
  for (const { name, path, isBuiltIn } of knownLanguages(languageDirectory(partial))) {
    const fault = isBuiltIn ? null : await faultOfFile({ name, path });
    if (fault === null) continue;
    rmSync(path);
    sentences.push(`The language ${name} for OCR was left out: ${fault}. Add it with: lectern ocr add FILE`);
  }
  return sentences;
}

async function replaceKeysOf(path: string): Promise<string | null> {
  const database = openSqlite(path);
  try {
    return await replaceKeys(createStorage(database), Math.floor(Date.now() / 1000));
  } finally {
    await database.close();
  }
}

function tellModels(models: readonly AddedModel[], terminal: Terminal): void {
  for (const model of models)
    terminal.err(
      `The remote model ${model.id} is inactive: ${printable(describeRemote(model))}. Let it be used with: lectern models verify ${model.id}\n`,
    );
}
