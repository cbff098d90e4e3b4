/** One worker as its pool knows it: a thread of this process, or a process of its own (worker-process.ts). */

/** What crosses the boundary; entries answer with `serveCalls`. */
export type ToWorker =
  | { type: "init"; init: unknown }
  | { type: "call"; id: number; method: string; args: unknown }
  | { type: "stop" };
export type FromWorker =
  | { type: "result"; id: number; result: unknown }
  | { type: "error"; id: number; error: SentError };

/** `system`: of what the system refused, so that whoever asked can tell a full disk, say, from a fault of the program. */
export interface SentError {
  name: string;
  message: string;
  stack?: string | undefined;
  system?: { code: string; syscall: string };
}

/** The call of a new worker that loads what the first of others would wait for; nobody waits for its answer. */
export const WARM_UP_ID = 0;

/** `killed`: the system ended it, most likely for want of memory. */
export type CallFailure = "deadline" | "aborted" | "crashed" | "closed" | "memory" | "killed";

export interface LinkEvents {
  message(message: FromWorker): void;
  /** It is gone, or as good as gone: called once at most, and not after `terminate`. */
  ended(reason: CallFailure, message: string): void;
}

export interface WorkerLink {
  post(message: ToWorker, transfer: Bun.Transferable[]): void;
  /** Ends it, whatever it is doing; resolves when its memory is given back. */
  terminate(): Promise<void>;
  /** Asks it to end after the call it is in; resolves when it has. */
  stop(): Promise<void>;
  /** Resident memory of its own, in bytes; 0 for a thread. */
  residentBytes(): number;
  /** By how much that has grown since it was at rest, at its least. */
  grownBytes(): number;
  /** Of its process; null for a thread. */
  readonly pid: number | null;
}

export type StartLink = (name: string, events: LinkEvents) => WorkerLink;

/** Workers that are threads of this process. */
export function threads(url: URL): StartLink {
  return (name, events) => {
    const worker = new Worker(url.href, { name });
    worker.addEventListener("message", (event: MessageEvent<FromWorker>) => events.message(event.data));
    worker.addEventListener("error", (event) => events.ended("crashed", `a ${name} worker failed: ${event.message}`));
    worker.addEventListener("close", () => events.ended("crashed", `a ${name} worker ended`));
    return {
      pid: null,
      post: (message, transfer) => worker.postMessage(message, transfer),
      async terminate() {
        worker.terminate();
      },
      stop: () =>
        new Promise((resolve) => {
          worker.addEventListener("close", () => resolve(), { once: true });
          worker.postMessage({ type: "stop" } satisfies ToWorker);
        }),
      residentBytes: () => 0,
      grownBytes: () => 0,
    };
  };
}
