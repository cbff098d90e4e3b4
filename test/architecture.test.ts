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

const ROOT = join(import.meta.dir, "..");
const SRC = join(ROOT, "src");

const sources = readdirSync(SRC, { recursive: true })
  .map(String)
  .filter((path) => path.endsWith(".ts") && !path.endsWith(".d.ts"))
  .sort();
/** What the binary is made of: no tests, no parts of tests, no build. */
const program = sources.filter((path) => !/\.(test|fixture)\.ts$|(^|\/)testing\/|^build\//.test(path));

function text(path: string): string {
  return readFileSync(join(SRC, path), "utf8");
}

/** Modules that `path` loads when it runs: type imports do not count. Relative ones as paths below src. */
function imports(path: string): string[] {
  const found = new Bun.Transpiler({ loader: "ts" }).scanImports(text(path)).map((one) => one.path);
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

describe("the tree", () => {
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

  test("addresses of workers are made beside main.ts, where they are right in the binary too", () => {
    expect(matching(program, /new URL\([^)]*-entry/).filter((path) => path !== "worker-urls.ts")).toEqual([]);
  });

  test("nothing looks for files next to its source, except where the binary has another answer", () => {
    const users = matching(program, /import\.meta\.(dir|dirname|path|filename|url|resolve)\b|__dirname/);
    const allowed = ["main.ts", "models/bundled-model.ts", "platform/native.ts", "worker-urls.ts"];
    expect(users.filter((path) => !allowed.includes(path))).toEqual([]);
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
    ["api/search/service.ts", "no-restricted-imports", `import { Elysia } from "elysia"; export const y = Elysia;`],
    ["api/search/routes.ts", "no-restricted-imports", `import { x } from "../../jobs/runner.ts"; export const y = x;`],
    ["api/a.ts", "no-restricted-imports", `import { x } from "../context.ts"; export const y = x;`],
    ["context.ts", "no-restricted-imports", `import { x } from "./main.ts"; export const y = x;`],
    ["errors.ts", "no-restricted-imports", `import { x } from "./config.ts"; export const y = x;`],
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
    [
      "jobs/p.test.ts",
      "no-restricted-properties",
      `import { mock } from "bun:test"; mock.module("./m.ts", () => ({}));`,
    ],
  ];
  const allowed: [path: string, code: string][] = [
    ["jobs/m.ts", `import { l } from "./l.ts"; export const m = () => l;`],
    ["main.ts", `import { y } from "./context.ts"; console.log(process.env, process.argv, y);`],
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
    const child = Bun.spawn(
      [process.execPath, oxlint, "-c", join(ROOT, "test/oxlint.json"), "--type-aware", "-f", "json", "src"],
      { cwd: directory, stdout: "pipe", stderr: "inherit", env: { ...process.env, ...toolEnv(ROOT) } },
    );
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
