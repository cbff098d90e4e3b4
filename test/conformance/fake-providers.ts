/**
 * Servers that behave like the embedding providers: their paths, headers, bodies, limits and error shapes, written after
 * their public documentation. Vectors are made from the texts. A request that the real provider would refuse is refused,
 * so that a client that passes here speaks the dialect.
 */
import { createServer } from "node:http";
import type { Server } from "node:http";
import type { DialectName } from "../../src/embed/remote/dialect.ts";

export const FAKE_KEY = "sk-test-1234";
export const FAKE_HOST = "provider.test";

/** What the server does with the next request instead of answering it. */
export type Trouble =
  | "rate-limited"
  | "rate-limited-by-date"
  | "quota"
  | "server-error"
  | "bad-gateway"
  | "slow"
  | "truncated"
  | "cut-off"
  | "not-json"
  | "huge"
  | "redirect"
  | "redirect-inside"
  | "unauthorised"
  | "key-in-error"
  | "not-found"
  | "wrong-dimension"
  | "wrong-count"
  | "not-numbers"
  | "nan"
  | "zeros"
  | "used-up";

export interface FakeProvider extends AsyncDisposable {
  /** Base address with a name that only the test's resolver knows. */
  address: string;
  /** Troubles of the coming requests, first come first served; "ok" answers. */
  script: (Trouble | "ok")[];
  /** The trouble of every request that has none of its own. */
  always: Trouble | null;
  /** Texts of every request that was answered or refused, in order. */
  requests: { texts: string[]; kind: "query" | "passage" | null; dimensions: number | null; host: string }[];
  /** Requests of several texts are answered once so many of them have been under way at the same time. */
  gather: number;
  /** Requests that were under way at the same time, at most. */
  mostAtOnce: number;
  /** Tokens of all texts that were answered, as the provider counts them. */
  tokens: number;
  /** What the real provider would not have accepted. */
  violations: string[];
  /** Texts of more words than this are refused as too long. */
  maxWords: number;
}

interface Shape {
  path: string;
  maxTexts: number;
  texts(body: Record<string, unknown>): unknown;
  kind(body: Record<string, unknown>): "query" | "passage" | null;
  dimensions(body: Record<string, unknown>): unknown;
  known: string[];
  answer(vectors: number[][], tokens: number, body: Record<string, unknown>): unknown;
  error(status: number, message: string, code: string): unknown;
  tooLong: string;
  key(headers: Headers): string | null;
  retryHeaders: Record<string, string>;
}

const bearer = (headers: Headers) => headers.get("authorization")?.replace(/^Bearer /, "") ?? null;
const list = (vectors: number[][], encode: (vector: number[]) => unknown = (v) => v) =>
  // Not in order: the index counts.
  vectors.map((vector, index) => ({ object: "embedding", index, embedding: encode(vector) })).reverse();
const base64 = (vector: number[]) => Buffer.from(Float32Array.from(vector).buffer).toString("base64");

