import { AppError } from "../errors.ts";
import { pathParams } from "./address.ts";
import { DEFAULT_BODY_BYTES, readJson } from "./body.ts";
import { decodedRequest } from "./content-encoding.ts";
import type { Caller } from "./caller.ts";
import { isDialect, requestedDialect } from "./dialect.ts";
import type { Dialect } from "./dialect.ts";
import type { Answer, Call, Operation, OperationSpec } from "./operation.ts";
import { authenticateRequest, authorize } from "./plugins/auth.ts";
import type { Authenticate } from "./plugins/auth.ts";
import { unknownUrl } from "./plugins/errors.ts";
import type { InFlight, RateLimit } from "./plugins/limits.ts";
import type { Refusal } from "./plugins/request-log.ts";
import { shown } from "../platform/words.ts";
import { readQuery, unknownKey } from "./query-string.ts";
import { assertValid, compileValidator } from "./validate.ts";
import type { Problem, Validator } from "./validate.ts";

/** What the edge knows of a request while it is being served. */
export interface RequestState {
  requestId: string;
  /** The client's own request, before its address was rewritten. */
  original: Request;
  keepOpen(): void;
  /** Filled in on the way, for the log and for error bodies. */
  heldMs: number;
  route: string;
  keyId: string | null;
  refusal: Refusal | null;
  dialect: Dialect;
}

export interface ServeDeps {
  authenticate: Authenticate;
  inFlight: InFlight;
  rates: RateLimit;
  stopping: AbortSignal;
  /** Bytes of a JSON body where the operation does not say otherwise. */
  maxJsonBytes?: number | undefined;
}

/** Stands in for the caller where no key is asked for. */
const NOBODY: Caller = {
  keyId: "",
  tenantId: "",
  role: "read",
  storeIds: new Set(),
  dialect: null,
  tenantStatus: "active",
};

/**
 * Makes the function that takes one operation's requests from the router to the answer:
 * dialect, key, role, query, body, handler, in this order. Everything that goes wrong is thrown.
 */
export function serveOperation(
  operation: Operation,
  deps: ServeDeps,
): (request: Request, state: RequestState) => Promise<Response> {
  const { spec, handle } = operation;
  const queryValidator = spec.query === undefined ? null : compileValidator(spec.query);
  const bodyValidator = spec.body === undefined || spec.readsBody === true ? null : compileValidator(spec.body);

  return async (request, state) => {
    state.route = spec.path;
    const url = new URL(request.url);
    const params = pathParams(spec.path, url.pathname);
    if (params === null) throw unknownUrl(request.method, url.pathname);
    const named = requestedDialect(url.searchParams, request.headers);
    if (named !== null) state.dialect = named;

    let caller = NOBODY;
    let leave = () => {};
    if (spec.role !== "none") {
      caller = await authenticateRequest(request.headers, deps.authenticate);
      state.keyId = caller.keyId;
      state.dialect = named ?? (isDialect(caller.dialect) ? caller.dialect : state.dialect);
      authorize(caller, spec.role, params["vector_store_id"], spec.operatorOnly);
      if (deps.stopping.aborted)
        throw new AppError("shutting_down", "The server is shutting down.", { retryAfterSeconds: 1 });
      deps.rates.take(caller);
      leave = deps.inFlight.enter(caller.keyId);
    }
    try {
      // Service addresses are asked by machines that add parameters of their own.
      const unknown = spec.path.startsWith("/v1/") ? unknownKey(url.searchParams, spec.query) : null;
      if (unknown !== null) throw unknownParameter(unknown);
      const query = queryValidator === null || spec.query === undefined ? {} : readQuery(url.searchParams, spec.query);
      if (queryValidator !== null) check(queryValidator, query, spec, state.dialect);
      const takesBody = spec.body !== undefined || spec.multipart !== undefined;
      const readable = takesBody ? decodedRequest(request) : request;
      const given = spec.body === undefined ? undefined : await readBody(readable, spec, deps);
      const body = bodyValidator === null ? given : bodyValidator.withoutNulls(given);
      if (bodyValidator !== null) check(bodyValidator, body, spec, state.dialect);
      return await answered(handle, { params, query, body, caller, request: readable }, state, deps.stopping);
    } finally {
      leave();
    }
  };
}

/** What the handler answers to a request that is as its specification wants it. */
async function answered(
  handle: Operation["handle"],
  asked: Pick<Call, "params" | "query" | "body" | "caller" | "request">,
  state: RequestState,
  stopping: AbortSignal,
): Promise<Response> {
  const headers = new Headers();
  let status = 200;
  const call: Call = {
    ...asked,
    dialect: state.dialect,
    requestId: state.requestId,
    signal: state.original.signal,
    stopping,
    headers,
    setStatus: (given) => {
      status = given;
    },
    keepOpen: state.keepOpen,
    held: (ms) => {
      state.heldMs += ms;
    },
  };
  const answer: Answer = await handle(call as Call<never, never, never>);
  return respond(answer, status, headers);
}

function unknownParameter(name: string): AppError {
  const param = shown(name);
  return new AppError("unknown_parameter", `Unknown parameter: '${param}'.`, { param });
}

function respond(answer: Answer, status: number, headers: Headers): Response {
  if (answer instanceof Response) {
    headers.forEach((value, name) => answer.headers.set(name, value));
    return answer;
  }
  headers.set("content-type", "application/json");
  return new Response(JSON.stringify(answer), { status, headers });
}

async function readBody(request: Request, spec: OperationSpec, deps: ServeDeps): Promise<unknown> {
  const body = await readJson(request, spec.maxBodyBytes ?? deps.maxJsonBytes ?? DEFAULT_BODY_BYTES);
  if (spec.foreignKeys === undefined || typeof body !== "object" || body === null || Array.isArray(body)) return body;
  const { foreignKeys } = spec;
  return Object.fromEntries(Object.entries(body).filter(([key]) => !foreignKeys.includes(key)));
}

function check(validator: Validator, value: unknown, spec: OperationSpec, dialect: Dialect): void {
  if (dialect !== "fightclub" || spec.fightclub === undefined) return assertValid(validator, value);
  const problem = validator.problem(value);
  if (problem === null) return;
  throw new AppError(fightclubCode(problem, spec.fightclub), problem.message, { param: problem.param ?? undefined });
}

function fightclubCode(problem: Problem, names: NonNullable<OperationSpec["fightclub"]>) {
  const name = names[problem.param?.split(/[.[]/, 1)[0] ?? ""];
  if (name === undefined) return problem.code;
  return typeof name === "string" ? name : (name[problem.code] ?? name.default ?? problem.code);
}
