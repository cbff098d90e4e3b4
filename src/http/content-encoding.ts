import { pipeline, Readable } from "node:stream";
import type { Transform } from "node:stream";
import zlib from "node:zlib";
import { AppError } from "../errors.ts";

/**
 * Bodies that come compressed. They are decoded while they are read, so that whoever reads them stops at the operation's
 * own bound: a small body that would unfold into a large one costs no more than a large one.
 */
const CODINGS = ["gzip", "deflate", "br", "zstd"] as const;
type Coding = (typeof CODINGS)[number];

/** In the runtime, not yet in its library types. */
const zstd = zlib as unknown as {
  createZstdDecompress(options: { params: Record<number, number> }): Transform;
  constants: { ZSTD_d_windowLogMax: number };
};

/** Codings on top of one another at most. */
const MAX_CODINGS = 2;
/** Bytes (2^n) that a zstd body may look back, as RFC 9659 has it for the web: this much memory a request. */
const ZSTD_WINDOW_LOG = 23;

/**
 * The request with its body as the client had it before compressing; the same request where nothing is compressed.
 * @throws AppError `unsupported_encoding`; reading the body throws `invalid_encoding` where it is damaged.
 */
export function decodedRequest(request: Request): Request {
  const given = request.headers.get("content-encoding");
  if (given === null) return request;
  const named = given.toLowerCase().split(",");
  const codings = named.map((name) => name.trim().replace(/^x-gzip$/, "gzip")).filter((name) => name !== "");
  const used = codings.filter((name) => name !== "identity");
  if (used.length === 0 || request.body === null) return request;
  const unknown = used.find((name) => !isCoding(name));
  if (unknown !== undefined || used.length > MAX_CODINGS) {
    const list = CODINGS.map((coding) => `'${coding}'`).join(", ");
    const what = unknown === undefined ? "several codings at once" : `'${unknown.slice(0, 64)}'`;
    throw new AppError("unsupported_encoding", `Content-Encoding ${what} is not supported here, only one of ${list}.`);
  }
  const headers = new Headers(request.headers);
  headers.delete("content-encoding");
  // Of the compressed body.
  headers.delete("content-length");
  const { url, method, signal } = request;
  const body = Readable.toWeb(Readable.from(decoded(request.body, used.filter(isCoding).toReversed())));
  return new Request(url, { method, headers, signal, body, duplex: "half" } as RequestInit);
}

async function* decoded(body: AsyncIterable<Uint8Array>, codings: readonly Coding[]): AsyncGenerator<Uint8Array> {
  let bytes = body;
  for (const coding of codings) bytes = through(coding, bytes);
  try {
    yield* bytes;
  } catch (cause) {
    const text = `We could not decode the body of your request: it is cut short, or not what Content-Encoding says (${codings.toReversed().join(", ")}).`;
    throw new AppError("invalid_encoding", text, { cause });
  }
}

async function* through(coding: Coding, source: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  const chunks = source[Symbol.asyncIterator]();
  const first = await chunks.next();
  if (first.done === true) return;
  const input = Readable.from(rejoined(first.value, chunks));
  // A failure of either is thrown by the iteration.
  yield* pipeline(input, decoderOf(coding, first.value), () => {}) as AsyncIterable<Uint8Array>;
}

async function* rejoined(first: Uint8Array, rest: AsyncIterator<Uint8Array>): AsyncGenerator<Uint8Array> {
  try {
    yield first;
    yield* { [Symbol.asyncIterator]: () => rest };
  } finally {
    await rest.return?.();
  }
}

function decoderOf(coding: Coding, start: Uint8Array): Transform {
  switch (coding) {
    case "gzip":
      return zlib.createGunzip();
    case "deflate":
      return isZlib(start) ? zlib.createInflate() : zlib.createInflateRaw();
    case "br":
      return zlib.createBrotliDecompress();
    case "zstd":
      return zstd.createZstdDecompress({ params: { [zstd.constants.ZSTD_d_windowLogMax]: ZSTD_WINDOW_LOG } });
  }
}

/** "deflate" is the zlib format (RFC 9110), but some clients send the bare stream. */
function isZlib([method = 0, flags]: Uint8Array): boolean {
  return (method & 0x0f) === 8 && (flags === undefined || ((method << 8) | flags) % 31 === 0);
}

function isCoding(name: string): name is Coding {
  return CODINGS.some((coding) => coding === name);
}
