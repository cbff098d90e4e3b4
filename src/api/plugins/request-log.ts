import type { Log } from "../../platform/log.ts";
import type { Metrics } from "../../platform/metrics.ts";

/** What is known of a request when its answer is ready. Never the address as sent: it may hold ids and query text. */
export interface RequestRecord {
  method: string;
  /** The operation's pattern, or "unknown". */
  route: string;
  status: number;
  durationMs: number;
  requestId: string;
  keyId: string | null;
}

/** Asked for every few seconds by machines. */
const PROBES = ["/healthz", "/readyz", "/metrics", "/docs"];

export function recordRequest(record: RequestRecord, log: Log, metrics: Metrics, slowRequestMs: number): void {
  const { method, route, status, durationMs, requestId, keyId } = record;
  metrics.count("lectern_http_requests_total", { method, route, status: String(status) });
  metrics.observe("lectern_http_request_seconds", durationMs / 1000, { method, route });
  const fields = { method, route, status, ms: Math.round(durationMs * 10) / 10, request_id: requestId, key_id: keyId };
  if (durationMs >= slowRequestMs) log.warn("slow request", fields);
  else if (PROBES.includes(route)) log.debug("request", fields);
  else log.info("request", fields);
}
