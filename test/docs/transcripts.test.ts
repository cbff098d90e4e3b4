/**
 * What the documents show is what happens: every block that can run runs, in order, each document against a server of
 * its own with a new data directory. See docs/CONTRIBUTING.md for the marks of blocks.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { readConfig } from "../../src/config/config.ts";
import { LECTERN, plainEnv, PRODUCT_DEFAULT, ROOT, startServer } from "../helpers/server.ts";
import type { TestServer } from "../helpers/server.ts";
import { tempDir } from "../helpers/temp-dir.ts";
import type { TempDir } from "../helpers/temp-dir.ts";
import { waitFor } from "../helpers/wait.ts";
import { blocksOf, pages, readPage } from "./pages.ts";
import type { Block } from "./pages.ts";
import { missingModules, PYTHON } from "./python.ts";
import { openShell } from "./shell.ts";
import type { Shell } from "./shell.ts";
import { compare, stepsOf, withIds } from "./transcript.ts";
import { lacks } from "../helpers/lacks.ts";

/** The address of every server in the documents. */
const DOCUMENTED = "http://127.0.0.1:8080";
const KEY = "sk-documents-0123456789abcdef";
const RUN = new Set(["console", "sh", "ts", "python", "toml", "setup"]);
/** Programs of transcripts that a machine may lack. */
const PROGRAMS = ["curl", "jq"];

const runnable = pages()
  .map((page) => ({
    page,
    blocks: blocksOf(readPage(page)).filter(({ language, noRun }) => RUN.has(language) && noRun === null),
  }))
  .filter(({ blocks }) => blocks.length > 0);

describe.each(runnable)("$page", ({ page, blocks }) => {
  let place: Place;
  beforeAll(async () => {
    place = await openPlace();
  });
  afterAll(async () => await place[Symbol.asyncDispose]());

  for (const block of blocks) {
    const missing = missingFor(block);
    const name = `${page}:${block.line} ${block.language}`;
    test.skipIf(lacks(missing.join(", "), missing.length === 0))(name, async () => await runBlock(place, block));
  }
});

function missingFor({ language, text }: Block): string[] {
  if (language === "python") return missingModules(text).map((name) => `the Python package ${name}`);
  if (language !== "console" && language !== "sh") return [];
  return PROGRAMS.filter((program) => new RegExp(`\\b${program}\\b`).test(text) && Bun.which(program) === null);
}

/** A folder that looks like a checkout with the program built, a server whose data is in it, and a shell. */
interface Place extends AsyncDisposable {
  dir: TempDir;
  server: TestServer;
  shell: Shell;
  env: Record<string, string>;
  ids: Map<string, string>;
}

async function openPlace(): Promise<Place> {
  const dir = tempDir();
  for (const name of ["docs", "node_modules"]) symlinkSync(join(ROOT, name), dir.join(name));
  mkdirSync(dir.join("dist"));
  const program = `#!/bin/sh\nexec ${LECTERN.map((word) => `'${word}'`).join(" ")} "$@"\n`;
  writeFileSync(dir.join("dist/lectern"), program, { mode: 0o755 });
  const server = await startServer({
    dataDir: dir.join("lectern-data"),
    env: { LECTERN_API_KEY: KEY, ...PRODUCT_DEFAULT },
  });
  const path = `${dir.join("dist")}:${process.env["PATH"] ?? ""}`;
  const env = plainEnv({ HOME: dir.path, PATH: path, SERVER_KEY: KEY, ...PRODUCT_DEFAULT });
  const shell = openShell(dir.path, env);
  return {
    dir,
    server,
    shell,
    env,
    ids: new Map(),
    async [Symbol.asyncDispose]() {
      shell[Symbol.dispose]();
      await server[Symbol.asyncDispose]();
      dir[Symbol.dispose]();
    },
  };
}

async function runBlock(place: Place, block: Block): Promise<void> {
  switch (block.language) {
    case "toml":
      readConfig({ argv: ["--config", "it"], env: {}, machine: { cpus: 2 }, readFile: () => block.text });
      return;
    case "ts":
      return await runProgram(place, block, [process.execPath, "program.ts"]);
    case "python":
      return await runProgram(place, block, [PYTHON, "program.py"]);
    case "console":
      return await runTranscript(place, block);
    default:
      return await runCommands(place, block);
  }
}

async function runTranscript({ shell, server, ids }: Place, { text, marks }: Block): Promise<void> {
  for (const { command, expected } of stepsOf(text)) {
    const attempt = async () => {
      const { status, out, err } = await shell.run(withIds(command, ids).replaceAll(DOCUMENTED, server.url));
      // Headings and what a verb says to people go to standard error, and before its answer.
      const said = [out, err + out].map((text) => text.replaceAll(server.url, DOCUMENTED));
      const problems = said.map((text) => compare(expected, text, ids));
      const wrong = problems.includes(null) ? null : problems[0];
      const failed = (status !== 0) !== marks.includes("fails");
      return failed ? `exit status ${status}` : wrong == null ? null : `${wrong}\n${err}`;
    };
    let wrong = await attempt();
    // What goes on in the background is asked about until it is as the document says.
    if (marks.includes("wait")) {
      const again = async () => ((wrong = await attempt()) === null ? true : undefined);
      await waitFor(command, again, 60_000).catch(() => undefined);
    }
    if (wrong !== null) throw new Error(`$ ${command}\n${wrong}`);
  }
}

async function runCommands({ shell, server, ids }: Place, { text }: Block): Promise<void> {
  const { status, out, err } = await shell.run(withIds(text, ids).replaceAll(DOCUMENTED, server.url));
  if (status !== 0) throw new Error(`${text}\nexit status ${status}\n${out}${err}`);
}

/** A whole program; it must end well and print something. */
async function runProgram(
  { dir, server, env }: Place,
  { text }: Block,
  command: readonly [string, string],
): Promise<void> {
  writeFileSync(dir.join(command[1]), text.replaceAll(DOCUMENTED, server.url));
  const child = Bun.spawn({
    cmd: [...command],
    cwd: dir.path,
    env: { ...env, LECTERN_API_KEY: KEY },
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  });
  const [out, err, status] = await Promise.all([child.stdout.text(), child.stderr.text(), child.exited]);
  expect({ status, err, printed: out !== "" }).toMatchObject({ status: 0, printed: true });
}
