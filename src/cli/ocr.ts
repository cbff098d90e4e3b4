import {
  closeSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from "node:fs";
import { basename } from "node:path";
import { messageOf } from "../errors.ts";
import { readConfig } from "../config/config.ts";
import { syncPath } from "../platform/replace-file.ts";
import { faultOfFile } from "../workers/ocr-bundled.ts";
import {
  knownLanguages,
  LANGUAGE_NAME,
  languageDirectory,
  languagePath,
  MAX_LANGUAGE_BYTES,
  unpacked,
} from "../workers/ocr-languages.ts";
import { dataPathOf } from "../platform/data-place.ts";
import { parseArguments } from "./arguments.ts";
import type { Flags } from "./arguments.ts";
import { thisMachine } from "./machine.ts";
import { printTable } from "./table.ts";
import { UsageError, VerbFailed } from "./terminal.ts";
import type { Terminal } from "./terminal.ts";

export const OCR_FLAGS = {
  data: { value: "DIR", help: "data directory of the server; ./lectern-data unless set" },
  json: { help: "list: print JSON" },
} as const satisfies Flags;

export const OCR_HELP = `FILE is a language's data for Tesseract 4 or 5, such as deu.traineddata or deu.traineddata.gz from tessdata_fast or
tessdata_best; it is tried before it is taken. The name before the first point is the language's.
Scans are read in the languages that --ocr-languages names (eng+deu). A running server needs no restart to see a file that
was added. English is inside the program.`;

const USAGE = "Say what to do: lectern ocr list, add FILE..., or remove LANGUAGE...";

/** Works on the files of the data directory alone, whether a server runs on it or not. */
export async function ocr(argv: readonly string[], terminal: Terminal): Promise<number> {
  const args = parseArguments(argv, OCR_FLAGS);
  const [action = "list", ...words] = args.words;
  const fits = action === "list" ? words.length === 0 : (action === "add" || action === "remove") && words.length > 0;
  if (!fits) throw new UsageError(USAGE);
  const directory = languageDirectory(dataPathOf(args.get("data") ?? configuredDirectory(terminal)));
  switch (action) {
    case "add":
      for (const file of words) await add(file, directory, terminal);
      return 0;
    case "remove":
      for (const name of words) remove(name, directory, terminal);
      return 0;
    default:
      return list(directory, args.has("json"), terminal);
  }
}

function configuredDirectory(terminal: Terminal): string {
  const readFile = (path: string) => readFileSync(path, "utf8");
  return readConfig({ argv: [], env: terminal.env, machine: thisMachine(), readFile }).dataDir;
}

function list(directory: string, asJson: boolean, terminal: Terminal): number {
  const rows = knownLanguages(directory).map(({ name, isBuiltIn, bytes }) => ({ name, built_in: isBuiltIn, bytes }));
  if (asJson) terminal.out(`${JSON.stringify({ languages: rows }, null, 2)}\n`);
  else
    printTable(
      terminal,
      ["LANGUAGE", "WHERE", "MB"],
      rows.map((row) => [row.name, row.built_in ? "inside" : "added", (row.bytes / 1e6).toFixed(1)]),
    );
  return 0;
}

/** The file is there under its name only when all of it is, on the disk, and the engine has loaded it. */
async function add(file: string, directory: string, terminal: Terminal): Promise<void> {
  const [name = ""] = basename(file).split(".");
  if (
    !/\.traineddata(\.gz)?$/.test(file) ||
    !LANGUAGE_NAME.test(name) ||
    basename(file).split(".")[1] !== "traineddata"
  )
    throw new VerbFailed(`${file} is not named as a language's data is: deu.traineddata or deu.traineddata.gz.`);
  const refuse = (why: string) => new VerbFailed(`${file} is no language's data for OCR: ${why}.`);
  const stat = statSync(file, { throwIfNoEntry: false });
  if (stat === undefined) throw new VerbFailed(`${file} does not exist.`);
  if (!stat.isFile()) throw refuse("it is no file");
  if (stat.size > MAX_LANGUAGE_BYTES) throw refuse("it is larger than any is");
  let bytes: Uint8Array;
  try {
    bytes = unpacked(readFileSync(file));
  } catch (error) {
    throw refuse(`it cannot be read (${messageOf(error)})`);
  }
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const path = languagePath(directory, name);
  const temporary = `${path}.${process.pid}.tmp`;
  try {
    writeDurably(temporary, bytes);
    const fault = await faultOfFile({ name, path: temporary });
    if (fault !== null) throw refuse(fault);
    renameSync(temporary, path);
  } finally {
    rmSync(temporary, { force: true });
  }
  syncPath(directory);
  terminal.out(`Added ${name}\n`);
}

function writeDurably(path: string, bytes: Uint8Array): void {
  const file = openSync(path, "w", 0o600);
  try {
    for (let at = 0; at < bytes.length;) at += writeSync(file, bytes, at);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}

function remove(name: string, directory: string, terminal: Terminal): void {
  const language = knownLanguages(directory).find((known) => known.name === name);
  if (language === undefined) throw new VerbFailed(`There is no language ${name}: lectern ocr list names them.`);
  if (language.isBuiltIn) throw new VerbFailed(`${name} is inside the program and cannot be removed.`);
  rmSync(languagePath(directory, name));
  syncPath(directory);
  terminal.out(`Removed ${name}\n`);
}
