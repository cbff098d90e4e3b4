import { readFileSync } from "node:fs";
import {
  isEqual,
  move as moveAll,
  type MovePlan,
  type MoveProof,
  type MoveSettings,
  type MoveTeller,
  planMove,
  verifyMove,
} from "../app/move.ts";
import { readConfig } from "../config/config.ts";
import { AppError } from "../errors.ts";
import { dataPathOf } from "../platform/data-place.ts";
import { type Arguments, type Flags, integerFlag, parseArguments } from "./arguments.ts";
import { counted } from "./doctor-check.ts";
import { thisMachine } from "./machine.ts";
import { printJson } from "./output.ts";
import { barOf } from "./progress.ts";
import { fitWidth, formatBytes, type Terminal, UsageError, VerbFailed } from "./terminal.ts";

export const MOVE_FLAGS = {
  data: { value: "DIR", help: "data directory to move; ./lectern-data unless set. Nothing in it changes" },
  database: { value: "ADDRESS", help: "empty PostgreSQL database to move into, as for serve; or LECTERN_DATABASE" },
  "database-password-file": { value: "FILE", help: "file that holds its password; or LECTERN_DATABASE_PASSWORD" },
  blobs: { value: "PLACE", help: "where the bytes of uploads go, as for serve; or LECTERN_BLOBS" },
  into: {
    value: "DIR",
    help: "data directory of the server to be: gets models, and the bytes where --blobs is not given",
  },
  "dry-run": { help: "only say what would be moved, and whether it can be" },
  verify: { help: "only compare a data directory with the database that it was moved to" },
  searches: { value: "N", help: "searches that both sides are asked at the end; 200 unless set" },
  json: { help: "print what was compared as JSON" },
} as const satisfies Flags;

export const MOVE_HELP = `Brings a data directory into a PostgreSQL database, for servers that are started with --database. No server may run
on either. The database is as good as empty until the end: rows go in batches, and a move that was ended in the middle
goes on where it was when it is called again. No server starts on a database that is half moved.
At the end both sides are compared: how many rows each table has, the checksum of every column of every row, the bytes of
uploads, and the answers to some searches, byte for byte. Only then may the database be served.
The exit status is 0 if everything is equal.`;

const SEARCHES = 200;
const MOST_SEARCHES = 100_000;
const REDRAW_MS = 100;

type MoveArguments = Arguments<typeof MOVE_FLAGS>;

/** `lectern move --data DIR --database ADDRESS`: from SQLite to PostgreSQL, with proof. */
export async function move(argv: readonly string[], terminal: Terminal): Promise<number> {
  const args = parseArguments(argv, MOVE_FLAGS);
  if (args.words.length > 0) throw new UsageError("lectern move takes no words; see lectern help move.");
  if (args.has("dry-run") && args.has("verify"))
    throw new UsageError("--dry-run and --verify are both given: keep one of them.");
  const settings = settingsOf(args, terminal);
  const searches = integerFlag("searches", args.get("searches"), SEARCHES, 0, MOST_SEARCHES);
  const into = args.get("into");
  const teller = new Teller(terminal);
  const options = {
    into: into === undefined ? null : dataPathOf(into),
    searches,
    signal: terminal.signal,
    tell: teller,
  };
  try {
    if (args.has("dry-run")) {
      const plan = await planMove(settings, options);
      if (args.has("json")) printJson(terminal, { object: "move.plan", ...plan });
      else terminal.out(planText(plan));
      return plan.blobs.missing.length === 0 ? 0 : 1;
    }
    const proof = args.has("verify") ? await verifyMove(settings, options) : await moveAll(settings, options);
    teller.clear();
    if (args.has("json")) printJson(terminal, { object: "move.proof", equal: isEqual(proof), ...proof });
    else terminal.out(proofText(proof));
    if (!isEqual(proof)) return 1;
    if (!args.has("verify")) terminal.err(nextText(settings, options.into));
    return 0;
  } catch (error) {
    if (terminal.signal.aborted)
      throw new VerbFailed("The move was stopped; the same command goes on with it.", { cause: error });
    if (!(error instanceof AppError)) throw error;
    throw new VerbFailed(`${error.message} The same command goes on with the move.`, { cause: error });
  } finally {
    teller.clear();
  }
}