const SHAPES: Record<DialectName, Shape> = {
  openai: {
    path: "/v1/embeddings",
    maxTexts: 2048,
    texts: (body) => body["input"],
    kind: () => null,
    dimensions: (body) => body["dimensions"],
    known: ["model", "input", "encoding_format", "dimensions", "user"],
    answer: (vectors, tokens, body) => ({
      object: "list",
      data: list(vectors, body["encoding_format"] === "base64" ? base64 : undefined),
      model: body["model"],
      usage: { prompt_tokens: tokens, total_tokens: tokens },
    }),
    error: (_, message, code) => ({ error: { message, type: "invalid_request_error", param: null, code } }),
    tooLong: "This model's maximum context length is 8192 tokens, however you requested 9000 tokens.",
    key: bearer,
    retryHeaders: {
      "retry-after-ms": "40",
      "retry-after": "1",
      "x-ratelimit-remaining-requests": "0",
      "x-ratelimit-reset-requests": "40ms",
    },
  },
  "openai-compatible": {
    path: "/v1/embeddings",
    maxTexts: 32,
    texts: (body) => body["input"],
    kind: () => null,
    dimensions: (body) => body["dimensions"],
    known: ["model", "input", "encoding_format", "dimensions"],
    answer: (vectors, tokens, body) => ({
      object: "list",
      data: list(vectors),
      model: body["model"],
      usage: { prompt_tokens: tokens, total_tokens: tokens },
    }),
    error: (_, message, code) => ({ error: message, error_type: code }),
    tooLong: "Input validation error: `inputs` must have less than 512 tokens. Given: 900",
    key: bearer,
    retryHeaders: {},
  },
  cohere: {
    path: "/v2/embed",
    maxTexts: 96,
    texts: (body) => body["texts"],
    kind: (body) =>
      body["input_type"] === "search_query" ? "query" : body["input_type"] === "search_document" ? "passage" : null,
    dimensions: () => undefined,
    known: ["model", "texts", "input_type", "embedding_types", "truncate"],
    answer: (vectors, tokens, body) => ({
      id: "1",
      embeddings: { float: vectors },
      texts: body["texts"],
      meta: { api_version: { version: "2" }, billed_units: { input_tokens: tokens } },
      response_type: "embeddings_by_type",
    }),
    error: (_, message) => ({ message }),
    tooLong: "invalid request: text too long: 700 tokens, the maximum is 512",
    key: bearer,
    retryHeaders: { "retry-after": "0.04" },
  },
  voyage: {
    path: "/v1/embeddings",
    maxTexts: 1000,
    texts: (body) => body["input"],
    kind: (body) => (body["input_type"] === "query" ? "query" : body["input_type"] === "document" ? "passage" : null),
    dimensions: (body) => body["output_dimension"],
    known: ["model", "input", "input_type", "truncation", "output_dimension", "output_dtype", "encoding_format"],
    answer: (vectors, tokens, body) => ({
      object: "list",
      data: list(vectors, body["encoding_format"] === "base64" ? base64 : undefined),
      model: body["model"],
      usage: { total_tokens: tokens },
    }),
    error: (_, detail) => ({ detail }),
    tooLong: "Your request has an example with 40000 tokens after truncation. The max sequence length is 32000.",
    key: bearer,
    retryHeaders: {},
  },
  mistral: {
    path: "/v1/embeddings",
    maxTexts: 512,
    texts: (body) => body["input"],
    kind: () => null,
    dimensions: () => undefined,
    known: ["model", "input", "encoding_format"],
    answer: (vectors, tokens, body) => ({
      id: "1",
      object: "list",
      data: list(vectors),
      model: body["model"],
      usage: { prompt_tokens: tokens, total_tokens: tokens, completion_tokens: 0 },
    }),
    error: (_, message, code) => ({ object: "error", message, type: "invalid_request_error", param: null, code }),
    tooLong: "Input id 0 has 9000 tokens, exceeding max 8192 tokens.",
    key: bearer,
    retryHeaders: { "x-ratelimit-remaining-tokens-minute": "0", "x-ratelimit-reset-tokens-minute": "0.04" },
  },
  google: {
    path: "/v1beta/models/embed-test:batchEmbedContents",
    maxTexts: 100,
    texts: (body) => {
      const requests = body["requests"] as { model?: string; content?: { parts?: { text?: string }[] } }[] | undefined;
      return requests?.map((r) => (r.model === "models/embed-test" ? r.content?.parts?.[0]?.text : undefined));
    },
    kind: (body) => {
      const type = (body["requests"] as { taskType?: string }[])[0]?.taskType;
      return type === "RETRIEVAL_QUERY" ? "query" : type === "RETRIEVAL_DOCUMENT" ? "passage" : null;
    },
    dimensions: (body) => (body["requests"] as { outputDimensionality?: number }[])[0]?.outputDimensionality,
    known: ["requests"],
    answer: (vectors) => ({ embeddings: vectors.map((values) => ({ values })) }),
    error: (code, message, status) => ({
      error: {
        code,
        message,
        status,
        details: code === 429 ? [{ "@type": "type.googleapis.com/google.rpc.RetryInfo", retryDelay: "0.04s" }] : [],
      },
    }),
    tooLong: "Request payload size exceeds the limit: the input token count exceeds 2048.",
    key: (headers) => headers.get("x-goog-api-key"),
    retryHeaders: {},
  },
};

