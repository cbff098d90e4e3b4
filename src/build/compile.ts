/**
 * Makes dist/lectern: one executable with the program, the native libraries, the bundled model and every other asset.
 * Run by `make build`; nothing in src imports it.
 */
import { mkdirSync, readdirSync, renameSync, rmSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { embedPlugin } from "./embed-plugin.ts";

const ROOT = resolve(import.meta.dir, "../..");

export interface CompileOptions {
  /** The first one is the program, the others its workers. */
  entrypoints: string[];
  outfile: string;
  /** Where the executable is to run; this machine's kind unless given. */
  target?: Target;
}

/** Another kind of machine, and the Bun for it. */
export interface Target {
  arch: "x64" | "arm64";
  runtime: string;
}

export const LECTERN: CompileOptions = {
  entrypoints: [
    "src/main.ts",
    "src/parse-entry.ts",
    "src/native-entry.ts",
    "src/text-entry.ts",
    "src/ocr-entry.ts",
  ].map((path) => join(ROOT, path)),
  outfile: join(ROOT, "dist/lectern"),
};

/**
 * Builds beside `outfile` and renames at the end, so that a failed build leaves the previous binary alone. Gives the files
 * that were bundled. The same files give the same bytes, wherever the checkout lies.
 */
export async function compile(options: CompileOptions): Promise<string[]> {
  const { target } = options;
  const temporary = `${options.outfile}.tmp`;
  mkdirSync(dirname(options.outfile), { recursive: true });
  rmSync(temporary, { force: true });
  const result = await Bun.build({
    entrypoints: options.entrypoints,
    target: "bun",
    compile: {
      outfile: temporary,
      ...(target && { target: `bun-linux-${target.arch}`, executablePath: target.runtime }),
      // Files that happen to lie in the working directory must not change what the appliance does.
      autoloadDotenv: false,
      autoloadBunfig: false,
      autoloadTsconfig: false,
      autoloadPackageJson: false,
    },
    // Names stay: Elysia reads the source text of handlers, and stack traces stay readable.
    minify: { whitespace: true, syntax: true, identifiers: false },
    // 3 MB that turn a stack trace in a bug report into files and lines.
    sourcemap: "inline",
    env: "disable",
    define: {
      LECTERN_BUILD_COMMIT: JSON.stringify(await gitCommit()),
      "process.env.NODE_ENV": '"production"',
      // CommonJS modules would carry the folder of the build into the executable.
      __dirname: '"/"',
      __filename: '"/"',
    },
    plugins: [await embedPlugin(ROOT, target?.arch)],
    metafile: true,
    throw: true,
  });
  const inputs = Object.keys(result.metafile?.inputs ?? {});
  refuseAddonSearch(inputs);
  refuseUnnamed(inputs, await Bun.file(join(ROOT, "NOTICE")).text());
  removeMaps(dirname(options.outfile));
  renameSync(temporary, options.outfile);
  return inputs;
}

/** A package that searches the disk for its addon would load whatever lies beside the executable. */
function refuseAddonSearch(inputs: string[]): void {
  if (inputs.length === 0) throw new Error("the bundler did not say what it bundled");
  const searching = /node_modules\/(bindings|node-gyp-build[^/]*|node-pre-gyp|prebuild-install)\//;
  const found = inputs.filter((path) => searching.test(path));
  if (found.length > 0) throw new Error(`bundled code searches the disk for addons: ${found.join(", ")}`);
}

/** Whoever's work is given on inside the binary is named in NOTICE. */
function refuseUnnamed(inputs: string[], notice: string): void {
  const packages = inputs.flatMap((path) => /.*node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(path)?.[1] ?? []);
  // Replaced by one line of ours (embed-plugin.ts).
  const named = new Set(["msgpackr-extract", ...[...notice.matchAll(/^ {2}(\S+)/gm)].map((match) => match[1])]);
  const unnamed = [...new Set(packages)].filter((name) => !named.has(name));
  if (unnamed.length > 0) throw new Error(`bundled, but not named in NOTICE: ${unnamed.join(", ")}`);
}

/** The binary has its source maps inside; the bundler leaves copies of them beside it. */
function removeMaps(directory: string): void {
  for (const name of readdirSync(directory)) if (name.endsWith(".map")) rmSync(join(directory, name));
}

/** Short commit with a + when the tree differs from it; "unknown" outside a git checkout. */
async function gitCommit(): Promise<string> {
  const git = (...args: string[]) => Bun.$`git ${args}`.cwd(ROOT).quiet().nothrow().text();
  const head = (await git("rev-parse", "--short=12", "HEAD")).trim();
  if (!/^[0-9a-f]+$/.test(head)) return "unknown";
  return (await git("status", "--porcelain")).trim() === "" ? head : `${head}+`;
}

if (import.meta.main) {
  const started = performance.now();
  await compile(LECTERN);
  const megabytes = Bun.file(LECTERN.outfile).size / 1e6;
  console.log(`dist/lectern ${megabytes.toFixed(1)} MB in ${((performance.now() - started) / 1000).toFixed(1)} s`);
}
