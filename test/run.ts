/**
 * `make check` and `make test`: runs every stage, shows what failed once more at the end, and closes with one line of
 * totals. A stage that is one command counts as one test; the others report their own numbers.
 *
 * A test file that failed runs a second time, alone: the whole system's tests share the machine with one another and with
 * whatever else runs on it, and a bound that only a crowd breaks says nothing about the code. One that passes then is
 * named at the end, so that it can be looked at; one that fails again is a failure.
 *
 * The only reason to skip is a program, or a right, that this machine does not have (helpers/lacks.ts); what was missing
 * stands in the last line. A stage that skips without saying so has failed: the tests bring their own data.
 */
import { cpus } from "node:os";
import { join } from "node:path";
import { failuresByFile, lastLine, readTotals } from "./helpers/runner-output.ts";
import type { Totals } from "./helpers/runner-output.ts";
import { toolEnv } from "./helpers/tool-env.ts";

interface Stage {
  name: string;
  command: string[];
  /** Bun's test runner, whose closing numbers are added up. */
  counts?: true;
  /** Later stages make no sense without it. */
  required?: true;
}

const ROOT = join(import.meta.dir, "..");
const bun = process.execPath;
const tool = (path: string, ...args: string[]) => [bun, join("node_modules", path), ...args];
const parallel = `--parallel=${Math.max(1, Math.min(4, cpus().length))}`;
const tests = (...args: string[]) => [bun, "test", "--only-failures", ...args];

const ignored = (...patterns: string[]) => patterns.map((pattern) => `--path-ignore-patterns=${pattern}`);

/** Folder of the tests that need the machine to themselves. */
const ALONE = "test/alone";
/** What is made of the program: `make release-test`. */
const RELEASE = "test/release";
const FORMATTED = ["src", "test", "README.md", "docs", "package.json", "tsconfig.json"];
const CHECKS: Stage[] = [
  { name: "format", command: tool("oxfmt/bin/oxfmt", "-c", "test/oxfmt.json", "--check", ...FORMATTED) },
  { name: "lint", command: [bun, "test/lint.ts"] },
  { name: "types", command: tool("typescript/bin/tsc", "--noEmit", "-p", ".") },
  { name: "types of the console", command: tool("typescript/bin/tsc", "--noEmit", "-p", "src/console") },
  { name: "architecture", command: tests("./test/architecture.test.ts"), counts: true },
];
const STAGES: Stage[] = [
  ...CHECKS,
  { name: "unit tests", command: tests(parallel, "--timeout=60000", "./src"), counts: true },
  { name: "build", command: [bun, "src/build/compile.ts"], required: true },
  {
    name: "whole-system tests on dist/lectern",
    command: tests(
      parallel,
      "--timeout=240000",
      ...ignored("test/architecture.test.ts", `${ALONE}/**`, `${RELEASE}/**`),
      "./test",
    ),
    counts: true,
  },
  // What they hold against a clock or a memory bound would be the neighbours' doing in company.
  {
    name: "tests of time and memory, one after another",
    command: tests("--timeout=240000", `./${ALONE}`),
    counts: true,
  },
];

/** What is shown of a failure again at the end. */
const SHOWN_LINES = 40;
/** More files than this failing is no matter of the neighbours. */
const MOST_SECOND_RUNS = 3;

const totals: Totals = { passed: 0, failed: 0, skipped: 0, lacking: [] };
const failures: string[] = [];
const unsteady: string[] = [];
for (const stage of process.argv[2] === "check" ? CHECKS : STAGES) {
  const started = performance.now();
  console.log(`\n== ${stage.name}`);
  const result = await run(stage);
  totals.passed += result.passed;
  totals.failed += result.failed;
  totals.skipped += result.skipped;
  totals.lacking.push(...result.lacking);
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  console.log(`== ${stage.name}: ${result.failed === 0 ? "ok" : "FAILED"} in ${seconds} s`);
  if (stage.required === true && result.failed > 0) break;
}
for (const failure of failures) console.log(`\n-- failed:\n${failure}`);
for (const file of unsteady) console.log(`\n-- passed only when it ran again, alone: ${file}`);
console.log(`\n${lastLine(totals, unsteady.length)}`);
process.exit(totals.failed === 0 ? 0 : 1);

async function run(stage: Stage): Promise<Totals> {
  const { code, output } = await spawn(stage.command);
  if (stage.counts !== true) {
    if (code !== 0) failures.push(output.split("\n").slice(-SHOWN_LINES).join("\n"));
    return { passed: code === 0 ? 1 : 0, failed: code === 0 ? 0 : 1, skipped: 0, lacking: [] };
  }
  const counted = readTotals(output);
  if (counted.skipped > 0 && counted.lacking.length === 0) {
    failures.push(`${stage.name}: ${counted.skipped} skipped without a program that is missing (helpers/lacks.ts)`);
    counted.failed += 1;
    return counted;
  }
  // A runner that broke off, or found nothing to run, is a failure whatever it counted.
  if ((code !== 0 || counted.passed === 0) && counted.failed === 0) counted.failed = 1;
  if (counted.failed === 0) return counted;
  const failed = failuresByFile(output, SHOWN_LINES);
  failures.push(...[...failed.values()].flat());
  if (failed.size === 0 || failed.size > MOST_SECOND_RUNS) return counted;
  let failedAgain = 0;
  for (const file of failed.keys()) {
    console.log(`\n== again, alone: ${file}`);
    const again = await spawn(tests("--timeout=240000", `./${file}`));
    const { failed: still } = readTotals(again.output);
    if (again.code === 0) unsteady.push(file);
    else failedAgain += Math.max(1, still);
  }
  return { ...counted, passed: counted.passed + counted.failed - failedAgain, failed: failedAgain };
}

async function spawn(command: string[]): Promise<{ code: number; output: string }> {
  const child = Bun.spawn(command, {
    cwd: ROOT,
    env: { ...process.env, ...toolEnv(ROOT) },
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  });
  const [out, err, code] = await Promise.all([copy(child.stdout), copy(child.stderr), child.exited]);
  return { code, output: out + err };
}

/** Passes a child's output on as it comes, and keeps it. */
async function copy(stream: ReadableStream<Uint8Array>): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  for await (const piece of stream) {
    process.stdout.write(piece);
    text += decoder.decode(piece, { stream: true });
  }
  return text;
}
