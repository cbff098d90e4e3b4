/**
 * An HTTP/1.1 client of a few lines over one kept connection: it costs the benchmark some 10 microseconds a request,
 * where fetch costs as much as the server.
 */
import type { Socket } from "bun";

const CLOSED = "the server closed the connection";
const HEADERS_END = new TextEncoder().encode("\r\n\r\n");

export interface Answer {
  status: number;
  body: Uint8Array;
}

/** Finds the end of an answer: null while it is not all there. */
export type Framing = (bytes: Uint8Array) => Answer | null;

export class Connection implements Disposable {
  readonly #framing: Framing;
  #socket: Socket | null = null;
  #received: Uint8Array[] = [];
  #waiting: PromiseWithResolvers<Answer> | null = null;
  #unsent: Uint8Array = new Uint8Array();
  #isClosed = false;

  private constructor(framing: Framing) {
    this.#framing = framing;
  }

  static async open(url: string, framing: Framing = httpAnswer): Promise<Connection> {
    const { hostname, port } = new URL(url);
    const connection = new Connection(framing);
    connection.#socket = await Bun.connect({
      hostname,
      port: Number(port),
      socket: {
        data: (_, piece) => connection.#take(piece),
        drain: () => connection.#flush(),
        close: () => {
          connection.#isClosed = true;
          connection.#waiting?.reject(new Error(CLOSED));
        },
        error: (_, error) => connection.#waiting?.reject(error),
      },
    });
    return connection;
  }

  /** One request at a time. */
  send(request: Uint8Array): Promise<Answer> {
    if (this.#isClosed) return Promise.reject(new Error(CLOSED));
    const waiting = Promise.withResolvers<Answer>();
    this.#waiting = waiting;
    this.#unsent = request;
    this.#flush();
    return waiting.promise;
  }

  [Symbol.dispose](): void {
    this.#waiting = null;
    this.#socket?.end();
  }

  #flush(): void {
    const written = this.#socket?.write(this.#unsent) ?? 0;
    this.#unsent = this.#unsent.subarray(Math.max(0, written));
  }

  #take(piece: Uint8Array): void {
    // The socket uses its buffer again.
    this.#received.push(piece.slice());
    const bytes = this.#received.length === 1 ? this.#received[0]! : Buffer.concat(this.#received);
    const answer = this.#framing(bytes);
    if (answer === null) {
      this.#received = [bytes];
      return;
    }
    this.#received = [];
    const waiting = this.#waiting;
    this.#waiting = null;
    waiting?.resolve(answer);
  }
}

/** Answers with a length or in chunks; others are not understood. */
export function httpAnswer(bytes: Uint8Array): Answer | null {
  const end = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).indexOf(HEADERS_END);
  if (end < 0) return null;
  const head = Buffer.from(bytes.buffer, bytes.byteOffset, end).toString("latin1");
  const status = Number(head.slice(9, 12));
  const from = end + HEADERS_END.length;
  if (/\r\ntransfer-encoding: *chunked/i.test(head)) {
    const body = chunksOf(bytes.subarray(from));
    return body === null ? null : { status, body };
  }
  const length = /\r\ncontent-length: *(\d+)/i.exec(head)?.[1];
  if (length === undefined) throw new Error(`an answer without a length: ${head}`);
  if (bytes.length < from + Number(length)) return null;
  return { status, body: bytes.subarray(from, from + Number(length)) };
}

/** A body in chunks (RFC 9112, 7.1), without trailers; null while its last chunk is not there. */
function chunksOf(bytes: Uint8Array): Uint8Array | null {
  const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const chunks: Uint8Array[] = [];
  for (let at = 0; ;) {
    const line = view.indexOf("\r\n", at);
    if (line < 0) return null;
    const size = Number.parseInt(view.toString("latin1", at, line), 16);
    if (Number.isNaN(size)) throw new Error("a chunk without a size");
    const next = line + 2 + size + 2;
    if (view.length < next) return null;
    if (size === 0) return chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks);
    chunks.push(view.subarray(line + 2, line + 2 + size));
    at = next;
  }
}

export function requestBytes(method: string, url: string, key: string | null, body?: unknown): Uint8Array {
  const { host, pathname, search } = new URL(url);
  const content = body === undefined ? "" : JSON.stringify(body);
  const lines = [
    `${method} ${pathname}${search} HTTP/1.1`,
    `host: ${host}`,
    ...(key === null ? [] : [`authorization: Bearer ${key}`]),
    ...(body === undefined ? [] : ["content-type: application/json"]),
    `content-length: ${Buffer.byteLength(content)}`,
    "",
    content,
  ];
  return new TextEncoder().encode(lines.join("\r\n"));
}

/** `clients` connections, each sending its next request when its last was answered. Requests a second. */
export async function closedLoop(
  url: string,
  requests: readonly Uint8Array[],
  { clients, seconds }: { clients: number; seconds: number },
): Promise<number> {
  let done = 0;
  const started = performance.now();
  const lane = async (first: number) => {
    using connection = await Connection.open(url);
    for (let i = first; performance.now() - started < seconds * 1000; i += clients) {
      const { status } = await connection.send(requests[i % requests.length]!);
      if (status !== 200) throw new Error(`status ${status}`);
      done++;
    }
  };
  await Promise.all(Array.from({ length: clients }, (_, i) => lane(i)));
  return done / ((performance.now() - started) / 1000);
}
