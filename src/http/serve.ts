import { AppError } from "../errors.ts";
import type { ErrorCode } from "../errors.ts";
import { pathParams } from "./address.ts";
import type { JsonBodies } from "./body.ts";
import { decodedRequest } from "./content-encoding.ts";
import type { Caller } from "./caller.ts";
import { isDialect, requestedDialect } from "./dialect.ts";
import type { Dialect } from "./dialect.ts";
import type { Answer, Call, Operation, OperationSpec, RefusalShape } from "./operation.ts";
import { refuseFull, type Room } from "./plugins/connections.ts";
import { authenticateRequest, authorize } from "./plugins/auth.ts";
import type { Authenticate } from "./plugins/auth.ts";
import { unknownUrl } from "./plugins/errors.ts";
import { isLines, type Line, readLines } from "./lines.ts";
import { EVENT_STREAM, isEventStream } from "./event-stream.ts";
import type { InFlight, RateLimit, StrangerLimit, StreamLimit } from "./plugins/limits.ts";
import type { Refusal } from "./plugins/request-log.ts";
import type { SharedRateLimit } from "./plugins/shared-rates.ts";
import { shown } from "../platform/words.ts";
import { readQuery, unknownKey } from "./query-string.ts";
import { compileValidator } from "./validate.ts";
import type { Problem, Validator } from "./validate.ts";

/** Event streams, and backups: bodies that are made while they are sent. Those of a known length are on disk or in memory. */
function isStreamed(response: Response): boolean {
  return isEventStream(response.headers) || response.headers.get("content-type") === "application/x-tar";
}

/** What the edge knows of a request while it is being served. */
export interface RequestState {
  requestId: string;
  /** The client's own request, before its address was rewritten. */
  original: Request;
  /** The address in its one form, once it is known. */
  target: URL | null;
  keepOpen(): void;
  /** Where it came from. */
  address: string;
  /** Filled in on the way, for the log and for error bodies. */
  heldMs: number;
  route: string;
  keyId: string | null;
  refusal: Refusal | null;
  dialect: Dialect;
  /** How its operation tells what went wrong; null: in OpenAI's envelope. */
  refusalShape: RefusalShape | null;
}

export interface ServeDeps {
  authenticate: Authenticate;
  inFlight: InFlight;
  streams: StreamLimit;
  /** Asks others only where there is a limit. */
  rates: RateLimit | SharedRateLimit;
  strangers: StrangerLimit;
  stopping: AbortSignal;
  bodies: JsonBodies;
  /** Bytes of a JSON body, where the operation would take more. */
  maxJsonBytes: number;
  room: Room;
}

type Identify = NonNullable<Operation["identify"]>;

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
  const linesOf = linesReader(spec);

  return async (request, state) => {
    state.route = spec.path;
    state.refusalShape = spec.refusal ?? null;
    const url = state.target ?? new URL(request.url);
    const params = pathParams(spec.path, url.pathname);
    if (params === null) throw unknownUrl(request.method, url.pathname);
    const named = requestedDialect(url.searchParams, request.headers);
    if (named !== null) state.dialect = named;

    const identify = operation.identify ?? ((headers: Headers) => authenticateRequest(headers, deps.authenticate));
    const callerNow = () => callerOf(request, spec, params, identify);
    let caller = NOBODY;
    let leave = () => {};
    if (spec.role !== "none") {
      // Operators must see what is the matter.
      if (spec.operatorOnly !== true) refuseFull(deps.room);
      caller = await known(request, state, { ...deps, identify });
      state.keyId = caller.keyId;
      state.dialect = named ?? (isDialect(caller.dialect) ? caller.dialect : state.dialect);
      // A refused request counts as well.
      const taken = deps.rates.take(caller);
      if (taken !== undefined) await taken;
      authorize(caller, spec.role, params["vector_store_id"], spec.operatorOnly);
      refuseSuspended(caller, spec, params);
      if (deps.stopping.aborted)
        throw new AppError("shutting_down", "The server is shutting down.", { retryAfterSeconds: 1 });
      leave = entered(deps, spec, caller);
    }
    try {
      // Service addresses are asked by machines that add parameters of their own.
      const unknown = spec.path.startsWith("/v1/") ? unknownKey(url.searchParams, spec.query) : null;
      if (unknown !== null) throw unknownParameter(unknown);
      const query = queryValidator === null || spec.query === undefined ? {} : readQuery(url.searchParams, spec.query);
      if (queryValidator !== null) refuse(queryValidator.problem(query), spec, state.dialect);
      if (spec.streamsWith !== undefined && query[spec.streamsWith] === true)
        leave = both(leave, deps.streams.enter(caller));
      const readable = spec.bodyLimit.kind === "none" ? request : decodedRequest(request);
      const lines = linesOf?.(readable) ?? null;
      const hasBody = spec.body !== undefined && lines === null;
      const given = hasBody ? await readBody(readable, spec, deps, caller) : undefined;
      const body = bodyValidator === null || !hasBody ? given : accepted(bodyValidator, given, spec, state.dialect);
      const asked = { params, query, body, lines, caller, callerNow, request: readable };
      const response = await answered(handle, asked, state, deps.stopping);
      if (!isStreamed(response)) return response;
      const streamed = whileStreamed(response, state.original.signal, leave);
      leave = () => {};
      return streamed;
    } finally {
      leave();
    }
  };
}

