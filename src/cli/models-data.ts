import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { type Config, readConfig } from "../config/config.ts";
import { dataPathOf } from "../platform/data-place.ts";
import { thisMachine } from "./machine.ts";
import type { ModelsArguments } from "./model-requests.ts";
import { type Terminal, VerbFailed } from "./terminal.ts";

/** The settings that the environment names, as a server that is started here would have them. */
export function settingsOf(terminal: Terminal): Config {
  const readFile = (path: string) => readFileSync(path, "utf8");
  return readConfig({ argv: [], env: terminal.env, machine: thisMachine(), readFile });
}

/** The data directory that is named, be it there or not. */
export function namedDirectory(args: ModelsArguments, terminal: Terminal): string {
  return dataPathOf(args.get("data") ?? settingsOf(terminal).dataDir);
}

/** Whether a server has made it. */
export function isDataDirectory(dataDir: string): boolean {
  // Or its database is elsewhere (app/data-owner.ts).
  return existsSync(join(dataDir, "meta.sqlite")) || existsSync(join(dataDir, "database"));
}

/** Where models are put: they are files of the server on this machine. */
export function dataDirOf(args: ModelsArguments, terminal: Terminal): string {
  const dataDir = namedDirectory(args, terminal);
  if (!isDataDirectory(dataDir))
    throw new VerbFailed(`${dataDir} is no data directory of a server on this machine: name it with --data.`);
  return dataDir;
}
