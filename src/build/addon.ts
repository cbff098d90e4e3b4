/**
 * Compiles the addon of src/index/native with the machine's C++ compiler into dist/native: one file for every processor of
 * this architecture, which chooses its instructions at run time. hnswlib's header is the one that hnswlib-node ships.
 */
import { mkdirSync, readdirSync, renameSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { VECTORS_FILE } from "../platform/native.ts";

const ROOT = resolve(import.meta.dir, "../..");
const SOURCES = join(ROOT, "src/index/native");

/** What every processor of this architecture that Bun runs on can do. */
const BASELINE = process.arch === "arm64" ? "armv8-a" : "x86-64-v2";

/** Compiler options that a build of other kind needs too: where headers are, what sums must be. */
export function compilerOptions(): string[] {
  return [
    "-std=c++17",
    `-march=${BASELINE}`,
    // Sums are the same at every level only if no product is fused into them at some.
    "-ffp-contract=off",
    ...[
      "-I",
      join(packageDirectory("node-api-headers"), "include"),
      "-I",
      join(packageDirectory("hnswlib-node"), "src"),
    ],
  ];
}

export function addonSources(): string[] {
  const sources = readdirSync(SOURCES).filter((name) => name.endsWith(".cc"));
  return sources.map((name) => join(SOURCES, name));
}

/** Throws with the compiler's words when it fails. */
async function buildAddon(target: string): Promise<void> {
  mkdirSync(dirname(target), { recursive: true });
  const command = [
    process.env["CXX"] ?? "c++",
    "-O3",
    ...compilerOptions(),
    "-shared",
    "-fPIC",
    "-pthread",
    "-fvisibility=hidden",
    // libstdc++ stays the system's: ONNX Runtime needs that one too, and two copies in one process crash each other.
    ...(process.platform === "darwin" ? ["-undefined", "dynamic_lookup"] : []),
    ...addonSources(),
    "-o",
    `${target}.tmp`,
  ];
  const child = Bun.spawn(command, { stdout: "inherit", stderr: "pipe" });
  const [errors, code] = await Promise.all([new Response(child.stderr).text(), child.exited]);
  if (code !== 0) throw new Error(`${command[0]} could not compile the addon:\n${errors}`);
  renameSync(`${target}.tmp`, target);
}

function packageDirectory(name: string): string {
  return dirname(require.resolve(`${name}/package.json`, { paths: [ROOT] }));
}

if (import.meta.main) {
  await buildAddon(join(ROOT, "dist/native", VECTORS_FILE));
  console.log("compiled the addon");
}