/** What reads a body of lines, where the operation takes such and the request says that it is one. */
function linesReader(spec: OperationSpec): ((request: Request) => AsyncIterable<Line<unknown>> | null) | null {
  if (spec.body === undefined || spec.lines === undefined) return null;
  const { lines, foreignKeys = [] } = spec;
  const validator = compileValidator(lines.line);
  return (request) =>
    isLines(request.headers) ? readLines(request, { limit: lines.limit, validator, foreignKeys }) : null;
}

/** Takes the request's places among those that are being answered; throws where none is free. */
function entered({ inFlight, streams }: ServeDeps, { response }: OperationSpec, caller: Caller): () => void {
  const leave = inFlight.enter(caller.keyId);
  if (!("mediaType" in response) || response["mediaType"] !== EVENT_STREAM) return leave;
  try {
    return both(leave, streams.enter(caller));
  } catch (error) {
    leave();
    throw error;
  }
}

function both(first: () => void, second: () => void): () => void {
  return () => {
    second();
    first();
  };
}

/** Who asks, and may ask, for the operation at this moment. */
async function callerOf(
  { headers }: Request,
  spec: OperationSpec,
  params: Record<string, string>,
  identify: Identify,
): Promise<Caller> {
  if (spec.role === "none") return NOBODY;
  const caller = await identify(headers);
  authorize(caller, spec.role, params["vector_store_id"], spec.operatorOnly);
  refuseSuspended(caller, spec, params);
  return caller;
}

/** A suspended tenant reads and deletes what is its own; its stores answer for themselves. */
function refuseSuspended(caller: Caller, spec: OperationSpec, params: Record<string, string>): void {
  if (caller.tenantStatus !== "suspended" || spec.whileSuspended === true) return;
  if (!["POST", "PUT"].includes(spec.method) || params["vector_store_id"] !== undefined) return;
  throw new AppError(
    "vector_store_suspended",
    "This organisation is suspended and may only read and delete; ask the administrator of this server.",
  );
}

/** The caller; whoever is none counts for the address that the request came from. */
async function known(
  request: Request,
  state: RequestState,
  { identify, strangers }: Pick<ServeDeps, "strangers"> & { identify: Identify },
): Promise<Caller> {
  try {
    return await identify(request.headers);
  } catch (error) {
    if (error instanceof AppError && error.code === "invalid_api_key") strangers.take(state.address);
    throw error;
  }
}

/** What the handler answers to a request that is as its specification wants it. */
async function answered(
  handle: Operation["handle"],
  asked: Pick<Call, "params" | "query" | "body" | "lines" | "caller" | "callerNow" | "request">,
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
  const answer: Answer = await handle(call as Call<never, never, never, never>);
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

/** The answer, with its place among the requests in flight kept until its last byte or until nobody reads it any more. */
function whileStreamed(response: Response, gone: AbortSignal, leave: () => void): Response {
  const reader = (response.body ?? new Blob([]).stream()).getReader();
  gone.addEventListener("abort", leave, { once: true });
  const body = new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        try {
          const { done, value } = await reader.read();
          if (!done) return controller.enqueue(value);
          leave();
          controller.close();
        } catch (error) {
          leave();
          controller.error(error);
        }
      },
      async cancel(reason) {
        leave();
        await reader.cancel(reason);
      },
    },
    // Nothing is taken before it is wanted: whoever makes the events sees that a client does not read.
    { highWaterMark: 0 },
  );
  return new Response(body, { status: response.status, headers: response.headers });
}

async function readBody(request: Request, spec: OperationSpec, deps: ServeDeps, caller: Caller): Promise<unknown> {
  if (spec.body === undefined) return undefined;
  const limit = { ...spec.bodyLimit, bytes: Math.min(spec.bodyLimit.bytes, deps.maxJsonBytes) };
  const body = await deps.bodies.read(request, limit, caller.tenantId);
  const { foreignKeys } = spec;
  if (foreignKeys === undefined || typeof body !== "object" || body === null || Array.isArray(body)) return body;
  if (!foreignKeys.some((key) => Object.hasOwn(body, key))) return body;
  return Object.fromEntries(Object.entries(body).filter(([key]) => !foreignKeys.includes(key)));
}

/** The body as the handler gets it. */
function accepted(validator: Validator, body: unknown, spec: OperationSpec, dialect: Dialect): unknown {
  const { value, problem } = validator.read(body);
  refuse(problem, spec, dialect);
  return value;
}

/** Throws for what is wrong with a request, if anything is. */
function refuse(problem: Problem | null, spec: OperationSpec, dialect: Dialect): void {
  if (problem === null) return;
  const { fightclub } = spec;
  const code = dialect === "fightclub" && fightclub !== undefined ? fightclubCode(problem, fightclub) : problem.code;
  throw new AppError(code, problem.message, { param: problem.param ?? undefined });
}

function fightclubCode(problem: Problem, names: NonNullable<OperationSpec["fightclub"]>): ErrorCode {
  const name = names[problem.param?.split(/[.[]/, 1)[0] ?? ""];
  if (name === undefined) return problem.code;
  return typeof name === "string" ? name : (name[problem.code] ?? name.default ?? problem.code);
}
