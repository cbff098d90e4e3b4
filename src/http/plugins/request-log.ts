import type { Log } from "../../platform/log.ts";
import type { Metrics } from "../../platform/metrics.ts";
import { REQUEST_SECONDS, REQUESTS } from "../metrics.ts";

/** What is known of a request when its answer is ready. Never the address as sent: it may hold ids and query text. */
export interface RequestRecord {
  method: string;
  /** The operation's pattern, or "unknown". */
  route: string;
  status: number;
  durationMs: number;
  /** The part of it that the client asked to be kept waiting: no work, so it counts neither as slow nor in the metric. */
  heldMs: number;
  requestId: string;
  keyId: string | null;
  /** Why it was refused. */
  refusal: Refusal | null;
}

/** What a refused request is told, for programs: never its message, which may repeat the client's text. */
export interface Refusal {
  code: string;
  param: string | null;
}

/** Asked for every few seconds by machines. */
const PROBES = ["/healthz", "/readyz", "/metrics", "/docs"];

export interface RequestLogDeps {
  log: Log;
  metrics: Metrics;
  /** From here on a request is a warning. Read at every request. */
  slowRequestMs: number;
}

/** Lines of strangers a window; the others are counted in the next one that is written. */
const STRANGER_LINES = 20;
const WINDOW_MS = 10_000;

/** A line and a count for each request. */
export class RequestLog {
  readonly #deps: RequestLogDeps;
  readonly #nowMs: () => number;
  #windowAt = -Infinity;
  #lines = 0;
  #omitted = 0;

  constructor(deps: RequestLogDeps, nowMs: () => number = () => performance.now()) {
    this.#deps = deps;
    this.#nowMs = nowMs;
  }

  record(record: RequestRecord): void {
    const { log, metrics, slowRequestMs } = this.#deps;
    const { method, route, status, durationMs, heldMs, requestId, keyId, refusal } = record;
    const workedMs = Math.max(0, durationMs - heldMs);
    metrics.count(REQUESTS, { method, route, status: String(status) });
    metrics.observe(REQUEST_SECONDS, workedMs / 1000, { method, route });
    // Whoever has no key must not be able to fill the log.
    // By its code: for some programs a wrong key has another status than 401.
    const isStranger = refusal !== null && keyId === null && (refusal.code === "invalid_api_key" || status === 429);
    if (isStranger && !this.#isSampled()) return;
    const shown = (ms: number) => Math.round(ms * 10) / 10;
    const held = heldMs > 0 ? { held_ms: shown(heldMs) } : {};
    const refused =
      refusal === null ? {} : { code: refusal.code, ...(refusal.param === null ? {} : { param: refusal.param }) };
    const ids = { request_id: requestId, key_id: keyId, ...(isStranger ? this.#takeOmitted() : {}) };
    const fields = { method, route, status, ms: shown(durationMs), ...held, ...refused, ...ids };
    if (workedMs >= slowRequestMs) log.warn("slow request", fields);
    else if (PROBES.includes(route)) log.debug("request", fields);
    else log.info("request", fields);
  }

  #isSampled(): boolean {
    const now = this.#nowMs();
    if (now - this.#windowAt >= WINDOW_MS) {
      this.#windowAt = now;
      this.#lines = 0;
    }
    this.#lines += 1;
    if (this.#lines <= STRANGER_LINES) return true;
    this.#omitted += 1;
    return false;
  }

  #takeOmitted(): { omitted?: number } {
    const omitted = this.#omitted;
    this.#omitted = 0;
    return omitted === 0 ? {} : { omitted: omitted };
  }
}
