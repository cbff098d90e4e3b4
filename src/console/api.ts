/** The API as the console calls it: the same that everybody can. */

interface Refusal {
  status: number;
  code: string;
  requestId: string;
  retryAfterMs?: number;
}

/** A request that was refused or did not arrive. */
export class ApiError extends Error {
  override name = "ApiError";
  /** 0 where there was no answer. */
  readonly status: number;
  readonly code: string;
  readonly requestId: string;
  /** Before which the server does not want to be asked again; 0 where it says nothing. */
  readonly retryAfterMs: number;

  constructor(message: string, { status, code, requestId, retryAfterMs = 0 }: Refusal) {
    super(message);
    this.status = status;
    this.code = code;
    this.requestId = requestId;
    this.retryAfterMs = retryAfterMs;
  }

  /** The server is away or about to be: what is shown stays, and it is tried again. */
  get isPassing(): boolean {
    return this.status === 0 || this.status === 429 || this.status === 502 || this.status === 503;
  }
}

export interface Timing {
  /** From the request to its answer, as seen here. */
  totalMs: number;
  /** Of the server, as it says itself. */
  serverMs: number | null;
}

export interface ServerEvent {
  event: string;
  data: unknown;
}

export interface Api {
  /** The address with `/v1/`. */
  readonly base: string;
  readonly key: string;
  get<T>(path: string, signal?: AbortSignal): Promise<T>;
  send<T>(method: "POST" | "DELETE", path: string, body?: object, signal?: AbortSignal): Promise<T>;
  timed<T>(path: string, body: object, signal?: AbortSignal): Promise<{ answer: T; timing: Timing }>;
  bytes(path: string): Promise<Blob>;
  /** The answer before its body has come. */
  stream(path: string, signal: AbortSignal): Promise<Response>;
  /** Until the server ends the stream. */
  events(path: string, signal: AbortSignal, body?: object): AsyncGenerator<ServerEvent>;
}

export interface ApiOptions {
  base: string;
  key: string;
  /** The key is not known any more. */
  onRefusedKey: (message: string) => void;
}

/** The API's address, from the page's: both lie below the same path, whatever a proxy puts before it. */
export function apiBase(page: string): string {
  return new URL("../v1/", page).href;
}

/** A key may have a dialect of its own, whose answers look different. */
const DIALECT = { "x-vector-dialect": "openai" };

export function createApi({ base, key, onRefusedKey }: ApiOptions): Api {
  const request = async (method: string, path: string, body?: object, signal?: AbortSignal): Promise<Response> => {
    const headers: Record<string, string> = { ...DIALECT, authorization: `Bearer ${key}` };
    if (body !== undefined) headers["content-type"] = "application/json";
    const init: RequestInit = { method, headers, cache: "no-store", ...(signal === undefined ? {} : { signal }) };
    const json = body === undefined ? {} : { body: JSON.stringify(body) };
    const response = await fetch(base + path, { ...init, ...json }).catch((error: unknown) => {
      if (signal?.aborted === true) throw error;
      throw new ApiError("", { status: 0, code: "unreachable", requestId: "" });
    });
    if (response.ok) return response;
    const error = errorOf(await response.text(), response.status, (name) => response.headers.get(name));
    if (error.status === 401) onRefusedKey(error.message);
    throw error;
  };
  const json = async <T>(response: Promise<Response>) => (await (await response).json()) as T;
  return {
    base,
    key,
    get: (path, signal) => json(request("GET", path, undefined, signal)),
    send: (method, path, body, signal) => json(request(method, path, body, signal)),
    async timed<T>(path: string, body: object, signal?: AbortSignal) {
      const startedAt = performance.now();
      const response = await request("POST", path, body, signal);
      const answer = (await response.json()) as T;
      const serverMs = Number(response.headers.get("openai-processing-ms") ?? Number.NaN);
      const timing = { totalMs: performance.now() - startedAt, serverMs: Number.isNaN(serverMs) ? null : serverMs };
      return { answer, timing };
    },
    bytes: async (path) => await (await request("GET", path)).blob(),
    stream: (path, signal) => request("GET", path, undefined, signal),
    async *events(path, signal, body) {
      const response = await request(body === undefined ? "GET" : "POST", path, body, signal);
      if (response.body !== null) yield* readEvents(response.body);
    },
  };
}

/** The error of an answer, whatever came: a proxy answers in HTML. `header`: one of the answer, by name. */
export function errorOf(text: string, status: number, header: (name: string) => string | null): ApiError {
  let given: { message?: unknown; code?: unknown } = {};
  try {
    given = (JSON.parse(text) as { error?: typeof given } | null)?.error ?? {};
  } catch {
    // Then the status has to do.
  }
  const message = typeof given.message === "string" ? given.message : `HTTP ${status}`;
  return new ApiError(message, {
    status,
    code: typeof given.code === "string" ? given.code : "",
    requestId: header("x-request-id") ?? "",
    // Seconds; a date, which proxies may write, is none.
    retryAfterMs: Number(header("retry-after") ?? 0) * 1000 || 0,
  });
}

/** Server-sent events of a body; comments are left out. */
export async function* readEvents(body: ReadableStream<Uint8Array<ArrayBuffer>>): AsyncGenerator<ServerEvent> {
  let text = "";
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      text += value;
      for (let end = text.indexOf("\n\n"); end >= 0; end = text.indexOf("\n\n")) {
        const event = eventOf(text.slice(0, end));
        text = text.slice(end + 2);
        if (event !== null) yield event;
      }
    }
  } finally {
    // Whoever stops listening lets go of the connection.
    void reader.cancel().catch(() => {});
  }
}

function eventOf(lines: string): ServerEvent | null {
  let event = "message";
  let data = "";
  for (const line of lines.split("\n")) {
    if (line.startsWith("event: ")) event = line.slice("event: ".length);
    else if (line.startsWith("data: ")) data += line.slice("data: ".length);
  }
  if (data === "" || data === "[DONE]") return null;
  return { event, data: JSON.parse(data) as unknown };
}

/** Every row of a cursor list. */
export async function allOf<T>(api: Api, path: string, signal?: AbortSignal): Promise<T[]> {
  return (await firstPages<T>(api, path, { pages: Infinity, signal })).data;
}

/** So many pages of a cursor list, one after the other. `path` has a query. */
export async function firstPages<T>(
  api: Api,
  path: string,
  { pages, signal }: { pages: number; signal: AbortSignal | undefined },
): Promise<{ data: T[]; hasMore: boolean }> {
  const data: T[] = [];
  let after = "";
  for (let page = 0; page < pages; page++) {
    const answer = await api.get<{ data: T[]; has_more: boolean; last_id: string | null }>(path + after, signal);
    data.push(...answer.data);
    if (!answer.has_more || answer.last_id === null) return { data, hasMore: false };
    after = `&after=${encodeURIComponent(answer.last_id)}`;
  }
  return { data, hasMore: true };
}
