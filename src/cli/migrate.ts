/** `lectern migrate`, `promote` and `rollback`: another embedding model for a store that goes on serving, and back. */
import { integerFlag, parseArguments } from "./arguments.ts";
import type { Arguments, Flags } from "./arguments.ts";
import type { Client } from "./client.ts";
import { connect, CONNECTION_FLAGS } from "./connect.ts";
import { STORES, storeNamed } from "./find-store.ts";
import { EXIT } from "./ingest-report.ts";
import { followMigration, Migration, migrationsOf, printReport } from "./migrations.ts";
import { printJson, shownTime } from "./output.ts";
import { printable, UsageError, VerbFailed } from "./terminal.ts";
import type { Terminal } from "./terminal.ts";

export const MIGRATE_FLAGS = {
  model: { value: "NAME", help: "embedding model to move to; lectern models list names them" },
  dimensions: { value: "N", help: "shorter vectors, where the model can" },
  "chunk-tokens": { value: "N", help: "other chunks too: their size, 100 to 4096 tokens" },
  "chunk-overlap": {
    value: "N",
    help: "what neighbouring chunks share; half of --chunk-tokens at most, and unless set",
  },
  "dry-run": { help: "build and compare, and wait for lectern promote" },
  "min-overlap": { value: "SHARE", help: "gate: least share of the ten best that both have, 0 to 1" },
  "min-recall": { value: "SHARE", help: "gate: least recall at 10, 0 to 1" },
  "max-latency-ratio": { value: "N", help: "gate: most that the 95th percentile of latency may grow" },
  "retain-hours": { value: "N", help: "how long the old index is kept for a rollback; 168 unless set" },
  wait: { help: "follow it to its end and print the report" },
  json: { help: "print the server's answer as JSON" },
  ...CONNECTION_FLAGS,
} as const satisfies Flags;

export const SWITCH_FLAGS = {
  json: { help: "print the server's answer as JSON" },
  ...CONNECTION_FLAGS,
} as const satisfies Flags;

export const MIGRATE_HELP = `A second index is built beside the live one, compared with it, and put in its place in one step; searches go on. Without a
gate or --dry-run it goes live by itself. It goes on at the server if this command is interrupted, or if --wait is left out:
lectern status shows it. The exit status of --wait is 1 if it failed, was cancelled or missed its gate.`;

export const PROMOTE_HELP =
  "The newest migration of the store goes live although it is a dry run or missed its gate. Ends when it is live.";
export const ROLLBACK_HELP =
  "The index before the newest migration goes live again, with what was put in since. Ends when it is live.";

const CHUNK_TOKENS = { least: 100, most: 4096 };
const OVER = new Set(["ready", "completed", "rolled_back", "cancelled", "failed"]);

export async function migrate(argv: readonly string[], terminal: Terminal): Promise<number> {
  const args = parseArguments(argv, MIGRATE_FLAGS);
  const [storeWord, ...more] = args.words;
  if (!storeWord || more.length > 0 || !args.has("model"))
    throw new UsageError("Say which store and to which model: lectern migrate STORE --model NAME.");
  const body = bodyOf(args);

  await using connection = await connect(args, terminal, { mayCreate: false });
  const { client } = connection;
  const store = await storeNamed(client, storeWord, terminal.signal);
  const path = `${STORES}/${store.id}/migrate`;
  const started = await client.send(Migration, "POST", path, body, terminal.signal);
  if (!args.has("wait")) {
    if (args.has("json")) printJson(terminal, started);
    else terminal.out(`${started.id}\n`);
    return EXIT.done;
  }
  const ended = await follow({ client, migration: started, isOver: ({ status }) => OVER.has(status), terminal });
  if (ended === null) return EXIT.interrupted;
  if (args.has("json")) printJson(terminal, ended);
  else {
    printReport(ended, terminal);
    terminal.out(`${verdictOf(ended, storeWord)}\n`);
  }
  const isMissed = ended.status === "ready" && ended.report?.gate === "missed";
  return isMissed || ended.status === "failed" || ended.status === "cancelled" ? EXIT.failed : EXIT.done;
}

export async function promote(argv: readonly string[], terminal: Terminal): Promise<number> {
  return await switchOver(argv, terminal, { verb: "promote", from: "ready", to: "completed" });
}

export async function rollback(argv: readonly string[], terminal: Terminal): Promise<number> {
  return await switchOver(argv, terminal, { verb: "rollback", from: "completed", to: "rolled_back" });
}

/** A verb that takes the newest migration from one state to another. */
interface Switch {
  verb: "promote" | "rollback";
  from: string;
  to: string;
}

