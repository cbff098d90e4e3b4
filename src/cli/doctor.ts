import { readFileSync } from "node:fs";
import { readConfig } from "../config/config.ts";
import type { Config } from "../config/config.ts";
import { messageOf } from "../errors.ts";
import { versionText } from "../platform/build-info.ts";
import { dataPathOf } from "../platform/data-place.ts";
import { parseArguments } from "./arguments.ts";
import type { Flags } from "./arguments.ts";
import { readCliFile } from "./connect.ts";
import { type Check, type DoctorOptions, fail, ok } from "./doctor-check.ts";
import { contentChecks } from "./doctor-data.ts";
import { databaseChecks } from "./doctor-database.ts";
import { machineChecks } from "./doctor-machine.ts";
import { placeChecks } from "./doctor-place.ts";
import { thisMachine } from "./machine.ts";
import { printJson } from "./output.ts";
import type { Terminal } from "./terminal.ts";

export const DOCTOR_FLAGS = {
  data: { value: "DIR", help: "data directory; ./lectern-data unless set" },
  blobs: { value: "PLACE", help: "where the bytes of uploads are, if the server is told so by an option" },
  json: { help: "print the checks as JSON" },
  full: { help: "read every row and every uploaded byte, which takes long for large data" },
  fix: {
    help: "remove caches (made again at the next start) and what interrupted work left, and close modes to others",
  },
} as const satisfies Flags;

/** Looks at everything that a start needs; changes nothing unless `--fix` is given. */
export async function doctor(argv: readonly string[], terminal: Terminal): Promise<number> {
  const args = parseArguments(argv, DOCTOR_FLAGS);
  const { config: given, named } = settingsOf(args.get("data"), terminal);
  const config = { ...given, blobs: args.get("blobs") ?? given.blobs };
  const checks = await allChecks(config, {
    named,
    full: args.has("full"),
    fix: args.has("fix"),
  });
  const status = checks.some((check) => check.state === "fail") ? 1 : 0;
  if (args.has("json")) {
    printJson(terminal, { object: "doctor", checks });
    return status;
  }
  const width = Math.max(...checks.map((check) => check.name.length));
  for (const check of checks) terminal.out(`${check.state.padEnd(4)}  ${check.name.padEnd(width)}  ${check.detail}\n`);
  return status;
}

/** The settings of this environment, with the data directory that is meant. */
export function settingsOf(data: string | undefined, terminal: Terminal): { config: Config; named: string } {
  const given = readConfig({
    argv: [],
    env: terminal.env,
    machine: thisMachine(),
    readFile: (path) => readFileSync(path, "utf8"),
  });
  const named = data ?? given.dataDir;
  return { config: { ...given, dataDir: dataPathOf(named) }, named };
}

export async function allChecks(config: Config, options: DoctorOptions): Promise<Check[]> {
  return [
    ok("version", versionText),
    ...placeChecks(config, options.named),
    ...(await machineChecks(config)),
    await serverCheck(config),
    ...(await databaseChecks(config)),
    ...(await contentChecks(config, options)),
  ];
}

async function serverCheck(config: Config): Promise<Check> {
  let running: ReturnType<typeof readCliFile>;
  try {
    running = readCliFile(config.dataDir);
  } catch (error) {
    return fail("server", messageOf(error));
  }
  if (!running) return ok("server", "none runs on this data directory (or it was started with --no-local-cli)");
  try {
    const response = await fetch(`${running.url}/readyz`, { signal: AbortSignal.timeout(5000), redirect: "manual" });
    const detail = `${running.url} (process ${running.pid}) ${response.ok ? "is ready" : `is not ready: ${await response.text()}`}`;
    return response.ok ? ok("server", detail) : fail("server", detail);
  } catch {
    return fail("server", `${running.url} (process ${running.pid}) does not answer`);
  }
}
