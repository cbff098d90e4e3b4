/**
 * Line coverage of the unit tests alone, room by room: `bun test/coverage.ts [rooms]`. Prints a table, and what no unit
 * test loads; fails below the bounds. The whole-system tests run the same code through the binary and count nothing here.
 */
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";

const ROOT = join(import.meta.dir, "..");
const SRC = join(ROOT, "src");

/** Least share of lines, in per cent. */
const BOUNDS: Readonly<Record<string, number>> = { jobs: 95, workers: 85 };

/** No part of the program, or run in a thread or a process of its own, where coverage does not look. */
// workers/ocr-core.ts is what ocr-entry.ts runs: loaded in threads of its own, which are not counted.
const LEFT_OUT =
  /(\.test\.ts|\.fixture\.ts|\.d\.ts|-entry\.ts)$|(^|\/)(testing|fixtures|build)\/|^main\.ts$|^workers\/ocr-core\.ts$/;

interface Lines {
  found: number;
  hit: number;
}

export interface RoomCoverage extends Lines {
  room: string;
  files: number;
  /** Files of which no line was counted, though they are more than types. */
  neverLoaded: string[];
}

/** Lines by file, as in the lcov report; several records of a file are one. */
export function linesOf(lcov: string): Map<string, Lines> {
  const files = new Map<string, Map<number, number>>();
  let current: Map<number, number> | null = null;
  for (const line of lcov.split("\n")) {
    if (line.startsWith("SF:")) {
      const file = line.slice(3);
      current = files.get(file) ?? new Map();
      files.set(file, current);
    } else if (line.startsWith("DA:") && current !== null) {
      const [number = 0, count = 0] = line.slice(3).split(",").map(Number);
      current.set(number, (current.get(number) ?? 0) + count);
    }
  }
  return new Map(
    [...files].map(([file, lines]) => [
      file,
      { found: lines.size, hit: [...lines.values()].filter((count) => count > 0).length },
    ]),
  );
}

/** `sources`: paths below src of the files of the program; `isTypes`: whether nothing in a file is ever run. */
export function byRoom(
  lines: ReadonlyMap<string, Lines>,
  sources: readonly string[],
  isTypes: (source: string) => boolean,
): RoomCoverage[] {
  const rooms = new Map<string, RoomCoverage>();
  for (const source of sources) {
    const room = source.includes("/") ? source.slice(0, source.indexOf("/")) : "(hall)";
    const of = rooms.get(room) ?? { room, files: 0, found: 0, hit: 0, neverLoaded: [] };
    rooms.set(room, of);
    of.files += 1;
    const counted = lines.get(`src/${source}`);
    if (counted === undefined) {
      if (!isTypes(source)) of.neverLoaded.push(source);
      continue;
    }
    of.found += counted.found;
    of.hit += counted.hit;
  }
  return [...rooms.values()].toSorted((a, b) => a.room.localeCompare(b.room));
}

/** What is below its bound, and what no unit test loads, in words. */
export function tooLow(rooms: readonly RoomCoverage[], bounds: Readonly<Record<string, number>> = BOUNDS): string[] {
  return rooms.flatMap((one) => {
    const reasons = one.neverLoaded.map((file) => `src/${file} is loaded by no unit test`);
    const [bound, share] = [bounds[one.room], shareOf(one)];
    if (bound !== undefined && share < bound)
      reasons.push(`${one.room} has ${share.toFixed(1)} % of its lines covered, the bound is ${bound}`);
    return reasons;
  });
}

function shareOf({ found, hit }: Lines): number {
  return found === 0 ? 0 : (100 * hit) / found;
}

function sourcesOf(rooms: readonly string[]): string[] {
  return readdirSync(SRC, { recursive: true, encoding: "utf8" })
    .map((path) => path.replaceAll("\\", "/"))
    .filter((path) => path.endsWith(".ts") && !LEFT_OUT.test(path))
    .filter((path) => !isOfBrowser(path))
    .filter((path) => rooms.length === 0 || rooms.includes(path.slice(0, path.indexOf("/"))))
    .toSorted();
}

/** What stands in a page's tree runs in a browser alone, where coverage does not look either (test/console). */
function isOfBrowser(source: string): boolean {
  return /^import .* from "preact(\/|")/m.test(readFileSync(join(SRC, source), "utf8"));
}

/** Types and interfaces leave nothing behind when they are taken out. */
function isOnlyTypes(source: string): boolean {
  const code = new Bun.Transpiler({ loader: "ts" }).transformSync(readFileSync(join(SRC, source), "utf8"));
  return code.replace(/\/\/.*|\/\*[\s\S]*?\*\/|export\s*\{\s*\};?/g, "").trim() === "";
}

function print(rooms: readonly RoomCoverage[]): void {
  const row = (...cells: readonly string[]) =>
    console.log(cells.map((cell, i) => (i === 0 ? cell.padEnd(12) : cell.padStart(9))).join(""));
  row("room", "files", "lines", "hit", "%", "unloaded");
  for (const one of rooms) {
    const { room, files, found, hit, neverLoaded } = one;
    row(room, ...[files, found, hit].map(String), shareOf(one).toFixed(1), String(neverLoaded.length));
  }
  for (const file of rooms.flatMap(({ neverLoaded }) => neverLoaded)) console.log(`never loaded: src/${file}`);
}

async function main(rooms: readonly string[]): Promise<number> {
  const directory = mkdtempSync(join(tmpdir(), "lectern-coverage-"));
  try {
    const reporter = ["--coverage", "--coverage-reporter=lcov", `--coverage-dir=${directory}`];
    const paths = rooms.length === 0 ? ["./src"] : rooms.map((room) => `./src/${room}`);
    const test = Bun.spawn([process.execPath, "test", "--timeout=60000", "--only-failures", ...reporter, ...paths], {
      cwd: ROOT,
      // Lines that are counted take longer.
      env: { ...process.env, LECTERN_LINES_COUNTED: "1" },
      stdout: "inherit",
      stderr: "inherit",
    });
    const status = await test.exited;
    const report = join(directory, "lcov.info");
    // What was counted is told, whatever failed.
    if (!existsSync(report)) return 1;
    const lcov = readFileSync(report, "utf8");
    const lines = new Map([...linesOf(lcov)].map(([file, counted]) => [relative(ROOT, join(ROOT, file)), counted]));
    const covered = byRoom(lines, sourcesOf(rooms), isOnlyTypes);
    print(covered);
    // Of some rooms alone: their other files may be what the tests of the rest load.
    if (rooms.length > 0) for (const one of covered) one.neverLoaded = [];
    const reasons = tooLow(covered);
    for (const reason of reasons) console.error(reason);
    return status === 0 && reasons.length === 0 ? 0 : 1;
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

if (import.meta.main) process.exit(await main(process.argv.slice(2)));
