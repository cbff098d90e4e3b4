import { readAttributes } from "./attributes.ts";
import type { Attributes } from "./attributes.ts";
import { integerFlag } from "./arguments.ts";
import type { Arguments, Flags } from "./arguments.ts";
import { realPlace } from "./collect.ts";
import { CONNECTION_FLAGS } from "./connect.ts";
import { readRoot, storePath } from "./names.ts";
import type { ChosenRoot } from "./names.ts";
import { OWN_ATTRIBUTES } from "./store-files.ts";
import { UsageError } from "./terminal.ts";
import type { Terminal } from "./terminal.ts";

export const INGEST_FLAGS = {
  store: { value: "NAME", help: "name or id of the vector store" },
  include: { value: "GLOB", help: "only files whose path or name matches, e.g. '*.pdf'", many: true },
  exclude: { value: "GLOB", help: "no files whose path or name matches", many: true },
  attributes: { value: "KEY=VALUE", help: "kept with each file, for filters in searches", many: true },
  root: { value: "DIR", help: "folder that paths in the store begin below; NAME=DIR where it may move" },
  name: { value: "PATH", help: "what the document from standard input (-) is called" },
  prune: { help: "take files that left the folders out of the store" },
  "dry-run": { help: "say what would happen, and change nothing" },
  yes: { help: "prune without asking" },
  json: { help: "one JSON line a file, and one for the whole" },
  quiet: { help: "print failures only" },
  concurrency: { value: "N", help: "files in flight at the same time, 8 unless set" },
  ...CONNECTION_FLAGS,
} as const satisfies Flags;

export type IngestArguments = Arguments<typeof INGEST_FLAGS>;

export interface IngestOptions {
  store: string;
  /** Without the `-` of standard input. */
  paths: string[];
  /** The name of the document from standard input; null when that is not read. */
  inputName: string | null;
  include: string[];
  exclude: string[];
  attributes: Attributes;
  root: ChosenRoot | null;
  prune: boolean;
  /** Documents of files that moved are recognised, also where nothing is taken out. */
  findsMoves: boolean;
  /** A folder without a single file is believed, and its documents are taken out. */
  takesEmpty: boolean;
  /** Of which the JSON lines are named. */
  verb: "ingest" | "sync";
  dryRun: boolean;
  yes: boolean;
  json: boolean;
  quiet: boolean;
  concurrency: number;
  /** The data directory, which is no document. */
  avoid: string;
}

const INPUT = "-";

/** Throws `UsageError` for what contradicts itself. */
export function readIngestOptions(args: IngestArguments, terminal: Terminal): IngestOptions {
  const store = args.get("store");
  if (args.words.length === 0 || !store)
    throw new UsageError("Say what goes where: lectern ingest PATH... --store NAME.");
  const attributes = readAttributes(args.all("attributes"), OWN_ATTRIBUTES);
  const concurrency = integerFlag("concurrency", args.get("concurrency"), 8, 1, 64);
  const root = args.get("root");
  const flags = { prune: args.has("prune"), dryRun: args.has("dry-run"), yes: args.has("yes") };
  if (flags.prune && !flags.yes && !flags.dryRun && !terminal.ask)
    throw new UsageError("--prune takes documents out of the store; say --yes if that is meant, or --dry-run to see.");
  return {
    store,
    paths: args.words.filter((word) => word !== INPUT),
    inputName: readInputName(args),
    include: args.all("include"),
    exclude: args.all("exclude"),
    attributes,
    root: root === undefined ? null : readRoot(root, realPlace),
    ...flags,
    findsMoves: flags.prune,
    takesEmpty: true,
    verb: "ingest",
    json: args.has("json"),
    quiet: args.has("quiet"),
    concurrency,
    avoid: args.get("data") ?? terminal.env["LECTERN_DATA"] ?? "./lectern-data",
  };
}

function readInputName(args: IngestArguments): string | null {
  const name = args.get("name");
  const inputs = args.words.filter((word) => word === INPUT).length;
  if (inputs === 0) {
    if (name === undefined) return null;
    throw new UsageError(`--name is for standard input: lectern ingest - --name ${name} --store NAME.`);
  }
  const path = storePath(name ?? "");
  if (inputs > 1 || path === "")
    throw new UsageError(
      "Standard input is one document and needs a name: lectern ingest - --name notes.md --store NAME.",
    );
  return path;
}
