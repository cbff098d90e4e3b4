import { once } from "node:events";
import type { Readable } from "node:stream";
import busboy from "busboy";
import { AppError } from "../errors.ts";
import type { FormLimit } from "./body-limit.ts";

/**
 * Reads a multipart body as it arrives: the file part, or one after the other where several may come, goes to `sink` chunk
 * by chunk with back pressure, so that memory stays flat whatever its size; the order of parts is free. The idle limit of the connection does not apply here
 * (a slow line is no attack), a least rate and a deadline do.
 */
export interface MultipartOptions {
  /** The name of the file part. */
  fileField: string;
  limit: FormLimit;
  sink: (chunk: Uint8Array) => Promise<void>;
  /** More than one file may come, so many at most; each is told of before its first chunk. */
  several?: { most: number; begin: (filename: string) => Promise<void> };
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

/** @throws AppError `invalid_multipart`, `invalid_type`, `payload_too_large`, `request_timeout`. */
export async function readMultipart(request: Request, options: MultipartOptions): Promise<Multipart> {
  const { fileField, limit } = options;
  const { fileBytes } = limit;
  const contentType = request.headers.get("content-type") ?? "";
  if (!/^multipart\/form-data\b/i.test(contentType)) {
    throw invalidMultipart("the content type must be multipart/form-data");
  }
  if (Number(request.headers.get("content-length") ?? "NaN") > limit.bytes) throw tooLarge(fileField, fileBytes);
  if (request.body === null) throw invalidMultipart("it is empty");

  const parser = createParser(contentType, fileBytes, options.several?.most ?? 1);
  // The first failure ends everything: its waits are abandoned, the rest of the body is not read.
  const stop = new AbortController();
  const failure = Promise.withResolvers<never>();
  failure.promise.catch(() => {});
  const fail = (error: unknown) => {
    failure.reject(error instanceof AppError ? error : invalidMultipart("it is cut short or malformed", error));
    stop.abort();
  };
  const { form, written } = collect(parser, options, fail);
  const closed = once(parser, "close");
  closed.catch(() => {});
  try {
    await Promise.race([feed(request.body, parser, { options, fail, stop: stop.signal }), failure.promise]);
    await Promise.race([closed, failure.promise]);
    await Promise.race([written(), failure.promise]);
  } catch (error) {
    stop.abort();
    parser.destroy();
    await written().catch(() => {});
    throw error;
  }
  return form;
}

function createParser(contentType: string, fileBytes: number, files: number): busboy.Busboy {
  try {
    return busboy({
      headers: { "content-type": contentType },
      // One byte more than allowed, so that a file of exactly the allowed size is not reported as cut.
      limits: {
        fileSize: fileBytes + 1,
        files,
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
}

/** What comes out of the parser: the form as it fills, and the end of writing its file. */
function collect(
  parser: busboy.Busboy,
  options: MultipartOptions,
  fail: (error: unknown) => void,
): { form: Multipart; written: () => Promise<void> } {
  const { fileField } = options;
  const form: Multipart = { fields: [], file: null };
  let written: Promise<void> = Promise.resolve();
  options.unwanted?.addEventListener("abort", () => fail(options.unwanted?.reason), { once: true });

  parser.on("error", fail);
  const most = options.several?.most;
  parser.on("filesLimit", () => fail(invalidMultipart(`it has more than ${most ?? "one"} file${most ? "s" : ""}`)));
  parser.on("fieldsLimit", () => fail(invalidMultipart(`it has more than ${MAX_FIELDS} fields`)));
  // The parser has no value for a charset that it does not know.
  parser.on("field", (name, value: string | undefined, info) => {
    if (info.nameTruncated || info.valueTruncated) fail(invalidMultipart("one of its fields is too long"));
    else if (name === fileField) fail(notAFile(name));
    else if (value === undefined) fail(invalidMultipart("one of its fields has a charset that is not known"));
    else form.fields.push([name, value]);
  });
  parser.on("file", (name, stream, info) => {
    if (name === fileField) {
      const filename = info.filename as string | undefined;
      form.file = { filename, mimeType: info.mimeType };
      // One that waits for its turn may be broken off before anybody reads it.
      stream.on("error", () => {});
      written = written.then(async () => {
        await options.several?.begin(filename ?? "");
        await writeFile(stream, options);
      });
      written.catch(fail);
      return;
    }
    // Destroying the parser breaks it off, which nobody waits for.
    stream.on("error", () => {}).resume();
    const param = name.slice(0, 64);
    fail(new AppError("unknown_parameter", `Unknown parameter: '${param}'.`, { param }));
  });
  return { form, written: () => written };
}

async function writeFile(stream: Readable, options: MultipartOptions): Promise<void> {
  let bytes = 0;
  for await (const chunk of stream as AsyncIterable<Uint8Array>) {
    bytes += chunk.byteLength;
    if (bytes > options.limit.fileBytes) throw tooLarge(options.fileField, options.limit.fileBytes);
    await options.sink(chunk);
  }
}

/** Writes the body into the parser, waiting where the parser asks for it, and fails where the client is too slow. */
async function feed(
  body: ReadableStream<Uint8Array>,
  parser: busboy.Busboy,
  { options, fail, stop }: { options: MultipartOptions; fail: (error: unknown) => void; stop: AbortSignal },
): Promise<void> {
  const { limits = PACE, limit } = options;
  const reader = body.getReader();
  stop.addEventListener("abort", () => void reader.cancel().catch(() => {}));
  const startedAt = performance.now();
  let bytes = 0;
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
      bytes += value.byteLength;
      // What is no part of the form counts as well: the parser passes over it without a bound.
      if (bytes > limit.bytes) throw tooLarge(options.fileField, limit.fileBytes);
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
