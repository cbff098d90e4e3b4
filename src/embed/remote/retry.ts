/** When to try again: what providers say in headers, and growing pauses where they say nothing. */

/**
 * Milliseconds that an answer's headers ask to wait, or null. Understands `retry-after-ms`, `retry-after` (seconds or a
 * date) and the reset times of `x-ratelimit-…` (OpenAI: "1s", "6m0s", "12ms"; others: seconds) of whatever is used up.
 */
export function headerWaitMs(headers: Headers, now: number): number | null {
  const milliseconds = Number(headers.get("retry-after-ms") ?? NaN);
  if (milliseconds >= 0) return milliseconds;
  const after = headers.get("retry-after")?.trim();
  if (after !== undefined && after !== "") {
    const seconds = Number(after);
    if (seconds >= 0) return seconds * 1000;
    const date = Date.parse(after);
    if (!Number.isNaN(date)) return Math.max(0, date - now);
  }
  return usedUpWaitMs(headers);
}

/** How long until a used-up allowance comes back, or null where none is used up. */
export function usedUpWaitMs(headers: Headers): number | null {
  let longest: number | null = null;
  headers.forEach((value, name) => {
    const what = /^x-ratelimit-remaining(.*)$/.exec(name)?.[1];
    if (what === undefined || Number(value) > 0 || value.trim() === "") return;
    const reset = durationMs(headers.get(`x-ratelimit-reset${what}`) ?? "");
    if (reset !== null) longest = Math.max(longest ?? 0, reset);
  });
  return longest;
}

/** "12ms", "1.5s", "6m0s", "1h2m" or plain seconds. */
export function durationMs(text: string): number | null {
  const trimmed = text.trim();
  if (/^\d+(\.\d+)?$/.test(trimmed)) return Number(trimmed) * 1000;
  const units: Record<string, number> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };
  if (!/^(\d+(\.\d+)?(ms|s|m|h|d))+$/.test(trimmed)) return null;
  let sum = 0;
  for (const [, amount, unit] of trimmed.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h|d)/g)) {
    sum += Number(amount) * (units[unit ?? "s"] ?? 0);
  }
  return sum;
}

/**
 * Pause before attempt `attempt` + 1 (the first attempt is 1): doubles from `baseMs` up to `capMs`; half of it is
 * random, so that clients that failed together do not come back together.
 */
export function backoffMs(attempt: number, baseMs: number, capMs: number, random: () => number): number {
  const full = Math.min(capMs, baseMs * 2 ** (attempt - 1));
  return full / 2 + (full / 2) * random();
}

/** Resolves after `ms`, or at once when aborted. */
export function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted || ms <= 0) return resolve();
    const done = (): void => {
      clearTimeout(timer);
      signal.removeEventListener("abort", done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal.addEventListener("abort", done, { once: true });
  });
}
