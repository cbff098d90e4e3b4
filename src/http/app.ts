import { Elysia } from "elysia";
import { newId } from "../platform/ids.ts";
import type { Log } from "../platform/log.ts";
import type { Metrics } from "../platform/metrics.ts";
import { tracedRequest } from "../platform/tracing.ts";
import { canonicalPath, pathParams } from "./address.ts";
import { JsonBodies } from "./body.ts";
import { createCors } from "./cors.ts";
import type { Cors } from "./cors.ts";
import type { Dialect } from "./dialect.ts";
import type { ConsolePages } from "./web-console/pages.ts";
import { createDocument } from "./docs/document.ts";
import { docsPlugin } from "./docs/routes.ts";
import { REQUESTS_IN_FLIGHT, REQUESTS_LIMITED } from "./metrics.ts";
import { nearAddress } from "./near-address.ts";
import type { ErrorBody } from "./openai.ts";
import type { Operation, OperationSpec } from "./operation.ts";
import type { Authenticate } from "./plugins/auth.ts";
import { closeWithAnswer, type Room, streamsWithRoom } from "./plugins/connections.ts";
import { asAppError, errorResponse, errorsPlugin, statusOf, unknownUrl } from "./plugins/errors.ts";
import { inFlightLimit, rateLimit, strangerLimit, streamLimit } from "./plugins/limits.ts";
import type { InFlight, OnLimit, StreamBounds } from "./plugins/limits.ts";
import { type Permits, SharedRateLimit } from "./plugins/shared-rates.ts";
import { RequestLog } from "./plugins/request-log.ts";
import { isEventStream } from "./event-stream.ts";
import { serveOperation } from "./serve.ts";
import type { RequestState, ServeDeps } from "./serve.ts";
import { readTarget, rewritten } from "./target.ts";

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
  /** A ceiling for the operations that take large JSON. */
  maxJsonBytes: number;
  /** Requests of one key at once; null: any number. Read at every request. */
  maxRequestsPerKey: number | null;
  /** Event streams that are open at once; any number where left out. */
  streamBounds?: StreamBounds;
  /** What connections and files may still be opened; any number where left out. */
  room?: Room;
  /** Of requests a minute, where several servers answer them; counted in memory where left out. */
  permits?: Permits | null;
  /** From here on a request is logged as a warning. */
  slowRequestMs: number;
  /** The web console; none where left out. */
  console?: ConsolePages;
  /** Origins of pages that may call from a browser; `*` is any. None where left out. */
  corsOrigins?: readonly string[];
}

/** What the server can do for the connection that a request came on. */
export interface Connection {
  /** The IP address of the other end; empty where there is none. */
  address: string;
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

export function createApp(deps: AppDeps): App {
  return new HttpApp(deps);
}

const METHODS = ["GET", "POST", "PATCH", "PUT", "DELETE", "HEAD", "OPTIONS"];
/** HEAD comes to the router as GET, and OPTIONS not at all. */
const HANDLED_BEFORE = ["HEAD", "OPTIONS"];
/** What nginx made the custom for a client that hung up: nobody reads the answer, and it is no failure of the server. */
const CLIENT_GONE = 499;

/** Characters: it may hold keys of the client's own making. */
const MAX_LOGGED_PARAM = 200;

class HttpApp implements App {
  readonly #deps: AppDeps;
  readonly #inFlight: InFlight;
  readonly #room: Room;
  readonly #cors: Cors;
  readonly #requestLog: RequestLog;
  readonly #router: { handle(request: Request): Promise<Response> };
  /** What the edge knows of a request, by the request that the router was given. */
  readonly #states = new WeakMap<Request, RequestState>();

