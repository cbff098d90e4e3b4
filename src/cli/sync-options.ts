import type { Arguments, Flags } from "./arguments.ts";
import { UsageError } from "./terminal.ts";
import type { Terminal } from "./terminal.ts";
import { INGEST_FLAGS, readIngestOptions } from "./ingest-options.ts";
import type { IngestOptions } from "./ingest-options.ts";

const { store, include, exclude, attributes, root, quiet, concurrency, url, key, data } = INGEST_FLAGS;

export const SYNC_FLAGS = {
  store,
  watch: { help: "go on, and take every change over as it happens" },
  "no-delete": { help: "leave documents in the store whose files are gone" },
  "allow-empty": { help: "believe a folder that holds no file at all, and take everything out" },
  include,
  exclude,
  attributes,
  root,
  "dry-run": INGEST_FLAGS["dry-run"],
  json: { help: "one JSON line a file, and one for the whole" },
  quiet,
  concurrency,
  url,
  key,
  "key-file": INGEST_FLAGS["key-file"],
  data,
} as const satisfies Flags;

export const SYNC_HELP = `What \`lectern ingest DIR --prune --yes\` does: new and changed files are indexed, documents whose files are gone are taken
out. A file or a folder that was moved or renamed is recognised by its bytes: nothing is indexed again, and its attribute
"path" is the new one. Only documents that came from this folder are touched.
With --watch it goes on until it is interrupted (exit status 0): a change is taken over when the file has been left alone
for a moment. Hidden files and folders and temporary files (.tmp, .part, ~, .swp and the like) are left out. Where the
system reports no changes (network disks, a limit of watches) the folder is looked through every few seconds, which is
said; with reports it is looked through every minute too, for those that were lost.
Nothing is taken out while the folder holds no file at all, unless --allow-empty is given.`;

export type SyncArguments = Arguments<typeof SYNC_FLAGS>;

export interface SyncOptions extends IngestOptions {
  watch: boolean;
}

/** Throws `UsageError` for what contradicts itself. */
export function readSyncOptions(args: SyncArguments, terminal: Terminal): SyncOptions {
  if (args.words.length !== 1 || !args.has("store") || args.words[0] === "-")
    throw new UsageError("Say which folder goes where: lectern sync DIR --store NAME.");
  if (args.has("watch") && args.has("dry-run"))
    throw new UsageError("--dry-run changes nothing, so it cannot --watch.");
  // The same words as ingest's, but that what left is taken out without a question.
  const asIngest = { ...args, has: (flag: string) => flag !== "yes" && flag !== "prune" && args.has(flag as "json") };
  const options = readIngestOptions(asIngest as Arguments<typeof INGEST_FLAGS>, terminal);
  return {
    ...options,
    prune: !args.has("no-delete"),
    yes: true,
    findsMoves: true,
    takesEmpty: args.has("allow-empty"),
    verb: "sync",
    watch: args.has("watch"),
  };
}
