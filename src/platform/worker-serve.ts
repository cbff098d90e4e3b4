import { asError } from "../errors.ts";
import type { FromWorker, SentError, ToWorker } from "./worker-link.ts";
import type { Methods } from "./worker-pool.ts";

/** What a worker entry offers: every method of its map, and a `result` with buffers to hand over instead of copying. */
export type Handlers<M extends Methods> = {
  [K in keyof M]: (args: M[K]["args"]) => Promise<Answer<M[K]["result"]>> | Answer<M[K]["result"]>;
};

export interface Answer<T> {
  result: T;
  transfer?: Bun.Transferable[] | undefined;
}

declare const self: Worker;

/**
 * Answers the pool's calls in this worker. `start` gets the pool's `init` value and returns the handlers;
 * `stop` frees native resources before the thread ends itself.
 */
export function serveCalls<M extends Methods, Init>(
  start: (init: Init) => { handlers: Handlers<M>; stop?: () => Promise<void> | void },
): void {
  let started: ReturnType<typeof start> | Error | null = null;
  let current: Promise<void> = Promise.resolve();
  const post = (message: FromWorker, transfer: Bun.Transferable[] = []) => self.postMessage(message, transfer);

  const run = async (id: number, method: string, args: unknown): Promise<void> => {
    try {
      if (started === null) throw new Error("called before init");
      if (started instanceof Error) throw started;
      const handler = started.handlers[method];
      if (handler === undefined) throw new Error(`unknown method ${method}`);
      const answer = await handler(args);
      post({ type: "result", id, result: answer.result }, answer.transfer);
    } catch (error) {
      post({ type: "error", id, error: sent(asError(error)) });
    }
  };

  self.onmessage = (event: MessageEvent<ToWorker>) => {
    const message = event.data;
    switch (message.type) {
      case "init":
        try {
          started = start(message.init as Init);
        } catch (error) {
          started = asError(error);
        }
        return;
      case "call":
        current = current.then(() => run(message.id, message.method, message.args));
        return;
      case "stop":
        // The call under way is answered first: native code is never left in the middle.
        void current.then(() => (started instanceof Error ? undefined : started?.stop?.())).finally(endThread);
    }
  };
}

/** Bun's workers have no `close`; of a worker this ends its thread alone. */
function endThread(): void {
  // oxlint-disable-next-line eslint/no-restricted-properties
  process.exit(0);
}

function sent(error: Error): SentError {
  const { name, message, stack } = error;
  if (!("code" in error) || !("syscall" in error)) return { name, message, stack };
  return { name, message, stack, system: { code: String(error.code), syscall: String(error.syscall) } };
}
