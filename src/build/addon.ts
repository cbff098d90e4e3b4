/**
 * Compiles the addon of src/index/native with the machine's C++ compiler into dist/native: one file for every processor of
 * this architecture, which chooses its instructions at run time. hnswlib's header is the one that hnswlib-node ships.
 */
import { mkdirSync, readdirSync, renameSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { vectorsFileName } from "../platform/native.ts";

const ROOT = resolve(import.meta.dir, "../..");
const SOURCES = join(ROOT, "src/index/native");

/** What every processor of an architecture that Bun runs on can do. */
const BASELINE: Readonly<Record<string, string>> = { arm64: "armv8-a", x64: "x86-64-v2" };

/** Compiler options that a build of other kind needs too: where headers are, what sums must be. */
export function compilerOptions(arch: string = process.arch): string[] {
  return [
    "-std=c++17",
    `-march=${BASELINE[arch] ?? arch}`,
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

/** Builds the addon for an architecture into `directory`. Throws with the compiler's words when it fails. */
export async function buildAddon(arch: string, directory: string): Promise<void> {
  const target = join(directory, vectorsFileName(arch));
  mkdirSync(dirname(target), { recursive: true });
  const command = [
    compilerOf(arch),
    "-O3",
    ...compilerOptions(arch),
    "-shared",
    "-fPIC",
    "-pthread",
    "-fvisibility=hidden",
    // libstdc++ stays the system's: ONNX Runtime needs that one too, and two copies in one process crash each other.
    ...(process.platform === "darwin" ? ["-undefined", "dynamic_lookup"] : []),
    // The same source gives the same bytes wherever the checkout lies.
    `-ffile-prefix-map=${ROOT}=.`,
    ...(process.platform === "linux" ? ["-Wl,--build-id=none"] : []),
    ...addonSources(),
    "-o",
    `${target}.tmp`,
  ];
  const child = Bun.spawn(command, { stdout: "inherit", stderr: "pipe" });
  const [errors, code] = await Promise.all([new Response(child.stderr).text(), child.exited]);
  if (code !== 0) throw new Error(`${command[0]} could not compile the addon:\n${errors}`);
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

if (import.meta.main) {
  await buildAddon(process.arch, join(ROOT, "dist/native"));
  console.log("compiled the addon");
}
