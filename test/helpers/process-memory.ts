import { readdirSync, readFileSync, writeFileSync } from "node:fs";

export interface ProcessMemory {
  residentBytes: number;
  /** The part that belongs to no file: pages of mapped files, the database's for one, are the kernel's to take back. */
  privateBytes: number;
  peakBytes: number;
}

/** Memory of a process now, and resident at its peak (proc(5), status). */
export function memoryOf(pid: number): ProcessMemory {
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  const bytes = (field: string) => Number(new RegExp(`^${field}:\\s+(\\d+) kB`, "m").exec(status)?.[1] ?? "0") * 1024;
  return { residentBytes: bytes("VmRSS"), privateBytes: bytes("RssAnon"), peakBytes: bytes("VmHWM") };
}

/** Starts the peak anew from what is resident now (proc(5), clear_refs). */
export function resetPeak(pid: number): void {
  writeFileSync(`/proc/${pid}/clear_refs`, "5");
}

/** Time on a core that a process took so far, all its threads together, in milliseconds. */
export function cpuMs(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  const [, , , , , , , , , , , user, system] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  // In hundredths of a second wherever Linux runs today (proc(5), sysconf(_SC_CLK_TCK)).
  return (Number(user) + Number(system)) * 10;
}

/**
 * The same by the scheduler's own clock, of the process's first thread and of all its threads that have not ended, in
 * milliseconds.
 */
export function coreTimeOf(pid: number): { first: number; all: number } {
  const times = { first: 0, all: 0 };
  for (const thread of readdirSync(`/proc/${pid}/task`)) {
    let text = "";
    try {
      text = readFileSync(`/proc/${pid}/task/${thread}/schedstat`, "utf8");
    } catch {
      continue; // it has ended
    }
    const ms = Number(text.split(" ", 1)[0]) / 1e6;
    times.all += ms;
    if (Number(thread) === pid) times.first = ms;
  }
  return times;
}

export const mebibytes = (bytes: number) => Math.round(bytes / 2 ** 20);
