import { expect, test } from "bun:test";
import { cpuFlags, cpuLevel } from "./cpu.ts";

const HASWELL = "fpu sse sse2 ssse3 sse4_1 sse4_2 popcnt cx16 lahf_lm avx avx2 bmi1 bmi2 f16c fma abm movbe";

test.each([
  ["x64", HASWELL, "x86-64-v3"],
  ["x64", `${HASWELL} avx512f avx512bw`, "x86-64-v3"],
  ["x64", HASWELL.replace("avx2 ", ""), "x86-64-v2"],
  ["x64", HASWELL.replace(" fma", ""), "x86-64-v2"],
  ["x64", HASWELL.replace(" abm", ""), "x86-64-v2"],
  ["x64", "", "x86-64-v2"],
  ["arm64", "", "arm64"],
] as const)("a %s processor with the flags '%s' runs %s", (arch, flags, level) => {
  expect(cpuLevel(arch, cpuFlags(`processor\t: 0\nflags\t\t: ${flags}\nbugs\t\t: avx2\n`))).toBe(level);
});

test("a kernel that reports no flags gives none", () => {
  expect(cpuFlags("processor : 0\nFeatures : fp asimd\n").has("avx2")).toBe(false);
});
