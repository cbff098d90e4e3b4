import { expect, test } from "bun:test";
import { machineMemory } from "./machine-memory.ts";

const MEMINFO = "MemTotal:        8000000 kB\nMemFree: 1 kB\nMemAvailable:    6000000 kB\n";
const known = { total: 8_192_000_000, available: 6_144_000_000 };

function memoryOf(files: Record<string, string>) {
  return machineMemory((path) => {
    const text = files[path];
    if (text === undefined) throw new Error(`no ${path}`);
    return text;
  });
}

test.each<[what: string, files: Record<string, string>, limit: number | null]>([
  ["no control groups", {}, null],
  [
    "the narrowest of a group and those above it",
    {
      "/proc/self/cgroup": "0::/system.slice/lectern.service\n",
      "/sys/fs/cgroup/system.slice/lectern.service/memory.max": "max\n",
      "/sys/fs/cgroup/system.slice/memory.max": "2147483648\n",
    },
    2 ** 31,
  ],
  [
    "a container, which sees its own group as the root",
    { "/proc/self/cgroup": "0::/\n", "/sys/fs/cgroup/memory.max": "1073741824\n" },
    2 ** 30,
  ],
  [
    "the first version",
    { "/proc/self/cgroup": "4:cpu,memory:/box\n", "/sys/fs/cgroup/memory/box/memory.limit_in_bytes": "536870912\n" },
    2 ** 29,
  ],
  [
    "no limit in the first version",
    { "/proc/self/cgroup": "4:memory:/\n", "/sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n" },
    null,
  ],
])("%s", (_what, files, limit) => {
  expect(memoryOf({ "/proc/meminfo": MEMINFO, ...files })).toEqual({ ...known, limit });
});

test("where the system does not tell, nothing is known", () => {
  expect(memoryOf({})).toBeNull();
});
