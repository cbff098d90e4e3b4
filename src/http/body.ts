import { AppError } from "../errors.ts";
import type { JsonLimit } from "./body-limit.ts";
import { invalidJson, parseJson } from "./json-pieces.ts";

/** Bodies up to here are small enough for any number of them. */
const LARGE_FROM_BYTES = 1024 * 1024;
const ROOM_BYTES = 256 * 1024 * 1024;

/**
 * Reads JSON bodies, and bounds what the large ones take while they are read and parsed: for all clients together, and
 * for one owner half of it, so that nobody can take the room of the others.
 */
export class JsonBodies {
  readonly #byOwner = new Map<string, number>();
  #held = 0;

  /**
   * A JSON body of at most what `limit` says; no body at all counts as `{}`, whatever the content type says.
   * @throws AppError `payload_too_large`, `invalid_json`, `overloaded`.
   */
  async read(request: Request, limit: JsonLimit, owner: string): Promise<unknown> {
    let held = 0;
    const hold = (bytes: number) => {
      if (bytes <= LARGE_FROM_BYTES) return;
      this.#take(bytes - held, owner);
      held = bytes;
    };
    try {
      const bytes = await readBytes(request, limit.bytes, hold).catch((cause: unknown) => {
        throw cause instanceof AppError ? cause : invalidJson("it is cut short", cause);
      });
      return bytes.length === 0 ? {} : await parseJson(bytes, limit);
    } finally {
      this.#giveBack(held, owner);
    }
  }

  #take(bytes: number, owner: string): void {
    const own = this.#byOwner.get(owner) ?? 0;
    if (this.#held + bytes > ROOM_BYTES || own + bytes > ROOM_BYTES / 2) {
      const text = "There are too many large requests at once. Try again in a moment.";
      throw new AppError("overloaded", text, { retryAfterSeconds: 1 });
    }
    this.#held += bytes;
    this.#byOwner.set(owner, own + bytes);
  }

  #giveBack(bytes: number, owner: string): void {
    if (bytes === 0) return;
    this.#held -= bytes;
    const left = (this.#byOwner.get(owner) ?? 0) - bytes;
    if (left > 0) this.#byOwner.set(owner, left);
    else this.#byOwner.delete(owner);
  }
}

/** `hold` is told how many bytes there are, or are announced, before they are kept. */
async function readBytes(request: Request, maxBytes: number, hold: (bytes: number) => void): Promise<Uint8Array> {
  const declared = Number(request.headers.get("content-length") ?? "NaN");
  if (declared > maxBytes) throw tooLarge(maxBytes);
  // Before anybody looks at `body`: that makes a stream of it, which is read in several steps.
  if (declared <= maxBytes) {
    hold(declared);
    return new Uint8Array(await request.arrayBuffer());
  }
  if (request.body === null) return new Uint8Array(0);
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of request.body) {
    length += chunk.length;
    // Leaving the loop cancels the body.
    if (length > maxBytes) throw tooLarge(maxBytes);
    hold(length);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks, length);
}

function tooLarge(maxBytes: number): AppError {
  const text = `The request body is too large: at most ${maxBytes} bytes are accepted here. Send less at once.`;
  return new AppError("payload_too_large", text);
}
