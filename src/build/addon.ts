/**
 * Compiles the HNSW addon straight from hnswlib-node's source with the machine's C++ compiler, once for every level of
 * this architecture, into dist/native. The package's own script would want node-gyp and Node's headers from the network.
 */
import { mkdirSync, renameSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { levelsOf } from "../platform/cpu.ts";
import type { CpuLevel } from "../platform/cpu.ts";
import { hnswFileName } from "../platform/native.ts";

const ROOT = resolve(import.meta.dir, "../..");

/** Builds one level into `directory`. Throws with the compiler's words when it fails. */
export async function buildAddon(level: CpuLevel, directory: string): Promise<void> {
  const packageDirectory = (name: string) => dirname(require.resolve(`${name}/package.json`, { paths: [ROOT] }));
  const hnswlib = join(packageDirectory("hnswlib-node"), "src");
  const target = join(directory, hnswFileName(level));
  mkdirSync(directory, { recursive: true });
  const command = [
    compilerOf(level),
    "-O3",
    "-std=c++17",
    "-shared",
    "-fPIC",
    level === "arm64" ? "-march=armv8-a" : `-march=${level}`,
    // libstdc++ stays the system's: ONNX Runtime needs that one too, and two copies in one process crash each other.
    ...(process.platform === "darwin" ? ["-undefined", "dynamic_lookup"] : []),
    // The same source gives the same bytes wherever the checkout lies.
    `-ffile-prefix-map=${ROOT}=.`,
    ...(process.platform === "linux" ? ["-Wl,--build-id=none"] : []),
    "-DNAPI_DISABLE_CPP_EXCEPTIONS",
    "-DNODE_GYP_MODULE_NAME=addon",
    ...[join(packageDirectory("node-api-headers"), "include"), packageDirectory("node-addon-api"), hnswlib].flatMap(
      (path) => ["-I", path],
    ),
    join(hnswlib, "addon.cc"),
    "-o",
    `${target}.tmp`,
  ];
  const child = Bun.spawn(command, { stdout: "inherit", stderr: "pipe" });
  const [errors, code] = await Promise.all([new Response(child.stderr).text(), child.exited]);
  if (code !== 0) throw new Error(`${command[0]} could not compile the HNSW addon for ${level}:\n${errors}`);
  renameSync(`${target}.tmp`, target);
}

/** The machine's own compiler, or Debian's name of the one for another architecture. */
export function compilerOf(level: CpuLevel): string {
  if (levelsOf(process.arch).includes(level)) return process.env["CXX"] ?? "c++";
  return level === "arm64" ? "aarch64-linux-gnu-g++" : "x86_64-linux-gnu-g++";
}

if (import.meta.main) {
  const levels = levelsOf(process.arch);
  await Promise.all(levels.map((level) => buildAddon(level, join(ROOT, "dist/native"))));
  console.log(`compiled the HNSW addon for ${levels.join(", ")}`);
}