  constructor(deps: AppDeps) {
    this.#deps = deps;
    this.#room = deps.room ?? (() => "free");
    const onLimit: OnLimit = (limit) => deps.metrics.count(REQUESTS_LIMITED, { limit });
    this.#inFlight = inFlightLimit(() => deps.maxRequestsPerKey, onLimit);
    deps.metrics.gauge(REQUESTS_IN_FLIGHT, () => this.#inFlight.total());
    this.#requestLog = new RequestLog(deps);
    this.#cors = createCors(deps.corsOrigins ?? []);
    this.#router = this.#createRouter(onLimit);
  }

  inFlight(): number {
    return this.#inFlight.total();
  }

  handle(original: Request, connection?: Connection): Promise<Response> {
    const state = newState(original, this.#deps.dialect, connection);
    return tracedRequest(
      original.headers,
      () => this.#handle(original, state, connection),
      ({ status }) => ({
        name: `${methodOf(original)} ${state.route}`,
        attributes: {
          "http.request.method": methodOf(original),
          "http.route": state.route,
          "http.response.status_code": status,
          "lectern.request_id": state.requestId,
          ...(state.refusal === null ? {} : { "error.type": state.refusal.code }),
        },
        isFailure: status >= 500,
      }),
    );
  }

  async #handle(original: Request, state: RequestState, connection?: Connection): Promise<Response> {
    const startedAt = performance.now();
    let response = await this.#answer(original, state);
    if (original.signal.aborted) {
      await response.body?.cancel().catch(() => {});
      state.refusal = null;
      response = new Response(null, { status: CLIENT_GONE });
    }
    // An event stream goes on after its headers.
    if (!isEventStream(response.headers)) connection?.limitAgain();
    const durationMs = performance.now() - startedAt;
    response.headers.set("x-request-id", state.requestId);
    response.headers.set("openai-processing-ms", String(Math.round(durationMs)));
    response.headers.set("openai-version", "2020-10-01");
    response.headers.set("x-content-type-options", "nosniff");
    closeWithAnswer(response.headers, this.#room);
    this.#cors.mark(original, response.headers);
    const { route, requestId, keyId, heldMs, refusal } = state;
    const method = methodOf(original);
    const { status } = response;
    this.#requestLog.record({ method, route, status, durationMs, heldMs, requestId, keyId, refusal });
    return response;
  }

  async #answer(original: Request, state: RequestState): Promise<Response> {
    try {
      const response = await this.#routed(original, state);
      if (original.method !== "HEAD") return response;
      await response.body?.cancel();
      return new Response(null, { status: response.status, headers: response.headers });
    } catch (thrown) {
      return this.#fail(thrown, state);
    }
  }

  async #routed(original: Request, state: RequestState): Promise<Response> {
    const target = readTarget(original);
    // What no page can be is not waited for.
    const page = target.pathname.startsWith("/v1/")
      ? null
      : await this.#deps.console?.answer(original, target.pathname);
    if (page) {
      state.route = "/console";
      return page;
    }
    const path = canonicalPath(target.pathname);
    if (path !== target.pathname) target.pathname = path;
    if (original.method === "OPTIONS") return this.#options(original, target.pathname);
    if (target.pathname.startsWith("/docs")) state.route = "/docs";
    const request = rewritten(original, target);
    state.target = target;
    this.#states.set(request, state);
    return await this.#router.handle(request);
  }

