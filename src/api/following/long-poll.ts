import type { Call } from "../../http/operation.ts";
import type { AppError } from "../../errors.ts";
import type { StillAllowed } from "./still-allowed.ts";
import { pause, type Watches } from "./watches.ts";

export interface PollDeps {
  watches: Watches;
  stillAllowed: StillAllowed;
  /** Milliseconds after which asking again makes sense, from the depth of the queue. */
  pollAfterMs: () => Promise<number>;
}

type Asker = Pick<Call, "request" | "headers" | "signal" | "stopping" | "held" | "caller" | "callerNow">;

/** OpenAI's clients end a request on their own after minutes; proxies after 30 or 60 seconds. */
const HOLD_MS = 20_000;
/** From one look at a state that is waited for to the next. */
const LEAST_MS = 25;
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
    const over = AbortSignal.any([call.signal, call.stopping]);
    if (statusOf(state) === "in_progress" && !over.aborted) {
      const key = `poll ${call.caller.tenantId} ${new URL(call.request.url).pathname}`;
      const hasEnded = (now: T) => statusOf(now) !== "in_progress";
      await untilEnded(call, deps, { over, storeId, key, read, hasEnded });
      state = await read();
    }
    if (statusOf(state) === "cancelled" && asksForeverWhenCancelled(call.request.headers)) {
      await pause(CANCELLED_DELAY_MS, over);
    }
    call.held(performance.now() - startedAt);
  }
  await hintWhenToAsk(call, deps, statusOf(state));
  return state;
}

interface Awaited<T> {
  over: AbortSignal;
  storeId: string;
  /** The same for all who wait for the same. */
  key: string;
  read: () => Promise<T>;
  hasEnded: (state: T) => boolean;
}

/** Until it has ended, cannot be read any more, or the client was held long enough. Throws where its key lost the right. */
async function untilEnded<T>(
  call: Asker,
  { watches, stillAllowed }: PollDeps,
  { over, storeId, key, read, hasEnded }: Awaited<T>,
): Promise<void> {
  const enough = new AbortController();
  const refusals: AppError[] = [];
  const look = async () => {
    const isLast = await read().then(hasEnded, () => true);
    return { seen: null, isLast };
  };
  const leave = watches.follow({ key, storeId, leastMs: LEAST_MS, mostMs: HOLD_MS, eachMs: 0, look }, ({ isLast }) => {
    if (isLast) enough.abort();
  });
  const forget = stillAllowed.keepAsking(`${key} ${call.caller.keyId}`, call.callerNow, (error) => {
    refusals.push(error);
    enough.abort();
  });
  try {
    await pause(HOLD_MS, AbortSignal.any([over, enough.signal]));
  } finally {
    leave();
    forget();
  }
  for (const refusal of refusals) throw refusal;
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
