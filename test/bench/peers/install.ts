/**
 * Engines to compare with, from package registries into dist/bench/, once. Versions are pinned, nothing of it ships, and
 * what cannot be had is left out of the comparison with the reason.
 */
import { existsSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { ROOT } from "../../helpers/server.ts";

const LIMIT_MS = 600_000;

export type Packages = Readonly<Record<string, string>>;

/** npm packages, without their install scripts; resolves to the folder of modules. */
export async function fromNpm(name: string, packages: Packages): Promise<string> {
  return await once(name, packages, async (folder) => {
    await Bun.write(join(folder, "package.json"), JSON.stringify({ private: true, dependencies: packages }));
    await run(folder, [process.execPath, "install", "--ignore-scripts", "--omit", "optional", "--no-progress"]);
  });
}

/** Python packages in an environment of their own; resolves to its folder. */
export async function fromPyPI(
  name: string,
  packages: Packages,
  { dependencies = true }: { dependencies?: boolean } = {},
): Promise<string> {
  return await once(name, packages, async (folder) => {
    const pinned = Object.entries(packages).map(([one, version]) => `${one}==${version}`);
    await run(folder, ["python3", "-m", "venv", "."]);
    const pip = ["bin/pip", "install", "--quiet", "--no-input", "--disable-pip-version-check"];
    await run(folder, [...pip, ...(dependencies ? [] : ["--no-deps"]), ...pinned]);
  });
}

/** An artifact of Maven's with all that it needs at run time, as jars in the folder `lib` of what it resolves to. */
export async function fromMaven(name: string, group: string, packages: Packages): Promise<string> {
  return await once(name, packages, async (folder) => {
    const needs = Object.entries(packages).map(
      ([artifact, version]) =>
        `<dependency><groupId>${group}</groupId><artifactId>${artifact}</artifactId><version>${version}</version></dependency>`,
    );
    const project = [
      '<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>',
      `<groupId>bench</groupId><artifactId>${name}</artifactId><version>1</version>`,
      `<dependencies>${needs.join("")}</dependencies></project>`,
    ];
    await Bun.write(join(folder, "pom.xml"), project.join("\n"));
    const copy = ["dependency:copy-dependencies", "-DoutputDirectory=lib", "-DincludeScope=runtime"];
    await run(folder, ["mvn", "--quiet", "--batch-mode", ...copy]);
  });
}

/** The folder of a name, made anew unless exactly these packages are in it. */
async function once(name: string, packages: Packages, make: (folder: string) => Promise<void>): Promise<string> {
  const folder = join(ROOT, "dist/bench", name);
  const marker = Bun.file(join(folder, ".installed"));
  const wanted = JSON.stringify(packages);
  if (existsSync(folder) && (await marker.exists()) && (await marker.text()) === wanted) return folder;
  console.log(`installing ${Object.keys(packages).join(", ")} into dist/bench/${name}, once`);
  await Bun.$`rm -rf ${folder}`.quiet();
  mkdirSync(folder, { recursive: true });
  await make(folder);
  await marker.write(wanted);
  return folder;
}

/** Runs an installing command; rejects with the last thing it said. */
export async function run(cwd: string, command: readonly string[]): Promise<void> {
  const program = command[0] ?? "";
  if (!program.includes("/") && Bun.which(program) === null) throw new Error(`${program} is not on this machine`);
  const child = Bun.spawn([...command], { cwd, stdin: "ignore", stdout: "pipe", stderr: "pipe", timeout: LIMIT_MS });
  const [out, errors] = await Promise.all([child.stdout.text(), child.stderr.text(), child.exited]);
  if (child.exitCode === 0) return;
  const said = (errors.trim() || out.trim()).split("\n").at(-1) ?? "";
  throw new Error(`it cannot be installed here: ${said || `${program} took longer than ${LIMIT_MS / 1000} s`}`);
}
