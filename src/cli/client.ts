/** The verbs' view of a server: JSON in, JSON out, failures as one line. */
import { Type } from "@sinclair/typebox";
import type { Static, TSchema } from "@sinclair/typebox";
import { Value } from "@sinclair/typebox/value";

export interface Server {
  /** Without a slash at the end and without /v1. */
  url: string;
  key: string;
}

/** The server refused or could not be reached; `status` is 0 when it was never reached. */
export class RequestFailed extends Error {
  override name = "RequestFailed";
  readonly status: number;
  readonly code: string | null;
  constructor(message: string, status: number, code: string | null, options?: ErrorOptions) {
    super(message, options);
    this.status = status;
    this.code = code;
  }
}

export const ErrorBody = Type.Object({
  error: Type.Object({ message: Type.String(), code: Type.Union([Type.String(), Type.Null()]) }),
});

/** A body that is read while it is sent, anew for every attempt. */
export interface StreamedBody {
  headers: Record<string, string>;
  open(): AsyncGenerator<Uint8Array>;
}
type Body = object | FormData | StreamedBody;

export interface Client {
  readonly server: Server;
  /** Sends JSON, a form or a stream, and checks the answer against `schema`; further keys are left in place. */
  send<S extends TSchema>(
    schema: S,
    method: string,
    path: string,
    body?: Body,
    signal?: AbortSignal,
  ): Promise<Static<S>>;
}

const ATTEMPTS = 4;

/** Repeats what may pass (overload, a connection that broke after it had worked) three times, with growing pauses. */
export function createClient(server: Server): Client {
  let reached = false;
  return {
    server,
    async send(schema, method, path, body, signal) {
      for (let attempt = 1; ; attempt++) {
        try {
          const answer = await sendOnce(server, schema, method, path, body, signal);
          reached = true;
          return answer;
        } catch (error) {
          signal?.throwIfAborted();
          const passing =
            error instanceof RequestFailed &&
            (error.status === 429 || error.status === 503 || (error.status === 0 && method === "GET" && reached));
          if (!passing || attempt === ATTEMPTS) throw error;
          await Bun.sleep(250 * 2 ** attempt);
        }
      }
    },
  };
}

async function sendOnce<S extends TSchema>(
  server: Server,
  schema: S,
  method: string,
  path: string,
  body: Body | undefined,
  signal: AbortSignal | undefined,
): Promise<Static<S>> {
  const init: BunFetchRequestInit = { method, redirect: "manual", timeout: false };
  const headers: Record<string, string> = { authorization: `Bearer ${server.key}`, "x-stainless-poll-helper": "true" };
  if (body instanceof FormData) init.body = body;
  else if (isStreamed(body)) {
    Object.assign(headers, body.headers);
    init.body = streamOf(body.open());
  } else if (body) {
    headers["content-type"] = "application/json";
    init.body = JSON.stringify(body);
  }
  init.headers = headers;
  if (signal) init.signal = signal;

  let response: Response;
  let text: string;
  try {
    response = await fetch(server.url + path, init);
    text = await response.text();
  } catch (error) {
    signal?.throwIfAborted();
    throw new RequestFailed(`${server.url} cannot be reached; is the server running?`, 0, null, { cause: error });
  }
  const answer = parseJson(text);
  if (!response.ok) {
    const { message, code } = Value.Check(ErrorBody, answer)
      ? answer.error
      : { message: `HTTP ${response.status} without an explanation`, code: null };
    throw new RequestFailed(message, response.status, code);
  }
  if (!Value.Check(schema, answer)) {
    throw new RequestFailed(
      `${server.url} does not answer like Lectern (${method} ${path.split("?")[0]})`,
      response.status,
      null,
    );
  }
  return answer;
}

function streamOf(pieces: AsyncGenerator<Uint8Array>): ReadableStream<Uint8Array> {
  return new ReadableStream({
    async pull(controller) {
      const { done, value } = await pieces.next();
      if (done) controller.close();
      else controller.enqueue(value);
    },
    cancel: async () => void (await pieces.return(undefined)),
  });
}

function isStreamed(body: Body | undefined): body is StreamedBody {
  return body !== undefined && "open" in body && typeof body.open === "function";
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

const Listed = Type.Object({ data: Type.Array(Type.Unknown()), has_more: Type.Boolean() });

/** Every row of a cursor list, page by page. */
export async function* listAll<S extends TSchema>(
  client: Client,
  schema: S,
  path: string,
  signal?: AbortSignal,
  filter: Record<string, string> = {},
): AsyncGenerator<Static<S>> {
  const query = new URLSearchParams({ limit: "100", order: "asc", ...filter });
  for (;;) {
    const page = await client.send(Listed, "GET", `${path}?${query}`, undefined, signal);
    for (const row of page.data) {
      if (!Value.Check(schema, row)) {
        throw new RequestFailed(`${client.server.url} does not answer like Lectern (GET ${path})`, 200, null);
      }
      yield row;
    }
    const last = page.data.at(-1);
    if (!page.has_more || !Value.Check(WithId, last)) return;
    query.set("after", last.id);
  }
}

const WithId = Type.Object({ id: Type.String() });
