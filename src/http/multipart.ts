import { once } from "node:events";
import type { Readable } from "node:stream";
import busboy from "busboy";
import { AppError } from "../errors.ts";

/**
 * Reads a multipart body as it arrives: the one file part goes to `sink` chunk by chunk with back pressure, so that memory
 * stays flat whatever its size; the order of parts is free. The idle limit of the connection does not apply here
 * (a slow line is no attack), a least rate and a deadline do.
 */
export interface MultipartOptions {
  /** The name of the file part. */
  fileField: string;
  maxFileBytes: number;
  sink: (chunk: Uint8Array) => Promise<void>;
  /** Aborted, with what the client is told, when the rest of the body is not wanted any more. */
  unwanted?: AbortSignal;
  limits?: PaceLimits;
}

export interface PaceLimits {
  /** A window in which fewer than `minBytes` arrive ends the upload. */
  windowMs: number;
  minBytes: number;
  totalMs: number;
}

export interface Multipart {
  /** Text parts in the order sent, names as sent (`expires_after[anchor]`). */
  fields: [name: string, value: string][];
  /** Null where the body had no such part. */
  file: { filename: string | undefined; mimeType: string } | null;
}

const PACE: PaceLimits = { windowMs: 30_000, minBytes: 30 * 1024, totalMs: 6 * 3600 * 1000 };
const MAX_FIELDS = 50;
const MAX_FIELD_BYTES = 64 * 1024;
/** Room for boundaries, part headers and text parts beside the file. */
const OVERHEAD_BYTES = 1024 * 1024;

/** @throws AppError `invalid_multipart`, `invalid_type`, `payload_too_large`, `request_timeout`. */
export async function readMultipart(request: Request, options: MultipartOptions): Promise<Multipart> {
  const { fileField, maxFileBytes } = options;
  const contentType = request.headers.get("content-type") ?? "";
  if (!/^multipart\/form-data\b/i.test(contentType)) {
    throw invalidMultipart("the content type must be multipart/form-data");
  }
  if (Number(request.headers.get("content-length") ?? "NaN") > maxFileBytes + OVERHEAD_BYTES)
    throw tooLarge(fileField, maxFileBytes);
  if (request.body === null) throw invalidMultipart("it is empty");

  const form: Multipart = { fields: [], file: null };
  let parser: busboy.Busboy;
  try {
    parser = busboy({
      headers: { "content-type": contentType },
      // One byte more than allowed, so that a file of exactly the allowed size is not reported as cut.
      limits: {
        fileSize: maxFileBytes + 1,
        files: 1,
        fields: MAX_FIELDS,
        fieldSize: MAX_FIELD_BYTES,
        fieldNameSize: 200,
      },
      defParamCharset: "utf8",
      preservePath: true,
    });
  } catch (cause) {
    throw invalidMultipart("its boundary is missing", cause);
  }

  // The first failure ends everything: its waits are abandoned, the rest of the body is not read.
  const stop = new AbortController();
  const failure = Promise.withResolvers<never>();
  failure.promise.catch(() => {});
  const fail = (error: unknown) => {
    failure.reject(error instanceof AppError ? error : invalidMultipart("it is cut short or malformed", error));
    stop.abort();
  };
  let written: Promise<void> = Promise.resolve();
  options.unwanted?.addEventListener("abort", () => fail(options.unwanted?.reason), { once: true });

  parser.on("error", fail);
  parser.on("filesLimit", () => fail(invalidMultipart("it has more than one file")));
  parser.on("fieldsLimit", () => fail(invalidMultipart(`it has more than ${MAX_FIELDS} fields`)));
  parser.on("field", (name, value, info) => {
    if (info.nameTruncated || info.valueTruncated) fail(invalidMultipart("one of its fields is too long"));
    else if (name === fileField) fail(notAFile(name));
    else form.fields.push([name, value]);
  });
  parser.on("file", (name, stream, info) => {
    if (name !== fileField) {
      stream.resume();
      fail(
        new AppError("unknown_parameter", `Unknown parameter: '${name.slice(0, 64)}'.`, { param: name.slice(0, 64) }),
      );
      return;
    }
    form.file = { filename: info.filename as string | undefined, mimeType: info.mimeType };
    written = writeFile(stream, options);
    written.catch(fail);
  });

  const closed = once(parser, "close");
  closed.catch(() => {});
  try {
    await Promise.race([feed(request.body, parser, options.limits ?? PACE, fail, stop.signal), failure.promise]);
    await Promise.race([closed, failure.promise]);
    await Promise.race([written, failure.promise]);
  } catch (error) {
    stop.abort();
    parser.destroy();
    await written.catch(() => {});
    throw error;
  }
  return form;
}

async function writeFile(stream: Readable, options: MultipartOptions): Promise<void> {
  let bytes = 0;
  for await (const chunk of stream as AsyncIterable<Uint8Array>) {
    bytes += chunk.byteLength;
    if (bytes > options.maxFileBytes) throw tooLarge(options.fileField, options.maxFileBytes);
    await options.sink(chunk);
  }
}

/** Writes the body into the parser, waiting where the parser asks for it, and fails where the client is too slow. */
async function feed(
  body: ReadableStream<Uint8Array>,
  parser: busboy.Busboy,
  limits: PaceLimits,
  fail: (error: unknown) => void,
  stop: AbortSignal,
): Promise<void> {
  const reader = body.getReader();
  stop.addEventListener("abort", () => void reader.cancel().catch(() => {}));
  const startedAt = performance.now();
  let inWindow = 0;
  let waiting = false;
  const timer = setInterval(() => {
    // Time that the disk needs is not the client's.
    const slow = waiting && inWindow < limits.minBytes;
    if (slow || performance.now() - startedAt > limits.totalMs)
      fail(new AppError("request_timeout", "The upload is too slow."));
    inWindow = 0;
  }, limits.windowMs);
  try {
    while (!stop.aborted) {
      waiting = true;
      const { done, value } = await reader.read();
      waiting = false;
      if (done) break;
      inWindow += value.byteLength;
      if (!parser.write(value)) await once(parser, "drain", { signal: stop });
    }
    if (!stop.aborted) parser.end();
  } catch (error) {
    fail(error);
  } finally {
    clearInterval(timer);
  }
}

function invalidMultipart(reason: string, cause?: unknown): AppError {
  return new AppError("invalid_multipart", `We could not parse the multipart body of your request: ${reason}.`, {
    cause,
  });
}

function notAFile(param: string): AppError {
  const text = `Invalid type for '${param}': expected a file, but got a string instead.`;
  return new AppError("invalid_type", text, { param });
}

function tooLarge(field: string, maxBytes: number): AppError {
  const mib = Math.floor(maxBytes / 1024 / 1024);
  return new AppError(
    "payload_too_large",
    `The file is too large: at most ${mib >= 1 ? `${mib} MiB` : `${maxBytes} bytes`} are accepted here.`,
    {
      param: field,
    },
  );
}
