import { accessSync, constants, existsSync, readFileSync, statfsSync, statSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { readConfig } from "../config/config.ts";
import type { Config } from "../config/config.ts";
import { messageOf } from "../errors.ts";
import { cpuLevel } from "../platform/cpu.ts";
import { dataPathOf, findPlace } from "../platform/data-place.ts";
import { describeBounds, findProcessBounds } from "../platform/process-bounds.ts";
import { versionText } from "../platform/build-info.ts";
import { findLanguages, languageDirectory } from "../workers/ocr-languages.ts";
import { describeProgram } from "../workers/ocr-native.ts";
import { parseArguments } from "./arguments.ts";
import type { Flags } from "./arguments.ts";
import { readCliFile } from "./connect.ts";
import { type Check, contentChecks } from "./doctor-data.ts";
import { thisMachine } from "./machine.ts";
import { printJson } from "./output.ts";
import { formatBytes } from "./terminal.ts";
import type { Terminal } from "./terminal.ts";

export const DOCTOR_FLAGS = {
  data: { value: "DIR", help: "data directory; ./lectern-data unless set" },
  json: { help: "print the checks as JSON" },
  fix: { help: "remove every cache (indexes, parsed documents, unpacked files); the next start makes them again" },
} as const satisfies Flags;

const ok = (name: string, detail: string): Check => ({ name, state: "ok", detail });
const warn = (name: string, detail: string): Check => ({ name, state: "warn", detail });
const fail = (name: string, detail: string): Check => ({ name, state: "fail", detail });

/** Looks at everything that a start needs; changes nothing unless `--fix` is given. */
export async function doctor(argv: readonly string[], terminal: Terminal): Promise<number> {
  const args = parseArguments(argv, DOCTOR_FLAGS);
  const given = readConfig({
    argv: [],
    env: terminal.env,
    machine: thisMachine(),
    readFile: (path) => readFileSync(path, "utf8"),
  });
  const named = args.get("data") ?? given.dataDir;
  const config = { ...given, dataDir: dataPathOf(named) };
  const checks = [
    ok("version", versionText),
    ok("processor", `${cpuLevel()}, ${thisMachine().cpus} CPUs for this process`),
    ...dataChecks(config, named),
    diskCheck(config),
    clockCheck(config),
    await documentsCheck(),
    await ocrCheck(config),
    await serverCheck(config),
    ...(await contentChecks(config.dataDir, args.has("fix"))),
  ];
  const status = checks.some((check) => check.state === "fail") ? 1 : 0;
  if (args.has("json")) {
    printJson(terminal, { object: "doctor", checks });
    return status;
  }
  const width = Math.max(...checks.map((check) => check.name.length));
  for (const check of checks) terminal.out(`${check.state.padEnd(4)}  ${check.name.padEnd(width)}  ${check.detail}\n`);
  return status;
}

function dataChecks(config: Config, named: string): Check[] {
  const path = resolve(config.dataDir);
  if (!existsSync(path)) {
    return [
      isWritable(nearestExisting(path))
        ? ok("data", `${path} will be made at the first start`)
        : fail("data", `${path} does not exist and cannot be made`),
    ];
  }
  if (!statSync(path).isDirectory()) return [fail("data", `${path} is not a directory`)];
  const checks = [isWritable(path) ? ok("data", path) : fail("data", `${path} cannot be written by this user`)];
  const place = findPlace(named);
  if (place.type === "refuse") return [...checks, fail("permissions", place.reason)];
  if (place.isTooOpen) return [...checks, warn("permissions", `others may write to ${path}; the next start sets 0700`)];
  const open = [path, join(path, "meta.sqlite")].filter(
    (file) => existsSync(file) && (statSync(file).mode & 0o077) !== 0,
  );
  checks.push(
    open.length === 0
      ? ok("permissions", "only this user can read the data")
      : warn("permissions", `others may read ${open.join(", ")}: chmod go-rwx ${path}`),
  );
  return checks;
}

function diskCheck(config: Config): Check {
  const { bavail, bsize } = statfsSync(nearestExisting(resolve(config.dataDir)));
  const free = bavail * bsize;
  const least = config.minFreeDiskMb * 2 ** 20;
  return free < least
    ? fail("disk", `${formatBytes(free)} free, uploads need ${formatBytes(least)} (--min-free-disk-mb)`)
    : ok("disk", `${formatBytes(free)} free`);
}

function clockCheck(config: Config): Check {
  if (config.testClockFile)
    return warn("clock", `moved by ${config.testClockFile} (LECTERN_TEST_CLOCK_FILE), for tests only`);
  // The program was not built before 2026; a clock before that makes expiry and keys wrong.
  return new Date().getUTCFullYear() < 2026
    ? fail("clock", `${new Date().toISOString()} is in the past`)
    : ok("clock", new Date().toISOString());
}

/** What bounds the processes that read documents, on this machine. */
async function documentsCheck(): Promise<Check> {
  const { memory, network } = describeBounds(await findProcessBounds());
  return ok("documents", `read in processes of their own; memory: ${memory}; network: ${network}`);
}

async function ocrCheck(config: Config): Promise<Check> {
  if (config.ocr === "off") return ok("ocr", "off: scanned pages have no text (--ocr)");
  const { found, missing } = findLanguages(languageDirectory(config.dataDir), config.ocrLanguages);
  if (config.ocr === "auto" && missing.length === 0)
    return ok("ocr", `the engine inside, languages ${found.map((language) => language.name).join(", ")}`);
  const program = Bun.which("tesseract");
  const known = await describeProgram(program);
  const add = `lectern ocr add ${missing[0] ?? ""}.traineddata adds it`;
  if (!known.found && config.ocr === "auto")
    return warn("ocr", `--ocr-languages names ${missing.join(", ")}, which is not there: ${add}`);
  if (!known.found) return warn("ocr", "no `tesseract` on the PATH: scanned pages and images have no text (--ocr)");
  const unknown = config.ocrLanguages.split("+").filter((language) => !known.languages.includes(language));
  const detail = `${program}, version ${known.version}, languages ${known.languages.join(", ") || "none"}`;
  return unknown.length === 0
    ? ok("ocr", detail)
    : warn("ocr", `${detail}; --ocr-languages names ${unknown.join(", ")}, which is not installed`);
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

function isWritable(path: string): boolean {
  try {
    accessSync(path, constants.W_OK | constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

function nearestExisting(path: string): string {
  return existsSync(path) || path === dirname(path) ? path : nearestExisting(dirname(path));
}
