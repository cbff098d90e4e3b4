/**
 * Pages of other origins: a browser lets them call this server only where its answers say so. Off unless the operator
 * names origins. Keys come in headers and nothing here reads cookies, so that a permission opens nothing that a key
 * does not open; credentials are allowed to origins that were named one by one, never to all of them at once.
 */
export interface Cors {
  /** Says on an answer, of whatever kind, who may read it. */
  mark(request: Request, headers: Headers): void;
  /** Says on the answer to a preflight what may be sent; `methods` are those of the address. */
  markPreflight(request: Request, headers: Headers, methods: readonly string[]): void;
}

/** What scripts may read of an answer beside its body. */
const EXPOSED = [
  "x-request-id",
  "retry-after",
  "retry-after-ms",
  "x-should-retry",
  "openai-processing-ms",
  "openai-version",
  "openai-poll-after-ms",
  "x-lectern-generation",
  "x-ratelimit-limit-requests",
  "x-ratelimit-remaining-requests",
  "x-ratelimit-reset-requests",
  "content-disposition",
].join(", ");
/** Seconds that a browser may remember a preflight's answer; browsers cut it to two hours at most. */
const MAX_AGE_SECONDS = 7200;
/** Header names of a preflight, as many as any client has. */
const HEADER_NAMES = /^[\w!#$%&'*+.^`|~, -]{1,2000}$/;
const ANY = "*";

export function createCors(origins: readonly string[]): Cors {
  const isOpen = origins.includes(ANY);

  return {
    mark(request, headers) {
      if (origins.length === 0) return;
      // Caches must keep the answers to different origins apart, those to none included.
      headers.append("vary", "Origin");
      const origin = request.headers.get("origin");
      if (origin === null || !isAllowed(origin)) return;
      const isNamed = origins.includes(origin);
      headers.set("access-control-allow-origin", isNamed ? origin : ANY);
      if (isNamed) headers.set("access-control-allow-credentials", "true");
      headers.set("access-control-expose-headers", EXPOSED);
    },
    markPreflight(request, headers, methods) {
      if (request.headers.get("access-control-request-method") === null) return;
      if (!isAllowed(request.headers.get("origin"))) return;
      headers.append("vary", "Access-Control-Request-Method, Access-Control-Request-Headers");
      headers.set("access-control-allow-methods", methods.join(", "));
      const asked = request.headers.get("access-control-request-headers") ?? "";
      // Named one by one: the asterisk would leave out `authorization`.
      if (HEADER_NAMES.test(asked)) headers.set("access-control-allow-headers", asked);
      headers.set("access-control-max-age", String(MAX_AGE_SECONDS));
    },
  };

  function isAllowed(origin: string | null): boolean {
    return origin !== null && (isOpen || origins.includes(origin));
  }
}
