import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";

/** Memory of the machine as this process may use it, in bytes. */
export interface MachineMemory {
  total: number;
  /** What programs may still take without swapping. */
  available: number;
  /** Of the narrowest control group around this process; null where none bounds it. */
  limit: number | null;
}

const GROUPS = "/sys/fs/cgroup";
/** The first version of control groups writes "no limit" as a number near 2^63. */
const NO_LIMIT = 2 ** 60;

/** Null where the system does not tell. */
export function machineMemory(readText = (path: string) => readFileSync(path, "utf8")): MachineMemory | null {
  const text = (path: string) => {
    try {
      return readText(path);
    } catch {
      return "";
    }
  };
  const info = text("/proc/meminfo");
  const field = (name: string) => Number(new RegExp(`^${name}:\\s+(\\d+) kB$`, "m").exec(info)?.[1] ?? 0) * 1024;
  if (field("MemTotal") === 0) return null;
  const groups = text("/proc/self/cgroup").split("\n");
  const pathOf = (pattern: RegExp) => groups.map((line) => pattern.exec(line)?.[1]).find((path) => path !== undefined);
  const limits = [
    ...upwards(pathOf(/^0::(\/.*)$/)).map((path) => text(join(GROUPS, path, "memory.max"))),
    ...upwards(pathOf(/^\d+:(?:\w+,)*memory(?:,\w+)*:(\/.*)$/)).map((path) =>
      text(join(GROUPS, "memory", path, "memory.limit_in_bytes")),
    ),
  ].flatMap((limit) => (/^\d+$/.test(limit.trim()) && Number(limit) < NO_LIMIT ? [Number(limit)] : []));
  return {
    total: field("MemTotal"),
    available: field("MemAvailable"),
    limit: limits.length === 0 ? null : Math.min(...limits),
  };
}

/** `/a/b` -> `/a/b`, `/a`, `/`. */
function upwards(path: string | undefined): string[] {
  if (path === undefined || path.split("/").includes("..")) return ["/"];
  return path === "/" ? ["/"] : [path, ...upwards(dirname(path))];
}
