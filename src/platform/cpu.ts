import { readFileSync } from "node:fs";

/** The instruction sets that native code is built for, weakest first; a machine runs every level up to its own. */
export const CPU_LEVELS = ["x86-64-v2", "x86-64-v3", "arm64"] as const;
export type CpuLevel = (typeof CPU_LEVELS)[number];

/** The levels that are built for machines of an architecture; which one runs is decided at start. */
export function levelsOf(arch: string): CpuLevel[] {
  return CPU_LEVELS.filter((level) => level.startsWith(arch === "arm64" ? "arm64" : "x86-64"));
}

/** What x86-64-v3 adds to -v2, in the kernel's spelling (x86-64 psABI, micro-architecture levels; abm is LZCNT). */
const V3_FLAGS = ["avx", "avx2", "bmi1", "bmi2", "f16c", "fma", "abm", "movbe"];

/** The flags of the first core as the kernel reports them: only what the operating system lets programs use. */
export function cpuFlags(cpuinfo: string = readCpuinfo()): Set<string> {
  const line = /^flags\s*:(.*)$/m.exec(cpuinfo)?.[1] ?? "";
  return new Set(line.trim().split(/\s+/));
}

/**
 * The highest level this machine can run. Where the kernel says nothing (no /proc), the weakest of the architecture:
 * slower is better than an illegal instruction.
 */
export function cpuLevel(arch: string = process.arch, flags: Set<string> = cpuFlags()): CpuLevel {
  if (arch === "arm64") return "arm64";
  return V3_FLAGS.every((flag) => flags.has(flag)) ? "x86-64-v3" : "x86-64-v2";
}

function readCpuinfo(): string {
  try {
    return readFileSync("/proc/cpuinfo", "utf8");
  } catch {
    return "";
  }
}
