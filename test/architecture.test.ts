/**
 * What the linter cannot see, and proof that what it should see it does see: a rule that silently stopped firing would
 * let the rooms grow together.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { tempDir } from "./helpers/temp-dir.ts";
import type { TempDir } from "./helpers/temp-dir.ts";
import { toolEnv } from "./helpers/tool-env.ts";
import { writeLintConfig } from "./lint.ts";
import { HALL, KNOWS_EVERY_SCHEMA, ROOMS, SHARED_BY_FEATURES } from "./rooms.ts";

const ROOT = join(import.meta.dir, "..");
const SRC = join(ROOT, "src");

const sources = readdirSync(SRC, { recursive: true })
  .map(String)
  .filter((path) => /\.tsx?$/.test(path) && !path.endsWith(".d.ts"))
  .sort();
/** What the binary is made of: no tests, no parts of tests, no build. */
const program = sources.filter((path) => !/\.(test|fixture)\.ts$|(^|\/)testing\/|^build\//.test(path));

function text(path: string): string {
  return readFileSync(join(SRC, path), "utf8");
}

/** Modules that `path` loads when it runs: type imports do not count. Relative ones as paths below src. */
function imports(path: string): string[] {
  const found = new Bun.Transpiler({ loader: path.endsWith("x") ? "tsx" : "ts" })
    .scanImports(text(path))
    .map((one) => one.path);
  return found.map((name) => (name.startsWith(".") ? relative(SRC, join(SRC, dirname(path), name)) : name));
}

/** Everything that ends up in the same thread as `entry`. */
function closure(entry: string): Set<string> {
  const seen = new Set<string>();
  const queue = [entry];
  for (let path = queue.pop(); path !== undefined; path = queue.pop()) {
    if (seen.has(path)) continue;
    seen.add(path);
    if (path.endsWith(".ts") && existsSync(join(SRC, path))) queue.push(...imports(path));
  }
  return seen;
}

/** Files of `paths` whose code (comments aside) matches. */
function matching(paths: string[], pattern: RegExp): string[] {
  return paths.filter((path) => pattern.test(text(path).replace(/^\s*(\/\/|\*|\/\*\*).*$/gm, "")));
}

/** Room of a path below src; the file itself where it stands beside the rooms. */
function roomOf(path: string): string {
  return path.includes("/") ? path.slice(0, path.indexOf("/")) : path;
}

/** Every relative import of `paths`, of types too, as pairs of paths below src. */
function arrows(paths: string[], read = text): { from: string; to: string }[] {
  return paths.flatMap((from) =>
    [...read(from).matchAll(/(?:\bfrom|\bimport\(|^import)\s*"(\.[^"]+\.tsx?)"/gm)].map((match) => ({
      from,
      to: relative(SRC, join(SRC, dirname(from), match[1] ?? "")),
    })),
  );
}

const FLOORS = new Map<string, number>([
  ...ROOMS.map(({ name, floor }) => [name, floor] as const),
  ...HALL.map(({ file, floor }) => [file, floor] as const),
]);

/** What is wrong with the order of the rooms. */
function faults(paths: string[], read = text): string[] {
  const named = [...new Set(paths.map(roomOf))].filter((room) => !FLOORS.has(room));
  const floorOf = (path: string) => FLOORS.get(roomOf(path)) ?? Number.NaN;
  const pairs = arrows(paths, read);
  const up = pairs.filter(({ from, to }) => roomOf(from) !== roomOf(to) && floorOf(from) <= floorOf(to));
  return [
    ...named.map((room) => `${room} is not in the table of rooms`),
    ...up.map(({ from, to }) => `${from} (floor ${floorOf(from)}) imports ${to} (floor ${floorOf(to)})`),
    ...betweenFeatures(pairs),
    ...circles(pairs).map((files) => `imports in a circle: ${files.join(", ")}`),
  ];
}

/** The feature of the API that a file belongs to; null for what several share, and outside the API. */
function featureOf(path: string): string | null {
  const [room, folder, file] = path.split("/");
  if (room !== "api" || folder === undefined || file === undefined) return null;
  return SHARED_BY_FEATURES.some((name) => name === folder) ? null : folder;
}

