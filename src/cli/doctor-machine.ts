/** What `lectern doctor` says of the machine. */
import { existsSync, statSync } from "node:fs";
import { join, resolve } from "node:path";
import type { Config } from "../config/config.ts";
import { cpuLevel } from "../platform/cpu.ts";
import { descriptors } from "../platform/descriptors.ts";
import { machineMemory } from "../platform/machine-memory.ts";
import { describeBounds, findProcessBounds } from "../platform/process-bounds.ts";
import { findLanguages, languageDirectory } from "../workers/ocr-languages.ts";
import { describeProgram } from "../workers/ocr-native.ts";
import { type Check, fail, ok, warn } from "./doctor-check.ts";
import { nearestExisting } from "./doctor-place.ts";
import { thisMachine } from "./machine.ts";
import { formatBytes } from "./terminal.ts";
import { freeBytesNow } from "../platform/disk-reserve.ts";

/** What a server with the default model has resident soon after its start. */
const RESIDENT_BYTES = 1e9;
/** Clients, streams and documents of a small server together. */
const FEW_DESCRIPTORS = 4096;
/** Clocks of machines that share a disk differ by less. */
const AHEAD_MS = 5 * 60_000;

export async function machineChecks(config: Config): Promise<Check[]> {
  return [
    ok("processor", `${cpuLevel()}, ${thisMachine().cpus} CPUs for this process`),
    memoryCheck(),
    descriptorsCheck(),
    diskCheck(config),
    clockCheck(config),
    await documentsCheck(),
    await ocrCheck(config),
  ];
}

function memoryCheck(): Check {
  const memory = machineMemory();
  if (memory === null) return ok("memory", "not told by this system");
  const { total, available, limit } = memory;
  const room = Math.min(available, limit ?? Infinity);
  const bound = limit !== null && limit < total ? `, ${formatBytes(limit)} for this control group` : "";
  const detail = `${formatBytes(available)} of ${formatBytes(total)} available${bound}`;
  return room < RESIDENT_BYTES
    ? warn("memory", `${detail}: a server with the default model takes about ${formatBytes(RESIDENT_BYTES)}`)
    : ok("memory", detail);
}

function descriptorsCheck(): Check {
  const found = descriptors();
  if (found === null) return ok("descriptors", "not told by this system");
  const shown = found.most > 2 ** 40 ? "no limit of open files" : `${found.most} open files and connections`;
  return found.most < FEW_DESCRIPTORS
    ? warn("descriptors", `${shown}: raise it (ulimit -n, LimitNOFILE) for many clients`)
    : ok("descriptors", shown);
}

function diskCheck(config: Config): Check {
  const free = freeBytesNow(nearestExisting(resolve(config.dataDir)));
  const least = config.minFreeDiskMb * 2 ** 20;
  return free < least
    ? fail("disk", `${formatBytes(free)} free, uploads need ${formatBytes(least)} (--min-free-disk-mb)`)
    : ok("disk", `${formatBytes(free)} free`);
}

/** A clock that was set back makes expiry and the order of what was written wrong. */
function clockCheck(config: Config): Check {
  if (config.testClockFile)
    return warn("clock", `moved by ${config.testClockFile} (LECTERN_TEST_CLOCK_FILE), for tests only`);
  const now = new Date();
  // The program was not built before 2026; a clock before that makes expiry and keys wrong.
  if (now.getUTCFullYear() < 2026) return fail("clock", `${now.toISOString()} is in the past`);
  const written = ["meta.sqlite", "meta.sqlite-wal"].map((name) => writtenMs(join(config.dataDir, name)));
  const newest = Math.max(...written);
  return newest - now.getTime() > AHEAD_MS
    ? warn("clock", `${now.toISOString()}, but the data was written ${new Date(newest).toISOString()}: it was set back`)
    : ok("clock", now.toISOString());
}

function writtenMs(path: string): number {
  return existsSync(path) ? statSync(path).mtimeMs : 0;
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
