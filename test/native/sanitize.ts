/**
 * `make sanitize`: the kernels, the graph and the pool of the addon, compiled with the sanitizers of addresses and of
 * undefined behaviour, against plain loops, hostile sizes and damaged files; then the pool once more with the sanitizer
 * of threads. No JavaScript in it. SEED repeats a run.
 */
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { addonSources, compilerOf, compilerOptions } from "../../src/build/addon.ts";
import { lacks } from "../helpers/lacks.ts";
import { runSeed } from "../helpers/random.ts";
import { tempDir } from "../helpers/temp-dir.ts";

const ROOT = join(import.meta.dir, "../..");
const SECONDS = process.env["SANITIZE_SECONDS"] ?? "10";
const MEMORY = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-fno-omit-frame-pointer"];
const THREADS = ["-fsanitize=thread", "-fno-omit-frame-pointer"];
/** How many files are compiled at once. */
const AT_ONCE = 2;

async function compile(...args: string[]): Promise<boolean> {
  const child = Bun.spawn([compilerOf(process.arch), ...args], { stdout: "ignore", stderr: "pipe" });
  const [errors, code] = await Promise.all([new Response(child.stderr).text(), child.exited]);
  if (code !== 0) console.error(errors);
  return code === 0;
}

/** A program with nothing in it, which takes the sanitizers' libraries and starts. */
async function hasSanitizers(directory: string, sanitizers: readonly string[]): Promise<boolean> {
  const source = join(directory, "empty.cc");
  await Bun.write(source, "int main() { return 0; }\n");
  const program = join(directory, "empty");
  return (await compile(...sanitizers, source, "-o", program)) && Bun.spawnSync([program]).exitCode === 0;
}

async function build(directory: string, sanitizers: readonly string[]): Promise<string | null> {
  const kernels = addonSources().filter((path) => !/(addon|-binding)\.cc$/.test(path));
  const sources = [...kernels, join(import.meta.dir, "driver.cc")];
  const objects = sources.map((_, i) => join(directory, `${i}.o`));
  let next = 0;
  let failed = false;
  const lane = async () => {
    for (let at = next++; at < sources.length; at = next++) {
      const options = [...compilerOptions(), ...sanitizers, "-O1", "-g", "-c"];
      if (!(await compile(...options, sources[at]!, "-o", objects[at]!))) failed = true;
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, lane));
  const program = join(directory, "driver");
  return !failed && (await compile(...sanitizers, "-pthread", ...objects, "-o", program)) ? program : null;
}

/** Builds and runs the driver; answers how it ended, 0 where the compiler has no such sanitizers. */
async function check(name: string, sanitizers: readonly string[], scope: readonly string[]): Promise<number> {
  using directory = tempDir();
  if (lacks(`sanitizer of ${name} in the C++ compiler`, await hasSanitizers(directory.path, sanitizers))) return 0;
  const objects = join(ROOT, "dist/sanitize", name);
  mkdirSync(objects, { recursive: true });
  const program = await build(objects, sanitizers);
  if (program === null) return 1;
  const seed = runSeed(`sanitize ${name}`);
  const args = [String(seed), SECONDS, directory.path, ...scope];
  // hnswlib's insertion takes locks of nodes in any order, and why that ends is told at `Graph::connect`.
  const env = { ...process.env, TSAN_OPTIONS: "detect_deadlocks=0" };
  return await Bun.spawn([program, ...args], { stdout: "inherit", stderr: "inherit", env }).exited;
}

async function main(): Promise<number> {
  const memory = await check("memory", MEMORY, []);
  return memory !== 0 ? memory : await check("threads", THREADS, ["pool"]);
}

process.exitCode = await main();
