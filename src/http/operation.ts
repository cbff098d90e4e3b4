import type { Static, TObject, TSchema } from "@sinclair/typebox";
import type { AppError, ErrorCode } from "../errors.ts";
import type { BytesLimit, FormLimit, JsonLimit, LinesLimit, NoBody } from "./body-limit.ts";
import type { Caller, Role } from "./caller.ts";
import type { Dialect } from "./dialect.ts";
import type { Line } from "./lines.ts";

/**
 * One operation of the API: its address, its schemas, its documentation and its handler in one value.
 * `createApp` routes, authenticates, validates and answers from it, and the API document is made of it,
 * so that the three cannot disagree.
 */
export type OperationSpec = OperationBasics & (WithoutBody | WithJson | WithForm | WithBytes);

interface WithoutBody {
  body?: never;
  multipart?: never;
  bytes?: never;
  bodyLimit: NoBody;
}

interface WithJson {
  /** A JSON body; an empty body counts as `{}`. Unknown keys are refused, conversions are not made. */
  body: TSchema;
  /**
   * The handler brings the body into the form of its schema and validates it: for what clients may send in other forms.
   * It is given what was sent, as far as its limit goes.
   */
  readsBody?: true;
  multipart?: never;
  bytes?: never;
  /** Also what is read of it: more is refused before anything is made of it. */
  bodyLimit: JsonLimit;
  /** Top-level body keys of other servers' clients, accepted and dropped. */
  foreignKeys?: readonly string[];
  /** The same, one a line, in a body of any length (`application/x-ndjson`): then the handler has `call.lines` and no body. */
  lines?: { line: TSchema; limit: LinesLimit; description: string; example: unknown; response: TSchema };
}

interface WithForm {
  body?: never;
  /** The form of a multipart body, for the document only: the handler reads `call.request.body` itself. */
  multipart: TObject;
  bytes?: never;
  bodyLimit: FormLimit;
}

interface WithBytes {
  body?: never;
  multipart?: never;
  /** What the body is, in a few words: bytes as they are, which the handler reads from `call.request.body` itself. */
  bytes: string;
  bodyLimit: BytesLimit;
}

/**
 * How an operation tells what went wrong, where the programs that call it do not read OpenAI's envelope. A failure keeps
 * its code in logs and its message in the answer.
 */
export interface RefusalShape {
  schema: TSchema;
  /** The status of a failure, given the one that it has elsewhere; the same where left out. */
  status?(code: ErrorCode, usual: number): number;
  /** A value of `schema`. */
  body(error: AppError, at: { status: number; request: Request }): object;
}

interface OperationBasics {
  method: "GET" | "POST" | "PUT" | "DELETE";
  /** Full canonical address with `{name}` for path parameters, e.g. `/v1/files/{file_id}`. */
  path: string;
  operationId: string;
  summary: string;
  description?: string;
  tag: Tag;
  /** The least role that may call it; "none" needs no key. */
  role: Role | "none";
  /** Callers of a suspended tenant may use it although it neither reads nor deletes by its method. */
  whileSuspended?: boolean;
  /** Only for administrators of the first tenant, who administer the whole server. */
  operatorOnly?: boolean;
  /** Query parameters. Text is converted by these schemas; other keys are refused. */
  query?: TObject;
  /** Schema of the 200 answer, or its media type where it is not JSON. */
  response: TSchema | { mediaType: string; description: string };
  /** The query parameter that, where it is true, makes an event stream of the answer: it takes a stream's place. */
  streamsWith?: string;
  /** What the 200 answer is, in a few words. */
  returns?: string;
  /** Other statuses that come with the body of the 200 answer, and what they mean. */
  alsoAnswers?: Record<number, string>;
  /** Codes beyond those that every operation can answer with. */
  errors?: readonly ErrorCode[];
  /** OpenAI's envelope where left out. */
  refusal?: RefusalShape;
  examples?: { body?: unknown; query?: Record<string, unknown>; response?: unknown };
  /** PATCH is served as POST (an update). */
  alsoPatch?: boolean;
  /** Every other method at this address is a 405 that names this one, not an unknown address. */
  onlyMethod?: boolean;
  /**
   * Names that the `fightclub` dialect gives to validation errors, by top-level parameter:
   * one code for all, or one by OpenAI's code (`default` for the rest).
   */
  fightclub?: Record<string, ErrorCode | (Partial<Record<ErrorCode, ErrorCode>> & { default?: ErrorCode })>;
}

export const TAGS = [
  "Files",
  "Uploads",
  "Vector stores",
  "Embeddings",
  "Responses",
  "Assistants",
  "Models",
  "Lectern",
  "Other programs",
  "Administration",
  "Service",
] as const;
export type Tag = (typeof TAGS)[number];

/** `"/v1/a/{x}/b/{y}"` -> `{ x: string; y: string }`. */
export type PathParams<Path extends string> = Path extends `${string}{${infer Name}}${infer Rest}`
  ? { [K in Name]: string } & PathParams<Rest>
  : unknown;

/** Everything that a handler is told about one request. */
export interface Call<Params = unknown, Query = unknown, Body = unknown, Lines = unknown> {
  params: Params;
  query: Query;
  body: Body;
  /** Null where the body is one JSON text. */
  lines: AsyncIterable<Line<Lines>> | null;
  /** Never absent, except in operations of role "none", whose handlers do not look at it. */
  caller: Caller;
  dialect: Dialect;
  requestId: string;
  /** Aborted when the client goes away. */
  signal: AbortSignal;
  /** Aborted when the server begins to stop: long-polls answer then, event streams end. */
  stopping: AbortSignal;
  request: Request;
  /** Extra headers of the answer. */
  headers: Headers;
  /** Status of the answer, 200 unless set. */
  setStatus(status: number): void;
  /**
   * Asks once more who the caller is, for answers that go on: the key may have been revoked, have expired, be restricted
   * to other stores, its tenant suspended. Throws what a new request would be told.
   */
  callerNow(): Promise<Caller>;
  /** Switches the connection's idle limit off, for handlers that bring limits of their own. */
  keepOpen(): void;
  /** Tells that these milliseconds were spent waiting because the client asked for it: they do not make a request slow. */
  held(ms: number): void;
}

/** What a handler gives back: a value that becomes JSON, or a finished response (a stream, bytes). */
export type Answer = object | Response;

export interface Operation {
  spec: OperationSpec;
  /** Who asks, where it is not the owner of one of this server's keys. Throws what a wrong key is told. */
  identify?: (headers: Headers) => Promise<Caller>;
  // Handlers of different operations stand in one list; the builder below keeps each one typed.
  handle: (call: Call<never, never, never, never>) => Answer | Promise<Answer>;
}

type QueryOf<S extends OperationSpec> = S["query"] extends TObject ? Static<S["query"]> : unknown;
type BodyOf<S extends OperationSpec> = S["body"] extends TSchema ? Static<S["body"]> : unknown;

type LinesOf<S extends OperationSpec> = S extends { lines: { line: infer L extends TSchema } } ? Static<L> : never;

/** Ties a handler to its specification; parameters, query and body are typed from it. */
export function operation<const S extends OperationSpec>(
  spec: S,
  handle: (call: Call<PathParams<S["path"]>, QueryOf<S>, BodyOf<S>, LinesOf<S>>) => Answer | Promise<Answer>,
): Operation {
  return { spec, handle };
}
