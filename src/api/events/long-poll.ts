import type { Call } from "../../http/operation.ts";

/** Wakes whoever waits for something to change in a store. */
export interface Changes {
  /** Returns after the next change of the store, when `signal` aborts, or after `timeoutMs`; never throws. */
  wait(storeId: string, signal: AbortSignal, timeoutMs: number): Promise<void>;
}

export interface PollDeps {
  changes: Changes;
  /** Milliseconds after which asking again makes sense, from the depth of the queue. */
  pollAfterMs: () => Promise<number>;
}

type Asker = Pick<Call, "request" | "headers" | "signal" | "stopping" | "held">;

/** OpenAI's clients end a request on their own after minutes; proxies after 30 or 60 seconds. */
const HOLD_MS = 20_000;
/** How long `cancelled` is kept from clients that do not know it as an end and would ask again at once. */
const CANCELLED_DELAY_MS = 1000;

/**
 * The state of something in progress. A client that says that it polls is answered when the state ends, or after
 * 20 seconds; every answer in progress tells when to ask again. `read` gives the state as it is now.
 */
export async function pollState<T>(
  call: Asker,
  deps: PollDeps,
  storeId: string,
  read: () => Promise<T>,
  statusOf: (state: T) => string,
): Promise<T> {
  let state = await read();
  if (saysItPolls(call.request.headers)) {
    const startedAt = performance.now();
    const until = startedAt + HOLD_MS;
    const over = AbortSignal.any([call.signal, call.stopping]);
    while (statusOf(state) === "in_progress" && !over.aborted) {
      const left = until - performance.now();
      if (left <= 0) break;
      // Waited for from before the look: a change in between is not slept through.
      const looking = new AbortController();
      const changed = deps.changes.wait(storeId, AbortSignal.any([over, looking.signal]), left);
      state = await read();
      if (statusOf(state) === "in_progress") await changed;
      else looking.abort();
    }
    if (statusOf(state) === "cancelled" && asksForeverWhenCancelled(call.request.headers)) {
      await pause(CANCELLED_DELAY_MS, over);
    }
    call.held(performance.now() - startedAt);
  }
  await hintWhenToAsk(call, deps, statusOf(state));
  return state;
}

/** Tells clients when to look again; openai-node waits 5 seconds otherwise. */
export async function hintWhenToAsk(
  call: Pick<Call, "headers">,
  deps: Pick<PollDeps, "pollAfterMs">,
  status: string,
): Promise<void> {
  if (status === "in_progress") call.headers.set("openai-poll-after-ms", String(Math.round(await deps.pollAfterMs())));
}

function saysItPolls(headers: Headers): boolean {
  return headers.get("x-stainless-poll-helper") === "true";
}

/** openai-node before 7.11 does not take `cancelled` for an end, and asks again without waiting. */
function asksForeverWhenCancelled(headers: Headers): boolean {
  if (headers.get("x-stainless-lang") !== "js") return false;
  const [major = 0, minor = 0] = (headers.get("x-stainless-package-version") ?? "").split(".").map(Number);
  return major < 7 || (major === 7 && minor < 11);
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(done, ms);
    signal.addEventListener("abort", done, { once: true });
    function done() {
      clearTimeout(timer);
      signal.removeEventListener("abort", done);
      resolve();
    }
  });
}
