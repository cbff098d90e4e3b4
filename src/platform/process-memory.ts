import { readFileSync } from "node:fs";

/** Resident memory of another process of this user. */
export class ProcessMemory {
  readonly #pid: number;
  #last = 0;
  #isAsking = false;

  constructor(pid: number) {
    this.#pid = pid;
  }

  /** Bytes; 0 where it is not known, or the process is gone. Where the system has no /proc, those of the last look. */
  residentBytes(): number {
    if (process.platform === "linux") return residentOf(this.#pid);
    void this.#ask();
    return this.#last;
  }

  async #ask(): Promise<void> {
    if (this.#isAsking) return;
    this.#isAsking = true;
    try {
      const child = Bun.spawn(["ps", "-o", "rss=", "-p", String(this.#pid)], {
        stdio: ["ignore", "pipe", "ignore"],
      });
      this.#last = (Number(await child.stdout.text()) || 0) * 1024;
    } catch {
      // Without `ps` memory is not bounded; time is.
    } finally {
      this.#isAsking = false;
    }
  }
}

function residentOf(pid: number): number {
  try {
    return Number(/^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, "latin1"))?.[1] ?? 0) * 1024;
  } catch {
    return 0;
  }
}
