import { availableParallelism } from "node:os";
import { expect, test } from "bun:test";
import { thisMachine } from "./machine.ts";

const files = (texts: Record<string, string>) => (path: string) => {
  const text = texts[path];
  if (text === undefined) throw new Error("ENOENT");
  return text;
};

test.each([
  ["no cgroup", {}, availableParallelism()],
  ["no quota", { "/sys/fs/cgroup/cpu.max": "max 100000\n" }, availableParallelism()],
  ["half a CPU", { "/sys/fs/cgroup/cpu.max": "50000 100000\n" }, 1],
  ["a quota above the machine", { "/sys/fs/cgroup/cpu.max": "99900000 100000\n" }, availableParallelism()],
  [
    "version 1",
    { "/sys/fs/cgroup/cpu/cpu.cfs_quota_us": "100000\n", "/sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000\n" },
    1,
  ],
  [
    "version 1 without a quota",
    { "/sys/fs/cgroup/cpu/cpu.cfs_quota_us": "-1", "/sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000" },
    availableParallelism(),
  ],
])("CPUs with %s", (_, texts, cpus) => {
  expect(thisMachine(files(texts))).toEqual({ cpus });
});