function betweenFeatures(pairs: readonly { from: string; to: string }[]): string[] {
  const wrong = pairs.filter(({ from, to }) => {
    const feature = featureOf(to);
    if (!from.startsWith("api/") || feature === null || feature === featureOf(from)) return false;
    return !(from === KNOWS_EVERY_SCHEMA && to.endsWith("/schema.ts"));
  });
  return wrong.map(({ from, to }) => `${from} imports ${to} of another feature`);
}

/** Files that import one another, whatever the way round (strongly connected components, Tarjan 1972). */
function circles(pairs: readonly { from: string; to: string }[]): string[][] {
  const next = Map.groupBy(pairs, ({ from }) => from);
  const order = new Map<string, number>();
  const low = new Map<string, number>();
  const stack: string[] = [];
  const found: string[][] = [];
  const visit = (path: string): void => {
    order.set(path, order.size);
    low.set(path, order.get(path) ?? 0);
    stack.push(path);
    for (const { to } of next.get(path) ?? []) {
      if (!order.has(to)) visit(to);
      if (stack.includes(to)) low.set(path, Math.min(low.get(path) ?? 0, low.get(to) ?? 0));
    }
    if (low.get(path) !== order.get(path)) return;
    const circle = stack.splice(stack.indexOf(path));
    if (circle.length > 1) found.push(circle.sort());
  };
  for (const path of next.keys()) if (!order.has(path)) visit(path);
  return found;
}

describe("the rooms", () => {
  test("stand in one order: every arrow goes down, none in a circle, and nothing else stands beside them", () => {
    expect(faults(program)).toEqual([]);
    console.log(describeRooms());
  });

  test("use what the table says they use", () => {
    const used = arrows(program).map(({ from, to }) => `${roomOf(from)} -> ${roomOf(to)}`);
    const stale = ROOMS.flatMap(({ name, uses }) => uses.map((other) => `${name} -> ${other}`));
    expect(stale.filter((arrow) => !used.includes(arrow))).toEqual([]);
  });

  test.each<[fault: string, files: Record<string, string>, expected: string]>([
    [
      "an arrow up",
      { "storage/a.ts": `import { x } from "../jobs/b.ts";`, "jobs/b.ts": "" },
      "storage/a.ts (floor 3) imports jobs/b.ts (floor 9)",
    ],
    [
      "an arrow along the same floor",
      { "index/a.ts": `import type { X } from "../storage/b.ts";`, "storage/b.ts": "" },
      "index/a.ts (floor 3) imports storage/b.ts (floor 3)",
    ],
    [
      "a circle",
      { "jobs/a.ts": `import { b } from "./b.ts";`, "jobs/b.ts": `import type { A } from "./a.ts";` },
      "imports in a circle: jobs/a.ts, jobs/b.ts",
    ],
    [
      "a feature of the API that imports another",
      { "api/files/a.ts": `import type { X } from "../uploads/b.ts";`, "api/uploads/b.ts": "" },
      "api/files/a.ts imports api/uploads/b.ts of another feature",
    ],
    [
      "a file that features share and that imports one of them",
      { "api/a.ts": `import { x } from "./uploads/b.ts";`, "api/uploads/b.ts": "" },
      "api/a.ts imports api/uploads/b.ts of another feature",
    ],
    [
      "a folder that features share and that imports one of them",
      { "api/following/a.ts": `import { x } from "../uploads/schema.ts";`, "api/uploads/schema.ts": "" },
      "api/following/a.ts imports api/uploads/schema.ts of another feature",
    ],
    ["a file in the hall that is not in the table", { "helper.ts": "" }, "helper.ts is not in the table of rooms"],
    ["a room that is not in the table", { "extra/a.ts": "" }, "extra is not in the table of rooms"],
  ])("fail on %s", (_fault, files, expected) => {
    expect(faults(Object.keys(files), (path) => files[path] ?? "")).toEqual([expected]);
  });
});