async function switchOver(argv: readonly string[], terminal: Terminal, { verb, from, to }: Switch): Promise<number> {
  const args = parseArguments(argv, SWITCH_FLAGS);
  const [storeWord, ...more] = args.words;
  if (!storeWord || more.length > 0) throw new UsageError(`Say which store: lectern ${verb} STORE.`);
  await using connection = await connect(args, terminal, { mayCreate: false });
  const { client } = connection;
  const { id } = await storeNamed(client, storeWord, terminal.signal);
  const all = await migrationsOf(client, id, 100, terminal.signal);
  // A dry run that came to nothing after a switch does not stand in the way of going back.
  const migration = all.find(({ status }) => status === from);
  if (migration === undefined) throw new VerbFailed(noneText(all[0], { verb, from, to }, storeWord));
  const path = `${STORES}/${id}/migrations/${migration.id}`;
  const asked = await client.send(Migration, "POST", `${path}/${verb}`, undefined, terminal.signal);
  const isOver = ({ status }: Migration) => status === to || status === "failed" || status === "cancelled";
  const ended = await follow({ client, migration: asked, isOver, terminal });
  if (ended === null) return EXIT.interrupted;
  if (args.has("json")) printJson(terminal, ended);
  else terminal.out(`${verdictOf(ended, storeWord)}\n`);
  return ended.status === to ? EXIT.done : EXIT.failed;
}

interface Followed {
  client: Client;
  migration: Migration;
  isOver: (migration: Migration) => boolean;
  terminal: Terminal;
}

/** null when it was interrupted. */
async function follow({ client, migration, isOver, terminal }: Followed): Promise<Migration | null> {
  try {
    return await followMigration(client, migration, isOver, terminal);
  } catch (error) {
    if (!terminal.signal.aborted) throw error;
    terminal.err(`The migration ${migration.id} goes on at the server; lectern status shows it.\n`);
    return null;
  }
}

function noneText(newest: Migration | undefined, { verb, from }: Switch, store: string): string {
  if (newest === undefined) return `The store ${store} has no migration to ${verb === "promote" ? verb : "roll back"}.`;
  const state = newest.status.replaceAll("_", " ");
  return `No migration of the store ${store} is ${from}; the newest, ${newest.id}, is ${state}.`;
}

function verdictOf(migration: Migration, store: string): string {
  const { status, last_error: error, to, from, report, rollback_until: until } = migration;
  const [name, new_, old] = [store, to.embedding_model, from.embedding_model].map(printable);
  const back = until === null ? "" : `; lectern rollback ${name} goes back, until ${shownTime(until)}`;
  if (status === "completed") return `The store ${name} is searched with ${new_} now${back}.`;
  if (status === "rolled_back") return `The store ${name} is searched with ${old} again.`;
  if (status === "ready") {
    const why = report?.gate === "missed" ? "The gate was missed" : "Nothing was switched";
    return `${why}; lectern promote ${name} makes ${new_} live.`;
  }
  const reason = error === null ? "" : `: ${printable(error.message)}`;
  return `The migration is ${status.replaceAll("_", " ")}${reason}; the store ${name} is searched with ${old} as before.`;
}

function bodyOf(args: Arguments<typeof MIGRATE_FLAGS>): object {
  const whole = (name: keyof typeof MIGRATE_FLAGS, least: number, most: number) =>
    args.has(name) ? integerFlag(name, args.get(name), 0, least, most) : undefined;
  const gate = {
    min_overlap: numberFlag("min-overlap", args.get("min-overlap"), 1),
    min_recall: numberFlag("min-recall", args.get("min-recall"), 1),
    max_latency_ratio: numberFlag("max-latency-ratio", args.get("max-latency-ratio"), Number.MAX_SAFE_INTEGER),
  };
  const size = whole("chunk-tokens", CHUNK_TOKENS.least, CHUNK_TOKENS.most);
  const overlap = whole("chunk-overlap", 0, Math.floor((size ?? CHUNK_TOKENS.most) / 2));
  if (overlap !== undefined && size === undefined) throw new UsageError("--chunk-overlap goes with --chunk-tokens.");
  const chunks =
    size === undefined
      ? undefined
      : { max_chunk_size_tokens: size, chunk_overlap_tokens: overlap ?? Math.floor(size / 2) };
  // What is undefined is left out of the JSON.
  return {
    embedding_model: args.get("model"),
    dimensions: whole("dimensions", 1, 65_536),
    chunking_strategy: chunks && { type: "static", static: chunks },
    gate: Object.values(gate).some((value) => value !== undefined) ? gate : undefined,
    dry_run: args.has("dry-run"),
    retain_hours: whole("retain-hours", 0, 8760),
  };
}

function numberFlag(name: string, text: string | undefined, most: number): number | undefined {
  if (text === undefined) return undefined;
  const value = /^\d+(\.\d+)?$/.test(text) ? Number(text) : Number.NaN;
  if (value >= 0 && value <= most) return value;
  const bound = most === 1 ? " from 0 to 1" : "";
  throw new UsageError(`--${name} must be a number${bound}, not ${JSON.stringify(text)}.`);
}
