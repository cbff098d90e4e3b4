import { readFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import type { Machine } from "../config/setting.ts";

/** CPUs by affinity, cut down to the cgroup's quota (version 2, then 1), at least one. */
export function thisMachine(readText: (path: string) => string = (path) => readFileSync(path, "utf8")): Machine {
  return { cpus: Math.max(1, Math.min(availableParallelism(), Math.ceil(quotaCpus(readText)))) };
}

/** The quota of the container in CPUs, Infinity where there is none. */
function quotaCpus(readText: (path: string) => string): number {
  const numbers = (path: string) => {
    try {
      return readText(path).trim().split(/\s+/).map(Number);
    } catch {
      return [];
    }
  };
  const [quota, period] = numbers("/sys/fs/cgroup/cpu.max");
  if (quota !== undefined && period) return quota > 0 ? quota / period : Infinity;
  const [oldQuota] = numbers("/sys/fs/cgroup/cpu/cpu.cfs_quota_us");
  const [oldPeriod] = numbers("/sys/fs/cgroup/cpu/cpu.cfs_period_us");
  return oldQuota && oldQuota > 0 && oldPeriod ? oldQuota / oldPeriod : Infinity;
}
