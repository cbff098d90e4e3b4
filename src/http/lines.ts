import { AppError } from "../errors.ts";
import { nextTurn } from "../platform/next-turn.ts";
import type { LinesLimit } from "./body-limit.ts";
import { parseJson } from "./json-pieces.ts";
import type { Validator } from "./validate.ts";

/**
 * A body of JSON texts, one a line (NDJSON), of any length: read as it comes, a line at a time. Nothing is read ahead of
 * whoever takes the lines, so that a client is no quicker than they are. The idle limit of the connection does not apply
 * here (a slow line is no attack), a least rate does.
 */
export interface Line<T> {
  /** In the body, from 1; empty ones count and are passed over. */
  number: number;
  value: T;
  bytes: number;
}

/** What is wrong with one line; what stands before it may be kept. */
export class LineError extends AppError {
  override name = "LineError";
}

export interface LinesOptions {
  limit: LinesLimit;
  validator: Validator;
  /** Keys of other servers' clients, dropped. */
  foreignKeys: readonly string[];
  pace?: { windowMs: number; minBytes: number };
}

export const NDJSON = "application/x-ndjson";
const TYPES = [NDJSON, "application/ndjson", "application/jsonl", "application/x-jsonlines", "application/jsonlines"];

/** A window of waiting in which fewer bytes come ends the body. */
const PACE = { windowMs: 30_000, minBytes: 30 * 1024 };
/** Work after which others have a turn. */
const TURN_MS = 2;
const NEWLINE = 0x0a;

export function isLines(headers: Headers): boolean {
  const [type = ""] = (headers.get("content-type") ?? "").split(";");
  return TYPES.includes(type.trim().toLowerCase());
}

/** How a line's parameter is called: `lines[12].embedding`. */
export function lineParam(line: number, param: string | null): string {
  return `lines[${line}]${param === null || param === "" ? "" : `.${param}`}`;
}

/**
 * @throws LineError for the first line that is not as it should be; AppError where the body breaks off or comes too
 * slowly.
 */
export async function* readLines(request: Request, options: LinesOptions): AsyncGenerator<Line<unknown>> {
  let number = 0;
  let turnEnds = performance.now() + TURN_MS;
  for await (const bytes of split(chunksOf(request, options.pace ?? PACE), options.limit)) {
    number += 1;
    if (bytes === null) throw tooLong(number, options.limit);
    if (isBlank(bytes)) continue;
    if (performance.now() > turnEnds) {
      await nextTurn();
      turnEnds = performance.now() + TURN_MS;
    }
    yield { number, bytes: bytes.byteLength, value: await valueOf(bytes, number, options) };
  }
}

async function valueOf(
  bytes: Uint8Array,
  number: number,
  { limit, validator, foreignKeys }: LinesOptions,
): Promise<unknown> {
  let given: unknown;
  try {
    given = await parseJson(bytes, { kind: "json", bytes: limit.bytes, nodes: limit.nodes, items: limit.items });
  } catch (cause) {
    if (!(cause instanceof AppError)) throw cause;
    const reason = cause.message.replace(/^[^:]*: /, "");
    throw new LineError(cause.code, `Invalid '${lineParam(number, null)}': ${reason}`, {
      param: lineParam(number, null),
      cause,
    });
  }
  const { value, problem } = validator.read(withoutKeys(given, foreignKeys));
  if (problem === null) return value;
  const param = lineParam(number, problem.param);
  const quoted = `'${problem.param}'`;
  const message = problem.message.includes(quoted)
    ? problem.message.replaceAll(quoted, `'${param}'`)
    : `Invalid '${param}': ${problem.message}`;
  throw new LineError(problem.code, message, { param });
}

function withoutKeys(value: unknown, keys: readonly string[]): unknown {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return value;
  if (!keys.some((key) => Object.hasOwn(value, key))) return value;
  return Object.fromEntries(Object.entries(value).filter(([key]) => !keys.includes(key)));
}

/** The lines without their ends; null for one that is too long, after which there is no more. */
async function* split(
  chunks: AsyncIterable<Uint8Array>,
  { bytes: most }: LinesLimit,
): AsyncGenerator<Uint8Array | null> {
  let begun: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of chunks) {
    let from = 0;
    for (let end = chunk.indexOf(NEWLINE); end >= 0; end = chunk.indexOf(NEWLINE, from)) {
      const rest = chunk.subarray(from, end);
      if (length + rest.byteLength > most) return yield null;
      yield length === 0 ? rest : Buffer.concat([...begun, rest], length + rest.byteLength);
      begun = [];
      length = 0;
      from = end + 1;
    }
    if (from === chunk.byteLength) continue;
    begun.push(chunk.subarray(from));
    length += chunk.byteLength - from;
    if (length > most) return yield null;
  }
  if (length > 0) yield Buffer.concat(begun, length);
}

/** The body as it comes; whoever leaves cancels it. */
async function* chunksOf(
  { body }: Request,
  { windowMs, minBytes }: NonNullable<LinesOptions["pace"]>,
): AsyncGenerator<Uint8Array> {
  if (body === null) return;
  const reader = body.getReader();
  let [waitedMs, came, isOver] = [0, 0, false];
  try {
    for (;;) {
      const since = performance.now();
      const read = await within(reader.read(), windowMs - waitedMs);
      if (read === null) throw new AppError("request_timeout", "The body of the request comes too slowly.");
      isOver = read.done;
      if (read.done) return;
      waitedMs += performance.now() - since;
      came += read.value.byteLength;
      if (came >= minBytes) [waitedMs, came] = [0, 0];
      yield read.value;
    }
  } catch (cause) {
    if (cause instanceof AppError) throw cause;
    throw new AppError("invalid_value", "The body of the request is cut short.", { cause });
  } finally {
    if (!isOver) void reader.cancel().catch(() => {});
  }
}

/** Null where it takes longer. */
async function within<T>(work: Promise<T>, ms: number): Promise<T | null> {
  const late = Promise.withResolvers<null>();
  const timer = setTimeout(() => late.resolve(null), Math.max(0, ms));
  try {
    return await Promise.race([work, late.promise]);
  } finally {
    clearTimeout(timer);
  }
}

function isBlank(bytes: Uint8Array): boolean {
  return bytes.every((byte) => byte === 0x20 || byte === 0x09 || byte === 0x0d);
}

function tooLong(number: number, { bytes }: LinesLimit): LineError {
  const param = lineParam(number, null);
  const text = `Invalid '${param}': the line is too long. At most ${bytes} bytes are accepted in one line.`;
  return new LineError("payload_too_large", text, { param });
}