/** The table with the arrows that are there, for people. */
function describeRooms(): string {
  const pairs = arrows(program).filter(({ from, to }) => roomOf(from) !== roomOf(to));
  const lines = [...FLOORS.entries()].map(([room, floor]) => {
    const uses = Object.entries(Object.groupBy(pairs, ({ from, to }) => (roomOf(from) === room ? roomOf(to) : "")));
    const list = uses.filter(([name]) => name !== "").map(([name, all]) => `${name} ${all?.length ?? 0}`);
    return { floor, line: `${String(floor).padStart(5)}  ${room.padEnd(16)} ${list.sort().join(", ")}` };
  });
  return ["floor  room             imports", ...lines.sort((a, b) => b.floor - a.floor).map(({ line }) => line)].join(
    "\n",
  );
}

/** Files shorter than this are types, tables, or one of a family that has a file each. */
const FEW_LINES = 15;
const SHORT =
  /^(storage\/migrations\/|api\/presenters\/|(\w+\/)?metrics\.ts$|worker-urls\.ts$|platform\/build-info\.ts$|console\/main\.tsx$)|-embedded\.ts$/;

describe("the tree", () => {
  test("every room says what its main thing is: no type is taken from what a function happens to return", () => {
    expect(matching(program, /^export .*\bReturnType<\s*typeof\b/m)).toEqual([]);
  });

  test("no file is a few lines that belong to another", () => {
    const few = program.filter((path) => text(path).split("\n").length <= FEW_LINES);
    expect(few.filter((path) => !SHORT.test(path))).toEqual([]);
  });

  test("no module collects what belongs elsewhere", () => {
    const names = sources.filter((path) => /(^|\/)(utils?|helpers?|common|misc|shared|types)\.ts$/.test(path));
    expect(names).toEqual([]);
  });

  test("no room has a barrel; the static list of migrations is the only index", () => {
    const barrels = sources.filter((path) => path.endsWith("/index.ts") && path !== "storage/migrations/index.ts");
    expect(barrels).toEqual([]);
  });

  test("only storage contains SQL", () => {
    // The data directory's lock is a transaction on an empty database.
    const outside = program.filter((path) => !path.startsWith("storage/") && path !== "platform/data-dir.ts");
    const sql =
      /\/\*sql\*\/|["'`]\s*(SELECT\s.+\sFROM|INSERT\s+INTO|UPDATE\s\w+\sSET|DELETE\s+FROM|CREATE\s+TABLE|PRAGMA\s)/is;
    expect(matching(outside, sql)).toEqual([]);
  });

  test("msgpackr is imported by the parts that look for no addon", () => {
    expect(program.filter((path) => imports(path).includes("msgpackr"))).toEqual([]);
  });

  test("the program never imports its own build", () => {
    const importers = program.filter((path) => imports(path).some((name) => name.startsWith("build/")));
    expect(importers).toEqual([]);
  });

  test("text is normalised where runs of marks are bounded, and nowhere else", () => {
    expect(matching(program, /\.normalize\(/)).toEqual(["stream-safe.ts"]);
  });

  test("addresses of workers are made beside main.ts, where they are right in the binary too", () => {
    expect(matching(program, /new URL\([^)]*-entry/).filter((path) => path !== "worker-urls.ts")).toEqual([]);
  });

  test("nothing looks for files next to its source, except where the binary has another answer", () => {
    const users = matching(program, /import\.meta\.(dir|dirname|path|filename|url|resolve)\b|__dirname/);
    const allowed = [
      "http/web-console/bundle.ts",
      "main.ts",
      "models/bundled-model.ts",
      "platform/native.ts",
      "worker-urls.ts",
    ];
    expect(users.filter((path) => !allowed.includes(path))).toEqual([]);
  });
});

/** Code without comments and without what stands in quotes, so that brackets can be counted in it. */
function bare(source: string): string {
  const quoted = /\/\*[\s\S]*?\*\/|\/\/[^\n]*|"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'|`(?:[^`\\]|\\.)*`/g;
  return source.replace(quoted, (found) => (found.startsWith("/") ? "" : '""'));
}

/** What stands in the brackets that follow each `name(`, and what comes after them. */
function calls(code: string, name: RegExp): { inside: string; after: string }[] {
  return [...code.matchAll(new RegExp(`${name.source}\\(`, "g"))].map(({ index, 0: { length } }) => {
    const start = index + length;
    let end = start;
    for (let depth = 1; end < code.length; end++) {
      if (code[end] === "(") depth++;
      else if (code[end] === ")" && --depth === 0) break;
    }
    return { inside: code.slice(start, end), after: code.slice(end + 1) };
  });
}

/** Inside a transaction's function only the tables that it was given may be used: these name the storage around it. */
function outerUses(source: string): string[] {
  return calls(bare(source), /\btransaction/).flatMap(({ inside }) => {
    const body = inside.slice(inside.indexOf("=>"));
    return body.match(/[\w.#]*\bstorage\b|[\w.#]*\btransaction\(/g) ?? [];
  });
}

/** JSON that is called something without a look at it. */
function castJson(source: string): number {
  return calls(bare(source), /\bJSON\.parse/).filter(({ after }) => /^\s*as\b/.test(after)).length;
}

describe("storage", () => {
  test("hands out values: nobody else reads JSON and calls it what it should be", () => {
    // Their own files, under a checksum that is compared first.
    const checked = ["index/generation.ts", "index/image-file.ts"];
    // The console reads what this server answers, as the API's schemas have it.
    const others = program.filter((path) => !/^(storage|http|console)\//.test(path) && !checked.includes(path));
    expect(others.filter((path) => castJson(text(path)) > 0)).toEqual([]);
  });

  test("is not used inside a transaction, only the tables that the transaction gives", () => {
    expect(program.filter((path) => outerUses(text(path)).length > 0)).toEqual([]);
    // The scan sees the transactions that there are.
    expect(program.flatMap((path) => calls(bare(text(path)), /\btransaction/)).length).toBeGreaterThan(40);
  });

  test.each([
    ["await storage.transaction(async ({ jobs }) => {\n  await storage.jobs.drop(1);\n});", ["storage"]],
    ["await deps.transaction((tables) => remove(deps.storage, tables));", ["deps.storage"]],
    [
      "await this.#storage.transaction(async () => { if (x) { await this.#storage.jobs.depth(); } });",
      ["this.#storage"],
    ],
    ["await transaction(async () => { await deps.transaction(async () => {}); });", ["deps.transaction("]],
    [
      "await storage.transaction(async ({ jobs }, tx) => {\n  // storage\n  tx.onCommit(() => log('storage )'));\n});\nstorage;",
      [],
    ],
  ])("is found where it is used inside a transaction: %s", (source, expected) => {
    expect(outerUses(source)).toEqual(expected);
  });

  test.each([
    ["const x = JSON.parse(read(a, (b))) as T;", 1],
    ["return (JSON.parse(text)\n  as T).x;", 1],
    ["const x: unknown = JSON.parse(text);\nconst as = 1; // JSON.parse(x) as T", 0],
  ])("JSON that is only called something is found: %s", (source, expected) => {
    expect(castJson(source)).toBe(expected);
  });
});

describe("the console", () => {
  const own = program.filter((path) => path.startsWith("console/"));

  test("has types of the API's schemas from other rooms, and loads nothing of them", () => {
    const out = arrows(own).filter(({ to }) => !to.startsWith("console/"));
    const wrong = out.filter(
      ({ to }) => !/^api\/([\w-]+\/schema|[\w-]+-schema)\.ts$/.test(to) && to !== "stream-safe.ts",
    );
    expect(wrong).toEqual([]);
    // Before the bundler has read which JSX this is.
    const loaded = own.flatMap(imports).filter((name) => !/^(console\/|preact|react|stream-safe\.ts$)/.test(name));
    expect(loaded).toEqual([]);
    expect(out.length).toBeGreaterThan(10);
  });

  test("makes no HTML of text, by whatever name", () => {
    const html = /innerHTML|outerHTML|insertAdjacentHTML|setHTMLUnsafe|document\.write|srcdoc|\beval\(|new Function/i;
    expect(matching(own, html)).toEqual([]);
  });
});

describe("threads", () => {
  test("a parse worker is pure JavaScript, so that it can be terminated at any instant", () => {
    const loaded = [...closure("parse-entry.ts")];
    const native = /^(bun:sqlite|bun:ffi|hnswlib-node|onnxruntime-node|platform\/native(-embedded)?\.ts)$/;
    expect(loaded.filter((name) => native.test(name) || name.startsWith("storage/"))).toEqual([]);
  });

  test("a native worker has no database", () => {
    const loaded = [...closure("native-entry.ts")];
    expect(loaded.filter((name) => name === "bun:sqlite" || name.startsWith("storage/"))).toEqual([]);
  });
});

describe("the linter", () => {
  const samples: [path: string, rule: string, code: string][] = [
    ["storage/a.ts", "no-restricted-imports", `import { x } from "../index/exact.ts"; export const y = x;`],
    ["storage/b.ts", "no-restricted-imports", `import type { X } from "../parse/pdf.ts"; export type Y = X;`],
    ["index/a.ts", "no-restricted-imports", `import { x } from "../storage/db.ts"; export const y = x;`],
    ["index/b.ts", "no-restricted-imports", `import { Database } from "bun:sqlite"; export const y = Database;`],
    ["index/c.ts", "no-restricted-imports", `import h from "hnswlib-node"; export const y = h;`],
    ["embed/local/a.ts", "no-restricted-imports", `import { x } from "../../workers/client.ts"; export const y = x;`],
    ["embed/local/b.ts", "no-restricted-imports", `import o from "onnxruntime-node"; export const y = o;`],
    ["parse/a.ts", "no-restricted-imports", `import { x } from "../embed/provider.ts"; export const y = x;`],
    ["parse/b.ts", "no-restricted-imports", `import { x } from "../platform/native.ts"; export const y = x;`],
    ["platform/a.ts", "no-restricted-imports", `import { x } from "../storage/db.ts"; export const y = x;`],
    ["workers/a.ts", "no-restricted-imports", `import { x } from "../jobs/ingest.ts"; export const y = x;`],
    ["workers/b.ts", "no-restricted-imports", `import { x } from "../storage/db.ts"; export const y = x;`],
    ["jobs/a.ts", "no-restricted-imports", `import { x } from "../api/openai.ts"; export const y = x;`],
    ["api/files/service.ts", "no-restricted-imports", `import { x } from "../../jobs/runner.ts"; export const y = x;`],
    ["search/a.ts", "no-restricted-imports", `import { x } from "../api/files/service.ts"; export const y = x;`],
    ["models/a.ts", "no-restricted-imports", `import type { X } from "../config/config.ts"; export type Y = X;`],
    ["http/a.ts", "no-restricted-imports", `import { x } from "../index/exact.ts"; export const y = x;`],
    ["app/a.ts", "no-restricted-imports", `import { x } from "../cli/verbs.ts"; export const y = x;`],
    ["api/search/service.ts", "no-restricted-imports", `import { Elysia } from "elysia"; export const y = Elysia;`],
    ["api/search/routes.ts", "no-restricted-imports", `import { x } from "../../jobs/runner.ts"; export const y = x;`],
    ["api/a.ts", "no-restricted-imports", `import { x } from "../app/context.ts"; export const y = x;`],
    ["app/b.ts", "no-restricted-imports", `import { x } from "../main.ts"; export const y = x;`],
    ["errors.ts", "no-restricted-imports", `import { x } from "./config/config.ts"; export const y = x;`],
    ["console/a.ts", "no-restricted-imports", `import { x } from "../http/openai.ts"; export const y = x;`],
    ["console/b.ts", "no-restricted-imports", `import { join } from "node:path"; export const y = join;`],
    ["console/c.ts", "no-restricted-imports", `import type { X } from "../config/config.ts"; export type Y = X;`],
    ["console/d.ts", "no-restricted-properties", `export const y = (e: Element) => (e.innerHTML = "x");`],
    ["console/e.ts", "no-restricted-properties", `document.write("x");`],
    ["console/f.tsx", "no-danger", `export const y = <p dangerouslySetInnerHTML={{ __html: "x" }} />;`],
    ["console/g.ts", "no-restricted-globals", `localStorage.setItem("a", "b");`],
    ["console/h.ts", "no-eval", `eval("x");`],
    ["console/i.ts", "no-new-func", `export const y = new Function("x");`],
    ["api/b.ts", "no-restricted-imports", `import { h } from "preact"; export const y = h;`],
    ["jobs/b.ts", "no-restricted-properties", `export const y = process.env;`],
    ["jobs/c.ts", "no-restricted-properties", `export const y = Bun.env;`],
    ["jobs/d.ts", "no-restricted-properties", `process.dlopen({ exports: {} }, "x");`],
    ["jobs/e.ts", "no-console", `console.log("x");`],
    ["jobs/f.ts", "no-explicit-any", `export const y: any = 1;`],
    ["jobs/g.ts", "consistent-type-imports", `import { X } from "./h.ts"; export type Y = X;`],
    ["jobs/i.ts", "no-default-export", `export default 1;`],
    ["jobs/jJ.ts", "filename-case", `export const y = 1;`],
    ["jobs/k.ts", "no-floating-promises", `export async function f() {}\nexport function g() {\n  f();\n}`],
    ["jobs/l.ts", "no-cycle", `import { m } from "./m.ts"; export const l = () => m;`],
    ["jobs/n.ts", "no-barrel-file", `export * from "./m.ts";`],
    ["jobs/o.ts", "max-lines", "export {};\n".repeat(401)],
    ["jobs/q.ts", "max-lines-per-function", `export function f() {\n${"  void 0;\n".repeat(80)}}`],
    [
      "jobs/p.test.ts",
      "no-restricted-properties",
      `import { mock } from "bun:test"; mock.module("./m.ts", () => ({}));`,
    ],
  ];
  const allowed: [path: string, code: string][] = [
    ["jobs/m.ts", `import { l } from "./l.ts"; export const m = () => l;`],
    ["main.ts", `import { y } from "./app/context.ts"; console.log(process.env, process.argv, y);`],
    ["api/x/routes.ts", `import { Elysia } from "elysia"; export const y = new Elysia();`],
    ["storage/c.ts", `import { Database } from "bun:sqlite"; export const y = Database;`],
    [
      "workers/c.ts",
      `import { x } from "../index/exact.ts"; import { p } from "../parse/pdf.ts"; export const y = [x, p];`,
    ],
    ["api/files/c.ts", `import { x } from "../../storage/db.ts"; export const y = x;`],
  ];
  let temp: TempDir;
  let directory: string;
  let fired: Map<string, Set<string>>;

  beforeAll(async () => {
    temp = tempDir();
    directory = temp.path;
    const files = [...samples.map(([path, , code]) => [path, code] as const), ...allowed];
    for (const [path, code] of files) {
      mkdirSync(dirname(join(directory, "src", path)), { recursive: true });
      writeFileSync(join(directory, "src", path), `${code}\n`);
    }
    const options = { module: "Preserve", moduleResolution: "bundler", strict: true, allowImportingTsExtensions: true };
    const tsconfig = { compilerOptions: { ...options, noEmit: true, types: [] }, include: ["src"] };
    writeFileSync(join(directory, "tsconfig.json"), JSON.stringify(tsconfig));
    // Types and the type-aware half of the linter are looked up from the working directory.
    symlinkSync(join(ROOT, "node_modules"), join(directory, "node_modules"));
    const oxlint = join(ROOT, "node_modules/oxlint/bin/oxlint");
    const child = Bun.spawn([process.execPath, oxlint, "-c", writeLintConfig(), "--type-aware", "-f", "json", "src"], {
      cwd: directory,
      stdout: "pipe",
      stderr: "inherit",
      env: { ...process.env, ...toolEnv(ROOT) },
    });
    const report = (await new Response(child.stdout).json()) as {
      diagnostics: { code?: string; filename: string; message: string }[];
    };
    fired = new Map();
    for (const { code, filename, message } of report.diagnostics) {
      if (code === undefined) throw new Error(`${filename}: ${message}`);
      const path = relative("src", filename);
      fired.set(path, (fired.get(path) ?? new Set()).add(code.replace(/^.*\((.*)\)$/, "$1")));
    }
  }, 180_000);

  afterAll(() => temp[Symbol.dispose]());

  test.each(samples)("refuses %s: %s", (path, rule) => {
    expect([...(fired.get(path) ?? [])]).toContain(rule);
  });

  test.each(allowed)("allows %s", (path) => {
    expect([...(fired.get(path) ?? [])].filter((rule) => rule !== "no-cycle")).toEqual([]);
  });
});
