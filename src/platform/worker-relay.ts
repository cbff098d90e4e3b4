import { writeFileSync } from "node:fs";
import type { FromWorker, ToWorker } from "./worker-link.ts";

/** Of -1000 to 1000: when the machine has no memory left the kernel ends these first, and never the server. */
const OOM_SCORE = "900";

/**
 * The main thread of a worker's process. It does nothing but pass on what comes and goes, so that it sees the end of its
 * server at once, however busy its worker is, and takes the process with it. `exit` ends the process.
 */
export function relayWorker(url: URL, exit: (status: number) => void): void {
  // A Ctrl-C, or a service manager's signal to all processes, is for the server, which ends this one.
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => undefined);
  process.on("disconnect", () => process.kill(process.pid, "SIGKILL"));
  offerToTheKernel();
  const worker = new Worker(url.href);
  worker.addEventListener("message", (event: MessageEvent<FromWorker>) => void process.send?.(event.data));
  worker.addEventListener("error", () => exit(1));
  worker.addEventListener("close", () => exit(0));
  process.on("message", (message: ToWorker) => worker.postMessage(message));
}

function offerToTheKernel(): void {
  try {
    writeFileSync("/proc/self/oom_score_adj", OOM_SCORE);
  } catch {
    // Not Linux, or no /proc: the kernel chooses as it likes.
  }
}
