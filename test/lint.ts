/**
 * Runs the linter, type-aware, with the rules of oxlint.json and those of every room, made from the table of rooms:
 * `bun test/lint.ts [--format json] [paths]`.
 */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { toolEnv } from "./helpers/tool-env.ts";
import { HALL, OUTSIDE, PACKAGES, ROOMS, TABLES } from "./rooms.ts";

const ROOT = join(import.meta.dir, "..");
const RULES = join(import.meta.dir, "oxlint.json");
const CONFIG = join(ROOT, "dist/oxlint.json");

interface Override {
  files: string[];
  excludeFiles?: string[];
  rules: Record<string, unknown>;
}

interface Pattern {
  regex: string;
  message: string;
}

/** No function is longer; tables are excepted by name. */
const MOST_LINES_OF_FUNCTION = 80;

/** The whole configuration, as JSON. */
export function lintConfig(): string {
  // Comments of whole lines are all that the file has.
  const rules = JSON.parse(readFileSync(RULES, "utf8").replace(/^\s*\/\/.*$/gm, "")) as { overrides: Override[] };
  return JSON.stringify({ ...rules, overrides: [...roomOverrides(), functionOverride(), ...rules.overrides] });
}

/** A later override replaces an earlier one's list, so each list is whole: what the room, and this file of it, may not. */
function roomOverrides(): Override[] {
  const outside: Pattern = { regex: toRooms(OUTSIDE), message: "The program never imports its own build." };
  const rooms = ROOMS.map((room): Override => {
    const refused = ROOMS.filter((other) => other !== room && !room.uses.includes(other.name)).map(({ name }) => name);
    const message = `${room.name} imports ${room.uses.length === 0 ? "no other room" : room.uses.join(", ")} only.`;
    const hall = HALL.filter((one) => one.floor > 0).map((one) => one.file.replace(".", "\\."));
    const patterns = [
      { regex: toRooms(refused), message },
      { regex: `^(\\.{1,2}/)+(${hall.join("|")})$`, message: "Entries are at the top." },
      outside,
      ...(room.refuses === undefined ? [] : [{ regex: room.refuses.pattern, message: room.refuses.message }]),
    ];
    return restricted([`**/src/${room.name}/**`], patterns);
  });
  const low = HALL.filter((one) => one.floor === 0).map((one) =>
    restricted([`**/src/${one.file}`], [{ regex: ".", message: `${one.file} imports nothing.` }], []),
  );
  const entries = HALL.filter((one) => one.floor > 0).map(({ file }) =>
    withPackages(restricted([`**/src/${file}`], [outside]), file),
  );
  // What some files of a room may import beyond the rest.
  const files = PACKAGES.flatMap((one) => one.files).filter((path) => path.includes("/") && !path.endsWith("/**"));
  const excepted = [...new Set(files)].flatMap((path) => {
    const room = rooms.find((override) => override.files[0] === `**/src/${path.split("/")[0]}/**`);
    return room === undefined ? [] : [{ files: [`**/src/${path}`], patterns: patternsOf(room), path }];
  });
  return [
    ...rooms.map((override, i) => withPackages(override, `${ROOMS[i]?.name}/**`)),
    ...low,
    ...entries,
    ...subfolders(rooms),
    ...excepted.map(({ files: names, patterns, path }) => withPackages(restricted(names, patterns), path)),
  ];
}

/** Folders of a room that may import a package which the room itself may not. */
function subfolders(rooms: readonly Override[]): Override[] {
  const folders = PACKAGES.flatMap((one) => one.files).filter((path) => /^[^/]+\/.+\/\*\*$/.test(path));
  return [...new Set(folders)].flatMap((path) => {
    const room = rooms.find((override) => override.files[0] === `**/src/${path.split("/")[0]}/**`);
    return room === undefined ? [] : [withPackages(restricted([`**/src/${path}`], patternsOf(room)), path)];
  });
}

function patternsOf(override: Override): Pattern[] {
  return (override.rules["no-restricted-imports"] as [string, { patterns: Pattern[] }])[1].patterns;
}

function withPackages(override: Override, path: string): Override {
  const refused = PACKAGES.filter(({ files }) => !files.includes(path) && !files.includes(`${path.split("/")[0]}/**`));
  const patterns = refused.map(({ pattern, message }) => ({ regex: pattern, message }));
  return restricted(override.files, [...patternsOf(override), ...patterns]);
}

/** Tests reach into any room. */
function restricted(files: string[], patterns: Pattern[], excludeFiles = ["**/*.test.ts", "**/testing/**"]): Override {
  return { files, excludeFiles, rules: { "no-restricted-imports": ["error", { patterns }] } };
}

function functionOverride(): Override {
  const excludeFiles = ["**/*.test.ts", "**/*.fixture.ts", "**/testing/**", ...TABLES.map((path) => `**/src/${path}`)];
  return {
    files: ["**/src/**"],
    excludeFiles,
    rules: { "max-lines-per-function": ["error", { max: MOST_LINES_OF_FUNCTION }] },
  };
}

function toRooms(names: readonly string[]): string {
  return names.length === 0 ? "^$" : `^(\\.{1,2}/)+(${names.join("|")})/.*\\.ts$`;
}

/** Writes the configuration and gives its path. */
export function writeLintConfig(): string {
  mkdirSync(dirname(CONFIG), { recursive: true });
  writeFileSync(CONFIG, lintConfig());
  return CONFIG;
}

if (import.meta.main) {
  const asked = process.argv.slice(2);
  const oxlint = join(ROOT, "node_modules/oxlint/bin/oxlint");
  const child = Bun.spawnSync(
    [
      process.execPath,
      oxlint,
      "-c",
      writeLintConfig(),
      "--type-aware",
      ...(asked.length > 0 ? asked : ["src", "test", "docs/examples"]),
    ],
    { cwd: ROOT, stdio: ["ignore", "inherit", "inherit"], env: { ...process.env, ...toolEnv(ROOT) } },
  );
  process.exitCode = child.exitCode;
}
