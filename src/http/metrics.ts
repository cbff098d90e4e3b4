/** What the HTTP room counts. */
import { counter, gauge, histogram } from "../platform/metrics.ts";

export const REQUESTS = counter("lectern_http_requests_total", "Requests answered, by route, method and status", [
  "method",
  "route",
  "status",
]);
export const REQUEST_SECONDS = histogram("lectern_http_request_seconds", "Time from request to answer, by route", [
  "method",
  "route",
]);
export const REQUESTS_IN_FLIGHT = gauge("lectern_http_requests_in_flight", "Requests being answered");
export const REQUESTS_LIMITED = counter(
  "lectern_http_requests_limited_total",
  "Requests refused with 429, by the limit that was passed",
  ["limit"],
);