/** Those of a server that would be started with these options. */
function settingsOf(args: MoveArguments, terminal: Terminal): MoveSettings {
  const argv = (["database", "database-password-file", "blobs"] as const).flatMap((name) => {
    const value = args.get(name);
    return value === undefined ? [] : [`--${name}`, value];
  });
  const config = readConfig({
    argv,
    env: terminal.env,
    machine: thisMachine(),
    readFile: (path) => readFileSync(path, "utf8"),
  });
  const { database } = config;
  if (database === null)
    throw new UsageError("Say where to: lectern move --data DIR --database postgres://USER@HOST/NAME.");
  return { ...config, database, dataDir: dataPathOf(args.get("data") ?? config.dataDir) };
}

function planText({ source, database, goesOn, blobs }: MovePlan): string {
  const width = Math.max(...source.tables.map(({ name }) => name.length));
  const filled = source.tables.filter(({ rows }) => rows > 0);
  const lines = [
    ...filled.map(({ name, rows }) => `  ${name.padEnd(width)}  ${rows}`),
    `Rows as above, out of ${formatBytes(source.bytes)}, into ${database}${goesOn ? ", which an earlier call has begun" : ""}.`,
    `Bytes of uploads: ${blobs.here.length} to copy (${formatBytes(blobs.bytes)}), ${blobs.there} there already.`,
    ...(blobs.missing.length === 0 ? [] : [`The bytes of ${counted(blobs.missing.length, "upload")} are missing.`]),
  ];
  return `${lines.join("\n")}\n`;
}

function proofText(proof: MoveProof): string {
  const { rows, tables, differences, searches, missingBlobs } = proof;
  if (isEqual(proof))
    return `Equal: ${counted(rows, "row")} of ${tables} tables by their checksums, and the answers to ${searches.searches} searches in ${counted(searches.stores, "store")}, byte for byte.\n`;
  const lines = [
    ...differences.map(({ table, detail }) => `  ${table}: ${detail}`),
    ...searches.differences.map(({ store, question }) => `  ${store}: other answers to ${JSON.stringify(question)}`),
    ...(missingBlobs.length === 0 ? [] : [`  the bytes of ${counted(missingBlobs.length, "upload")} are not there`]),
  ];
  return `Not equal:\n${lines.join("\n")}\n`;
}

function nextText({ dataDir, blobs }: MoveSettings, into: string | null): string {
  const options = [`--database …`, ...(blobs === null ? [] : ["--blobs …"]), `--data ${into ?? "DIR"}`];
  const models =
    into === null ? ` Models and languages that were added are in ${dataDir}: each server needs them.` : "";
  return `Start servers with: lectern serve ${options.join(" ")}\n${dataDir} is as it was; keep it until you have a backup of the database.${models}\n`;
}

/** A line that moves on a terminal; elsewhere a line a stage. */
class Teller implements MoveTeller {
  readonly #terminal: Terminal;
  #drawnMs = 0;

  constructor(terminal: Terminal) {
    this.#terminal = terminal;
  }

  stage(text: string): void {
    this.clear();
    this.#terminal.err(`${text}\n`);
  }

  rows(table: string, rows: number, of: number): void {
    this.#draw(rows, of, `${table} ${rows}/${of}`);
  }

  blobs(done: number, of: number): void {
    this.#draw(done, of, `${done}/${of} uploads`);
  }

  searches(done: number, of: number): void {
    this.#draw(done, of, `${done}/${of} searches`);
  }

  notice(text: string): void {
    this.clear();
    this.#terminal.err(`${text}\n`);
  }

  clear(): void {
    if (this.#terminal.errIsTerminal && this.#drawnMs > 0) this.#terminal.err("\r\x1b[2K");
  }

  #draw(done: number, of: number, text: string): void {
    const now = performance.now();
    if (!this.#terminal.errIsTerminal || now - this.#drawnMs < REDRAW_MS) return;
    this.#drawnMs = now;
    this.#terminal.err(`\r\x1b[2K${fitWidth(`${barOf(done, of)}  ${text}`, this.#terminal.columns - 1)}`);
  }
}