  #createRouter(onLimit: OnLimit) {
    const { operations } = this.#deps;
    const { authenticate, stopping, maxJsonBytes } = this.#deps;
    const { permits } = this.#deps;
    const nowMs = () => performance.now();
    const rates = permits ? new SharedRateLimit(permits, nowMs, onLimit) : rateLimit(nowMs, onLimit);
    const bounds = this.#deps.streamBounds ?? { perKey: null, perTenant: null };
    const streams = streamsWithRoom(streamLimit(bounds, onLimit), this.#room);
    const strangers = strangerLimit(() => performance.now(), onLimit);
    const bodies = new JsonBodies();
    const serveDeps: ServeDeps = {
      authenticate,
      inFlight: this.#inFlight,
      streams,
      rates,
      strangers,
      stopping,
      bodies,
      maxJsonBytes,
      room: this.#room,
    };
    const document = createDocument(operations.map(({ spec }) => spec));
    const router = new Elysia({ name: "lectern", normalize: false })
      .use(
        errorsPlugin(
          (thrown, request) => this.#fail(thrown, this.#stateOf(request)),
          (path) => this.#near(path),
        ),
      )
      .use(docsPlugin(document));
    for (const operation of operations) {
      const { spec } = operation;
      const path = spec.path.replace(/\{(\w+)\}/g, ":$1");
      const serve = serveOperation(operation, serveDeps);
      const handler = async ({ request }: { request: Request }) => {
        const state = this.#stateOf(request);
        try {
          return await serve(request, state);
        } catch (thrown) {
          return this.#fail(thrown, state);
        }
      };
      router.route(spec.method, path, handler, { parse: "none", detail: document.detail(spec) });
      if (spec.alsoPatch === true) router.route("PATCH", path, handler, { parse: "none", detail: { hide: true } });
      if (spec.onlyMethod === true) {
        const refuse = ({ request }: { request: Request }) => refuseMethod(spec, this.#stateOf(request));
        for (const method of METHODS.filter((one) => one !== spec.method && !HANDLED_BEFORE.includes(one)))
          router.route(method, path, refuse, { parse: "none", detail: { hide: true } });
      }
    }
    router.compile();
    return router;
  }

  #stateOf(request: Request): RequestState {
    return this.#states.get(request) ?? newState(request, this.#deps.dialect);
  }

  /** The answer to whatever was thrown. */
  #fail(thrown: unknown, state: RequestState): Response {
    const error = asAppError(thrown);
    const { code, param, cause } = error;
    state.refusal = { code, param: param?.slice(0, MAX_LOGGED_PARAM) ?? null };
    // Work that was given up because the client went away is no failure.
    if (statusOf(code) >= 500 && cause !== undefined && !state.original.signal.aborted) {
      const text = cause instanceof Error ? (cause.stack ?? String(cause)) : String(cause);
      this.#deps.log.error("request failed", { route: state.route, request_id: state.requestId, code, cause: text });
    }
    return errorResponse(error, state.dialect, { shape: state.refusalShape, request: state.original });
  }

  /** What may be done at an address. */
  #options(request: Request, path: string): Response {
    const here = this.#deps.operations.filter(({ spec }) => pathParams(spec.path, path) !== null);
    if (here.length === 0) throw unknownUrl("OPTIONS", path, this.#near(path));
    const allowed = new Set(here.flatMap(({ spec }) => [spec.method, ...(spec.alsoPatch === true ? ["PATCH"] : [])]));
    if (allowed.has("GET")) allowed.add("HEAD");
    const methods = [...allowed, "OPTIONS"];
    const headers = new Headers({ allow: methods.join(", ") });
    this.#cors.markPreflight(request, headers, methods);
    return new Response(null, { status: 204, headers });
  }

  #near(path: string): string | null {
    return nearAddress(
      path,
      this.#deps.operations.map(({ spec }) => spec.path),
    );
  }
}

/** One of those that there are: a client may send anything. */
function methodOf({ method }: Request): string {
  return METHODS.includes(method) ? method : "OTHER";
}

/** The answer to a method that an address does not have. */
function refuseMethod({ method, path }: OperationSpec, state: RequestState): Response {
  state.route = path;
  const headers = { allow: method, "content-type": "application/json" };
  const message = `${state.original.method.slice(0, 20)} is not allowed at ${path}. Use ${method}.`;
  const body: ErrorBody = { error: { message, type: "invalid_request_error", param: null, code: null } };
  return new Response(JSON.stringify(body), { status: 405, headers });
}

function newState(original: Request, dialect: Dialect, connection?: Connection): RequestState {
  return {
    requestId: newId("req_"),
    original,
    target: null,
    keepOpen: () => connection?.keepOpen(),
    get address() {
      return connection?.address ?? "";
    },
    heldMs: 0,
    route: "unknown",
    keyId: null,
    refusal: null,
    dialect,
    refusalShape: null,
  };
}
