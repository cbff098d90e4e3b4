/**
 * Compiles native code with the machine's C++ compiler into dist/native: our own addon (src/index/native), one file that
 * chooses its instructions at run time, and the HNSW addon straight from hnswlib-node's source, once for every level of
 * this architecture. The package's own script would want node-gyp and Node's headers from the network.
 */
import { mkdirSync, readdirSync, renameSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { levelsOf } from "../platform/cpu.ts";
import type { CpuLevel } from "../platform/cpu.ts";
import { hnswFileName, vectorsFileName } from "../platform/native.ts";

const ROOT = resolve(import.meta.dir, "../..");
const SOURCES = join(ROOT, "src/index/native");

/** What every processor of an architecture that Bun runs on can do. */
const BASELINE: Readonly<Record<string, string>> = { arm64: "armv8-a", x64: "x86-64-v2" };

/** Builds our own addon into `directory`. Throws with the compiler's words when it fails. */
export async function buildVectors(arch: string, directory: string): Promise<void> {
  const sources = readdirSync(SOURCES).filter((name) => name.endsWith(".cc"));
  await compileAddon(join(directory, vectorsFileName(arch)), { arch, march: BASELINE[arch] ?? arch }, [
    // Sums are the same at every level only if no product is fused into them at some.
    "-ffp-contract=off",
    "-fvisibility=hidden",
    ...sources.map((name) => join(SOURCES, name)),
  ]);
}

/** Builds one level of the HNSW addon into `directory`. Throws with the compiler's words when it fails. */
export async function buildAddon(level: CpuLevel, directory: string): Promise<void> {
  const hnswlib = join(packageDirectory("hnswlib-node"), "src");
  const target = level === "arm64" ? { arch: "arm64", march: "armv8-a" } : { arch: "x64", march: level };
  await compileAddon(join(directory, hnswFileName(level)), target, [
    "-DNAPI_DISABLE_CPP_EXCEPTIONS",
    "-DNODE_GYP_MODULE_NAME=addon",
    ...["-I", packageDirectory("node-addon-api"), "-I", hnswlib],
    join(hnswlib, "addon.cc"),
  ]);
}

async function compileAddon(
  target: string,
  { arch, march }: { arch: string; march: string },
  options: readonly string[],
): Promise<void> {
  mkdirSync(dirname(target), { recursive: true });
  const command = [
    compilerOf(arch),
    "-O3",
    "-std=c++17",
    "-shared",
    "-fPIC",
    `-march=${march}`,
    // libstdc++ stays the system's: ONNX Runtime needs that one too, and two copies in one process crash each other.
    ...(process.platform === "darwin" ? ["-undefined", "dynamic_lookup"] : []),
    // The same source gives the same bytes wherever the checkout lies.
    `-ffile-prefix-map=${ROOT}=.`,
    ...(process.platform === "linux" ? ["-Wl,--build-id=none"] : []),
    ...["-I", join(packageDirectory("node-api-headers"), "include")],
    ...options,
    "-o",
    `${target}.tmp`,
  ];
  const child = Bun.spawn(command, { stdout: "inherit", stderr: "pipe" });
  const [errors, code] = await Promise.all([new Response(child.stderr).text(), child.exited]);
  if (code !== 0) throw new Error(`${command[0]} could not compile ${target}:\n${errors}`);
  renameSync(`${target}.tmp`, target);
}

/** The machine's own compiler, or Debian's name of the one for another architecture. */
export function compilerOf(arch: string): string {
  if (arch === process.arch) return process.env["CXX"] ?? "c++";
  return arch === "arm64" ? "aarch64-linux-gnu-g++" : "x86_64-linux-gnu-g++";
}

function packageDirectory(name: string): string {
  return dirname(require.resolve(`${name}/package.json`, { paths: [ROOT] }));
}

/** Builds everything native that an executable for `arch` has inside into `directory`. */
export async function buildNatives(arch: string, directory: string): Promise<void> {
  await Promise.all([buildVectors(arch, directory), ...levelsOf(arch).map((level) => buildAddon(level, directory))]);
}

if (import.meta.main) {
  await buildNatives(process.arch, join(ROOT, "dist/native"));
  console.log(`compiled the addons for ${process.arch}`);
}
