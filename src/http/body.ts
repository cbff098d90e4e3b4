import { AppError } from "../errors.ts";

export const DEFAULT_BODY_BYTES = 8 * 1024 * 1024;
/** Deeper JSON than this has no use in this API, and would overflow the stack of whoever walks it. */
const MAX_JSON_DEPTH = 100;

/**
 * Reads a JSON body of at most `maxBytes` bytes; no body at all counts as `{}`, whatever the content type says.
 * @throws AppError `payload_too_large`, `invalid_json`.
 */
export async function readJson(request: Request, maxBytes: number): Promise<unknown> {
  const bytes = await readBytes(request, maxBytes).catch((cause: unknown) => {
    throw cause instanceof AppError ? cause : invalidJson("it is cut short", cause);
  });
  if (bytes.length === 0) return {};
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch (cause) {
    throw invalidJson("it is not valid UTF-8", cause);
  }
  if (text.trim() === "") return {};
  if (isTooDeep(text)) throw invalidJson(`it is nested more than ${MAX_JSON_DEPTH} levels deep`);
  try {
    const value: unknown = JSON.parse(text);
    // UTF-8 has no lone surrogates; only an escape can write one, and nothing here can store or answer it.
    return SURROGATE_ESCAPE.test(text) ? wellFormed(value) : value;
  } catch (cause) {
    throw invalidJson("it is not valid JSON", cause);
  }
}

async function readBytes(request: Request, maxBytes: number): Promise<Uint8Array> {
  const tooLarge = () =>
    new AppError("payload_too_large", `The request body is too large: at most ${maxBytes} bytes are accepted here.`);
  const declared = Number(request.headers.get("content-length") ?? "NaN");
  if (declared > maxBytes) throw tooLarge();
  if (request.body === null) return new Uint8Array(0);
  if (declared <= maxBytes) return new Uint8Array(await request.arrayBuffer());
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of request.body) {
    length += chunk.length;
    // Leaving the loop cancels the body.
    if (length > maxBytes) throw tooLarge();
    chunks.push(chunk);
  }
  return Buffer.concat(chunks, length);
}

const SURROGATE_ESCAPE = /\\u[dD][89a-fA-F]/;

/** The value with U+FFFD for every half of a character. Not deeper than MAX_JSON_DEPTH. */
function wellFormed(value: unknown): unknown {
  if (typeof value === "string") return value.toWellFormed();
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) return value.map(wellFormed);
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key.toWellFormed(), wellFormed(inner)]));
}

function invalidJson(reason: string, cause?: unknown): AppError {
  return new AppError("invalid_json", `We could not parse the JSON body of your request: ${reason}.`, { cause });
}

function isTooDeep(text: string): boolean {
  let depth = 0;
  let inString = false;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (inString) {
      if (code === 0x5c) i++;
      else if (code === 0x22) inString = false;
    } else if (code === 0x22) inString = true;
    else if (code === 0x5b || code === 0x7b) {
      depth++;
      if (depth > MAX_JSON_DEPTH) return true;
    } else if (code === 0x5d || code === 0x7d) depth--;
  }
  return false;
}
