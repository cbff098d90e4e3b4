/** `lectern files`: what is in a store and why something is not, once more, and out of it. */
import { Type } from "@sinclair/typebox";
import type { Static } from "@sinclair/typebox";
import { parseArguments } from "./arguments.ts";
import type { Arguments, Flags } from "./arguments.ts";
import { type Client, listAll } from "./client.ts";
import { connect, CONNECTION_FLAGS } from "./connect.ts";
import { STORES, storeNamed } from "./find-store.ts";
import { fileFinder } from "./judged-file.ts";
import { printJson } from "./output.ts";
import { inParallel } from "./parallel.ts";
import { printTable } from "./table.ts";
import { formatBytes, printable, UsageError, VerbFailed } from "./terminal.ts";
import type { Terminal } from "./terminal.ts";

const STATES = ["in_progress", "completed", "failed", "cancelled"];

export const FILES_FLAGS = {
  status: { value: "STATE", help: `list: only files that are ${STATES.join(", ")}`, choices: STATES },
  "all-failed": { help: "retry: every file that failed" },
  wait: { help: "retry: until they are indexed, or failed again" },
  delete: { help: "remove: delete the upload too, from every store" },
  json: { help: "print the server's answer as JSON" },
  ...CONNECTION_FLAGS,
} as const satisfies Flags;

export const FILES_HELP = `STORE is a name or an id, FILE a file's id, path or name. Without a word after STORE the files are listed, each with its
state and the reason of a failure. remove takes files out of the store; their uploads stay unless --delete is given.`;

const StoreFile = Type.Object({
  id: Type.String(),
  status: Type.String(),
  filename: Type.Optional(Type.String()),
  bytes: Type.Optional(Type.Integer()),
  chunks: Type.Optional(Type.Integer()),
  last_error: Type.Union([Type.Object({ code: Type.String(), message: Type.String() }), Type.Null()]),
  attributes: Type.Union([Type.Record(Type.String(), Type.Unknown()), Type.Null()]),
});
type StoreFile = Static<typeof StoreFile>;

type FilesArguments = Arguments<typeof FILES_FLAGS>;

const Deleted = Type.Object({ id: Type.String() });
const ACTIONS = ["list", "retry", "remove"];
const USAGE =
  "Say which store and what to do: lectern files STORE [list], lectern files STORE retry FILE... or --all-failed, or lectern files STORE remove FILE...";
const AT_ONCE = 8;

export async function files(argv: readonly string[], terminal: Terminal): Promise<number> {
  const args = parseArguments(argv, FILES_FLAGS);
  const [storeWord, action = "list", ...words] = args.words;
  if (!storeWord || !ACTIONS.includes(action)) throw new UsageError(USAGE);
  const namesFiles = words.length > 0 || (action === "retry" && args.has("all-failed"));
  if (namesFiles === (action === "list") || (words.length > 0 && args.has("all-failed"))) throw new UsageError(USAGE);
  const status = args.get("status");
  if (status !== undefined && !STATES.includes(status))
    throw new UsageError(`--status must be ${STATES.join(", ")}, not ${JSON.stringify(status)}.`);

  await using connection = await connect(args, terminal, { mayCreate: false });
  const { client } = connection;
  const { id } = await storeNamed(client, storeWord, terminal.signal);
  const path = `${STORES}/${id}/files`;
  if (action === "list") return await list(client, path, args, terminal);
  const all = await Array.fromAsync(listAll(client, StoreFile, path, terminal.signal));
  const chosen = args.has("all-failed") ? all.filter(({ status: state }) => state === "failed") : named(all, words);
  return await (action === "retry" ? retry : remove)({ client, path, chosen, args, terminal });
}

async function list(client: Client, path: string, args: FilesArguments, terminal: Terminal): Promise<number> {
  const status = args.get("status");
  const filter: Record<string, string> = status === undefined ? {} : { filter: status };
  const rows = await Array.fromAsync(listAll(client, StoreFile, path, terminal.signal, filter));
  if (args.has("json")) printJson(terminal, rows);
  else printTable(terminal, ["ID", "STATE", "CHUNKS", "SIZE", "FILE", "REASON"], rows.map(cells));
  return 0;
}

interface Task {
  client: Client;
  /** Address of the store's files. */
  path: string;
  chosen: readonly StoreFile[];
  args: FilesArguments;
  terminal: Terminal;
}

/** Exit status 1 if one failed again. */
async function retry({ client, path, chosen, args, terminal }: Task): Promise<number> {
  const { signal } = terminal;
  const done: StoreFile[] = [];
  await inParallel({ limit: AT_ONCE, signal }, chosen, async ({ id }) => {
    let file = await client.send(StoreFile, "POST", `${path}/${id}/retry`, undefined, signal);
    // The server holds the answer until the state ends, for some seconds at a time.
    while (args.has("wait") && file.status === "in_progress")
      file = await client.send(StoreFile, "GET", `${path}/${id}`, undefined, signal);
    done.push(file);
    if (!args.has("json")) terminal.out(`${said(file)}\n`);
  });
  if (args.has("json")) printJson(terminal, done);
  else if (chosen.length === 0) terminal.err("No file of the store failed.\n");
  return done.some(({ status }) => status === "failed") ? 1 : 0;
}

async function remove({ client, path, chosen, args, terminal }: Task): Promise<number> {
  const done: { id: string; deleted: boolean }[] = [];
  for (const file of chosen) {
    const address = args.has("delete") ? `/v1/files/${file.id}` : `${path}/${file.id}`;
    const { id } = await client.send(Deleted, "DELETE", address, undefined, terminal.signal);
    done.push({ id, deleted: args.has("delete") });
    if (!args.has("json")) terminal.out(`removed ${id} ${nameOf(file)}\n`);
  }
  if (args.has("json")) printJson(terminal, done);
  return 0;
}

/** The files that are called so. Throws `VerbFailed` for a word that no file, or more than one, is called. */
function named(all: readonly StoreFile[], words: readonly string[]): StoreFile[] {
  const find = fileFinder(
    all.map(({ id, filename = "", attributes }) => {
      const path = attributes?.["path"];
      return { id, filename, path: typeof path === "string" ? path : null };
    }),
  );
  return words.map((word) => {
    const id = find(word);
    const file = all.find((one) => one.id === id);
    if (file === undefined) throw new VerbFailed(`There is no file ${JSON.stringify(word)} in the store.`);
    return file;
  });
}

function nameOf({ attributes, filename = "" }: StoreFile): string {
  const path = attributes?.["path"];
  return printable(typeof path === "string" ? path : filename);
}

function said(file: StoreFile): string {
  const reason = file.last_error === null ? "" : `: ${printable(file.last_error.message)}`;
  return `${file.status.replace("_", " ")} ${file.id} ${nameOf(file)}${reason}`;
}

function cells(file: StoreFile): string[] {
  const { id, status, chunks, bytes, last_error: error } = file;
  const count = chunks === undefined ? "-" : String(chunks);
  const size = bytes === undefined ? "-" : formatBytes(bytes);
  return [id, status.replace("_", " "), count, size, nameOf(file), error?.message ?? ""];
}