/** Which dialects tell a client how long to wait, and therefore must be waited for. */
export function tellsWait(dialect: DialectName): boolean {
  return Object.keys(SHAPES[dialect].retryHeaders).length > 0 || dialect === "google";
}

export async function startFakeProvider(dialect: DialectName, dimensions: number): Promise<FakeProvider> {
  const shape = SHAPES[dialect];
  const provider: Omit<FakeProvider, keyof AsyncDisposable | "address"> = {
    script: [],
    always: null,
    requests: [],
    gather: 0,
    mostAtOnce: 0,
    tokens: 0,
    violations: [],
    maxWords: 1000,
  };
  const refuse = (status: number, message: string, code = "bad_request", headers: Record<string, string> = {}) =>
    Response.json(shape.error(status, message, code), { status, headers });

  const handle = async (request: Request): Promise<Response | null> => {
    const trouble = provider.script.shift() ?? provider.always ?? "ok";
    const body = (await request.json()) as Record<string, unknown>;
    const texts = shape.texts(body);
    const problem = violation(shape, request, body, texts);
    if (problem !== null) {
      provider.violations.push(problem);
      return refuse(400, problem);
    }
    const strings = texts as string[];
    const asked = shape.dimensions(body);
    const kind = shape.kind(body);
    provider.requests.push({
      texts: strings,
      kind,
      dimensions: typeof asked === "number" ? asked : null,
      host: request.headers.get("host") ?? "",
    });
    if (strings.length > 1) await gathered();
    switch (trouble) {
      case "rate-limited":
        return refuse(429, "Rate limit reached, slow down", "rate_limit_exceeded", shape.retryHeaders);
      case "rate-limited-by-date":
        return refuse(429, "Slow down", "rate_limit_exceeded", {
          "retry-after": new Date(Date.now() + 3_600_000).toUTCString(),
        });
      case "quota":
        return refuse(429, "You exceeded your current quota, check your plan and billing", "insufficient_quota");
      case "server-error":
        return refuse(500, "The server had an error", "server_error");
      case "bad-gateway":
        return new Response("<html>502 Bad Gateway</html>", { status: 502, headers: { "content-type": "text/html" } });
      case "slow":
        return await new Promise(() => undefined);
      case "not-json":
        return new Response("<html>hello</html>", { headers: { "content-type": "text/html" } });
      case "truncated":
        return new Response('{"data":[{"embedding":[0.1,');
      case "cut-off":
        return null;
      case "huge":
        return new Response(" ".repeat(200_000) + "{}");
      case "redirect":
        return new Response(null, { status: 307, headers: { location: "http://127.0.0.1:1/steal" } });
      case "redirect-inside":
        // To the same server: following it would work.
        return new Response(null, { status: 308, headers: { location: shape.path } });
      case "unauthorised":
        return refuse(401, "Invalid API key", "invalid_api_key");
      case "key-in-error":
        return refuse(500, `Something is wrong with ${FAKE_KEY} here`, "server_error");
      case "not-found":
        return refuse(404, "The model does not exist", "model_not_found");
      default:
        break;
    }
    if (strings.some((text) => text.split(/\s+/).length > provider.maxWords)) return refuse(400, shape.tooLong);
    let vectors: unknown = strings.map((text) => vectorFor(text, kind, dimensions));
    if (trouble === "wrong-count") vectors = (vectors as number[][]).slice(1);
    if (trouble === "wrong-dimension") vectors = (vectors as number[][]).map((vector) => vector.slice(1));
    if (trouble === "not-numbers") vectors = (vectors as number[][]).map((vector) => vector.map(() => "1"));
    if (trouble === "nan") vectors = (vectors as number[][]).map((vector) => vector.map(() => Number.NaN));
    if (trouble === "zeros") vectors = (vectors as number[][]).map((vector) => vector.map(() => 0));
    const tokens = strings.reduce((sum, text) => sum + text.split(/\s+/).length, 0);
    provider.tokens += tokens;
    const answer = Response.json(shape.answer(vectors as number[][], tokens, body));
    if (trouble === "used-up")
      for (const [name, value] of Object.entries(shape.retryHeaders)) answer.headers.set(name, value);
    return answer;
  };

  let running = 0;
  let waiting: (() => void)[] = [];
  const gathered = async () => {
    if (provider.mostAtOnce < provider.gather) await new Promise<void>((resolve) => waiting.push(resolve));
  };
  const server = await listen(async (request) => {
    provider.mostAtOnce = Math.max(provider.mostAtOnce, ++running);
    if (provider.mostAtOnce >= provider.gather) {
      for (const go of waiting) go();
      waiting = [];
    }
    try {
      return await handle(request);
    } finally {
      running--;
    }
  });
  const address = server.address();
  const port = typeof address === "object" ? address?.port : undefined;
  return Object.assign(provider, {
    address: `http://${FAKE_HOST}:${port}${shape.path.replace(/\/(embeddings|embed|models\/.*)$/, "")}`,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  });
}

