/** Bun for another kind of machine, as the package registry has it: one executable, checked against a hash of ours. */
import { chmodSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { RUNTIME_VERSION } from "./targets.ts";
import type { Target } from "./targets.ts";

/** Gets the target's Bun into a folder below `parent`, where it stays. Gives the path of the executable. */
export async function getRuntime({ name, runtime, arch }: Target, parent: string): Promise<string> {
  if (Bun.version !== RUNTIME_VERSION)
    throw new Error(`src/build/targets.ts has the hashes of Bun ${RUNTIME_VERSION}, this is Bun ${Bun.version}`);
  const directory = join(parent, `bun-${RUNTIME_VERSION}-${name}`);
  const executable = join(directory, "node_modules", runtime.name, "bin/bun");
  const lock = join(directory, "bun.lock");
  if (!(await isWanted(lock, runtime.integrity)) || !(await Bun.file(executable).exists())) {
    rmSync(directory, { recursive: true, force: true });
    mkdirSync(directory, { recursive: true });
    writeFileSync(join(directory, "package.json"), '{ "private": true }\n');
    const wanted = `${runtime.name}@${RUNTIME_VERSION}`;
    const child = Bun.spawn([process.execPath, "add", "--exact", "--ignore-scripts", `--cpu=${arch}`, wanted], {
      cwd: directory,
      env: { ...process.env, BUN_BE_BUN: "1" },
      stdout: "ignore",
      stderr: "pipe",
    });
    const [errors, code] = await Promise.all([child.stderr.text(), child.exited]);
    if (code !== 0) throw new Error(`${wanted} could not be got:\n${errors}`);
    if (!(await isWanted(lock, runtime.integrity))) {
      rmSync(directory, { recursive: true, force: true });
      throw new Error(`${wanted} is not what src/build/targets.ts says it is`);
    }
  }
  chmodSync(executable, 0o755);
  return executable;
}

async function isWanted(lock: string, integrity: string): Promise<boolean> {
  const file = Bun.file(lock);
  return (await file.exists()) && (await file.text()).includes(`"${integrity}"`);
}
