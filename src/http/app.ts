import { Elysia } from "elysia";
import { AppError } from "../errors.ts";
import { newId } from "../platform/ids.ts";
import type { Log } from "../platform/log.ts";
import type { Metrics } from "../platform/metrics.ts";
import { canonicalPath, pathParams } from "./address.ts";
import type { Dialect } from "./dialect.ts";
import { createDocument } from "./docs/document.ts";
import { docsPlugin } from "./docs/routes.ts";
import { REQUESTS_IN_FLIGHT, REQUESTS_LIMITED } from "./metrics.ts";
import type { Operation } from "./operation.ts";
import type { Authenticate } from "./plugins/auth.ts";
import { asAppError, errorResponse, errorsPlugin, statusOf, unknownUrl } from "./plugins/errors.ts";
import { inFlightLimit, rateLimit } from "./plugins/limits.ts";
import { recordRequest } from "./plugins/request-log.ts";
import { serveOperation } from "./serve.ts";
import type { RequestState } from "./serve.ts";

/**
 * The whole HTTP interface as one function from requests to answers; it does not listen.
 * Elysia routes and makes the API document. Validation, error bodies, authentication and limits are this room's own
 * (serve.ts, validate.ts, plugins/), because Elysia's defaults differ from OpenAI's contract in each of them.
 */
export interface AppDeps {
  /** All features: `[...fileOperations(…), ...uploadOperations(…), …]`. */
  operations: readonly Operation[];
  authenticate: Authenticate;
  log: Log;
  metrics: Metrics;
  /** For requests and keys that name none. */
  dialect: Dialect;
  /** Aborted when the server begins to stop. */
  stopping: AbortSignal;
  maxJsonBytes: number;
  /** Requests of one key at once; null: any number. Read at every request. */
  maxRequestsPerKey: number | null;
  /** From here on a request is logged as a warning. */
  slowRequestMs: number;
}

/** What the server can do for the connection that a request came on. */
export interface Connection {
  /** Switches the idle limit off. */
  keepOpen(): void;
  /** Switches it on again, or the connection would be held without limit by a client that is done. */
  limitAgain(): void;
}

export interface App {
  /** Never throws: every failure is an answer in OpenAI's envelope. */
  handle(request: Request, connection?: Connection): Promise<Response>;
  /** Requests being worked on. */
  inFlight(): number;
}

const METHODS = ["GET", "POST", "PATCH", "PUT", "DELETE", "HEAD", "OPTIONS"];

export function createApp(deps: AppDeps): App {
  const { operations, log, metrics } = deps;
  const onLimit = (limit: string) => metrics.count(REQUESTS_LIMITED, { limit });
  const inFlight = inFlightLimit(() => deps.maxRequestsPerKey, onLimit);
  const rates = rateLimit(() => performance.now(), onLimit);
  metrics.gauge(REQUESTS_IN_FLIGHT, () => inFlight.total());
  const states = new WeakMap<Request, RequestState>();

  const fail = (thrown: unknown, state: RequestState): Response => {
    // Work given up because the client went away is no failure; nobody reads this answer.
    if (state.original.signal.aborted && !(thrown instanceof AppError)) return new Response(null, { status: 499 });
    const error = asAppError(thrown);
    if (statusOf(error.code) >= 500 && error.cause !== undefined) {
      const cause = error.cause instanceof Error ? (error.cause.stack ?? String(error.cause)) : String(error.cause);
      log.error("request failed", { route: state.route, request_id: state.requestId, code: error.code, cause });
    }
    return errorResponse(error, state.dialect);
  };
  const stateOf = (request: Request): RequestState => states.get(request) ?? newState(request, deps.dialect);

  const document = createDocument(operations.map(({ spec }) => spec));
  const router = new Elysia({ name: "lectern", normalize: false })
    .use(errorsPlugin((thrown, request) => fail(thrown, stateOf(request))))
    .use(docsPlugin(document));
  for (const operation of operations) {
    const { spec } = operation;
    const path = spec.path.replace(/\{(\w+)\}/g, ":$1");
    const serve = serveOperation(operation, {
      authenticate: deps.authenticate,
      inFlight,
      rates,
      stopping: deps.stopping,
      maxJsonBytes: deps.maxJsonBytes,
    });
    const handler = async ({ request }: { request: Request }) => {
      const state = stateOf(request);
      try {
        return await serve(request, state);
      } catch (thrown) {
        return fail(thrown, state);
      }
    };
    router.route(spec.method, path, handler, { parse: "none", detail: document.detail(spec) });
    if (spec.alsoPatch === true) router.route("PATCH", path, handler, { parse: "none", detail: { hide: true } });
  }
  router.compile();

  return {
    inFlight: () => inFlight.total(),
    async handle(original, connection) {
      const startedAt = performance.now();
      const state = newState(original, deps.dialect, connection);
      const url = new URL(original.url);
      url.pathname = canonicalPath(url.pathname);
      let response: Response;
      if (original.method === "OPTIONS") {
        response = options(operations, url.pathname) ?? fail(unknownUrl("OPTIONS", url.pathname), state);
      } else {
        if (url.pathname.startsWith("/docs")) state.route = "/docs";
        const request = rewritten(original, url.href);
        states.set(request, state);
        try {
          response = await router.handle(request);
        } catch (thrown) {
          response = fail(thrown, state);
        }
        if (original.method === "HEAD") {
          await response.body?.cancel();
          response = new Response(null, { status: response.status, headers: response.headers });
        }
      }
      // An event stream goes on after its headers.
      if (response.headers.get("content-type")?.startsWith("text/event-stream") !== true) connection?.limitAgain();
      const durationMs = performance.now() - startedAt;
      response.headers.set("x-request-id", state.requestId);
      response.headers.set("openai-processing-ms", String(Math.round(durationMs)));
      response.headers.set("openai-version", "2020-10-01");
      response.headers.set("x-content-type-options", "nosniff");
      const method = METHODS.includes(original.method) ? original.method : "OTHER";
      const { route, requestId, keyId, heldMs } = state;
      recordRequest(
        { method, route, status: response.status, durationMs, heldMs, requestId, keyId },
        log,
        metrics,
        deps.slowRequestMs,
      );
      return response;
    },
  };
}

function newState(original: Request, dialect: Dialect, connection?: Connection): RequestState {
  return {
    requestId: newId("req_"),
    original,
    keepOpen: () => connection?.keepOpen(),
    heldMs: 0,
    route: "unknown",
    keyId: null,
    dialect,
  };
}

/** The request under its canonical address; HEAD is served as GET, its body left out at the end. */
function rewritten(original: Request, href: string): Request {
  if (original.method === "HEAD")
    return new Request(href, { method: "GET", headers: original.headers, signal: original.signal });
  return href === original.url ? original : new Request(href, original as RequestInit);
}

/** What may be done at an address; no cross-origin permission is given. */
function options(operations: readonly Operation[], path: string): Response | null {
  const here = operations.filter((operation) => pathParams(operation.spec.path, path) !== null).map(({ spec }) => spec);
  if (here.length === 0) return null;
  const allowed = new Set(here.flatMap((spec) => [spec.method, ...(spec.alsoPatch === true ? ["PATCH"] : [])]));
  if (allowed.has("GET")) allowed.add("HEAD");
  return new Response(null, { status: 204, headers: { allow: [...allowed, "OPTIONS"].join(", ") } });
}