/** The vector that the fake gives a text: not of unit length, other for queries where the dialect tells them apart. */
export function vectorFor(text: string, kind: "query" | "passage" | null, dimensions: number): number[] {
  const salt = kind === "query" ? "q" : "p";
  return Array.from({ length: dimensions }, (_, d) => {
    return (Number(Bun.hash.wyhash(`${salt}${d}${text}`)) % 2001) / 500 - 2;
  });
}

function violation(shape: Shape, request: Request, body: Record<string, unknown>, texts: unknown): string | null {
  if (new URL(request.url).pathname !== shape.path) return `path ${new URL(request.url).pathname}`;
  if (shape.key(request.headers) !== FAKE_KEY) return "key";
  const unknown = Object.keys(body).filter((name) => !shape.known.includes(name));
  if (unknown.length > 0) return `unknown parameters ${unknown.join()}`;
  if (!Array.isArray(texts) || texts.some((text) => typeof text !== "string" || text === "")) return "texts";
  if (texts.length === 0 || texts.length > shape.maxTexts) return `${texts.length} texts`;
  if (body["truncate"] !== undefined && body["truncate"] !== "NONE") return "truncate";
  if (body["truncation"] !== undefined && body["truncation"] !== false) return "truncation";
  return null;
}

/** Serves `handle` over HTTP; null breaks the connection in the middle of the answer. */
async function listen(handle: (request: Request) => Promise<Response | null>): Promise<Server> {
  const server = createServer((incoming, outgoing) => {
    const parts: Buffer[] = [];
    incoming.on("data", (part: Buffer) => parts.push(part));
    incoming.on("end", () => {
      const headers = new Headers(Object.entries(incoming.headers).map(([name, value]) => [name, String(value)]));
      const request = new Request(`http://${FAKE_HOST}${incoming.url ?? "/"}`, {
        method: "POST",
        headers,
        body: Buffer.concat(parts),
      });
      void handle(request).then(async (response) => {
        outgoing.writeHead(
          response?.status ?? 200,
          Object.fromEntries(response?.headers ?? [["content-length", "5000"]]),
        );
        if (response !== null) return outgoing.end(Buffer.from(await response.arrayBuffer()));
        return outgoing.write('{"data":[', () => outgoing.destroy());
      });
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return server;
}
