import { AppError } from "../errors.ts";
import { nextTurn } from "../platform/next-turn.ts";
import type { JsonLimit } from "./body-limit.ts";

/**
 * JSON that may be large, on the thread that serves everybody. One pass over the bytes counts what they would become and
 * stops at the bound; on its way it cuts the text where a piece is large enough, gives each piece to `JSON.parse`, whose
 * rules and speed are kept, and joins what comes out. Between pieces others have a turn.
 *
 * A piece ends at a comma, or where a list or an object that was cut before is closed. So what stands between two cuts is
 * always some whole children of one container, of which only the last may itself be open:
 *
 *     {"a": [1, 2 | 3, 4 | ], "b": 5}      pieces: {"a": [1, 2]}   [3, 4]   {"b": 5}
 */
export async function parseJson(bytes: Uint8Array, limit: JsonLimit, pieceBytes = PIECE_BYTES): Promise<unknown> {
  const pieces = new JsonPieces(bytes, limit, pieceBytes);
  while (!pieces.step()) await nextTurn();
  return pieces.value;
}

/** Deeper JSON than this has no use in this API, and would overflow the stack of whoever walks it. */
const MAX_DEPTH = 100;
/** Bytes of a text as it is written: the longest that any operation takes, at six bytes a character. */
const MAX_STRING_BYTES = 8 * 1024 * 1024;
/** Bytes without a comma: a member whose name and text are both the longest, and blanks. */
const MAX_PIECE_BYTES = 20 * 1024 * 1024;
/** Bytes after which a piece is cut at the next comma: some milliseconds of parsing. */
const PIECE_BYTES = 256 * 1024;
/** Bytes looked through in one turn. */
const TURN_BYTES = 512 * 1024;
/** Bytes of a string looked through one by one before its end is searched for: most are shorter. */
const SHORT_STRING = 64;

/** Of whole texts: it remembers nothing from one to the next. */
const DECODER = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

const COMMA = 0x2c;
const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COLON = 0x3a;
const OPEN_LIST = 0x5b;
const CLOSE_LIST = 0x5d;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;

type Container = unknown[] | Record<string, unknown>;

/** A list or an object whose end has not come yet. */
interface Open {
  isList: boolean;
  /** Where the name of its latest member is written, quotes included; of objects. */
  nameFrom: number;
  nameTo: number;
  /** What its children so far became; null while it lies whole in the piece that is being looked through. */
  made: Container | null;
}

class JsonPieces {
  readonly #bytes: Buffer;
  readonly #limit: JsonLimit;
  readonly #pieceBytes: number;
  readonly #open: Open[] = [];
  /** So many of the open containers, from the outside, were cut: the piece holds children of the innermost of them. */
  #cut = 0;
  /** The bytes of the piece begin here. */
  #from = 0;
  #at = 0;
  /** After the latest mark or text. */
  #markedTo = 0;
  /** What comes before the piece in its container. */
  #after: "nothing" | "comma" | "child" = "nothing";
  #isWhole = false;
  #nodes = 0;
  #items = 0;
  #stringFrom = 0;
  #stringTo = 0;
  value: unknown = undefined;

  constructor(bytes: Uint8Array, limit: JsonLimit, pieceBytes: number) {
    this.#bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#limit = limit;
    this.#pieceBytes = pieceBytes;
    if (bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf) this.#from = this.#at = 3;
  }

  /** One turn's work; true when all is done. */
  step(): boolean {
    const bytes = this.#bytes;
    const until = Math.min(bytes.length, this.#at + TURN_BYTES);
    const { nodes, items } = this.#limit;
    if (this.#at - this.#from > MAX_PIECE_BYTES) throw tooLong("value", MAX_PIECE_BYTES);
    // Nothing but digits or blanks for a whole turn.
    if (this.#at - this.#markedTo >= TURN_BYTES) throw tooLong("value", TURN_BYTES);
    while (this.#at < until) {
      const byte = bytes[this.#at] ?? 0;
      // Most bytes of numbers are neither; the rest of them the branches below let pass.
      if (byte > COMMA && byte < COLON) {
        this.#at++;
        continue;
      }
      switch (byte) {
        case QUOTE:
          this.#passString();
          if (++this.#nodes > nodes) throw tooMany("texts, lists and objects", nodes);
          this.#markedTo = this.#at;
          continue;
        case COMMA:
          if (++this.#items > items) throw tooMany("values", items);
          if (this.#at - this.#from >= this.#pieceBytes && this.#open.length > 0) {
            this.#take();
            this.#from = this.#markedTo = ++this.#at;
            this.#after = "comma";
            return false;
          }
          break;
        case COLON:
          this.#passName();
          break;
        case OPEN_LIST:
        case OPEN_OBJECT:
          if (++this.#nodes > nodes) throw tooMany("texts, lists and objects", nodes);
          this.#enter(byte === OPEN_LIST);
          break;
        case CLOSE_LIST:
        case CLOSE_OBJECT:
          this.#leave(byte === CLOSE_LIST);
          break;
        default:
          this.#at++;
          continue;
      }
      this.#markedTo = ++this.#at;
    }
    if (this.#at < bytes.length) return false;
    this.#end();
    return true;
  }

  #passString(): void {
    const bytes = this.#bytes;
    this.#stringFrom = this.#at;
    let at = this.#at + 1;
    let near = at + SHORT_STRING;
    for (;;) {
      if (at >= bytes.length) throw invalidJson("it is not valid JSON");
      const byte = bytes[at];
      if (byte === QUOTE) break;
      if (byte === BACKSLASH) {
        at += 2;
        if (at - this.#stringFrom > MAX_STRING_BYTES) throw tooLong("text", MAX_STRING_BYTES);
      } else if (++at >= near) {
        const quote = bytes.indexOf(QUOTE, at);
        if (quote < 0) throw invalidJson("it is not valid JSON");
        // Backslashes right before it decide whether it ends the text: an odd number does not.
        let back = quote;
        while (back > at && bytes[back - 1] === BACKSLASH) back--;
        at = (quote - back) % 2 === 0 ? quote : quote + 1;
        near = at + SHORT_STRING;
      }
    }
    this.#at = this.#stringTo = at + 1;
    if (this.#stringTo - this.#stringFrom > MAX_STRING_BYTES) throw tooLong("text", MAX_STRING_BYTES);
  }

  #passName(): void {
    const inside = this.#open.at(-1);
    if (inside === undefined) return;
    inside.nameFrom = this.#stringFrom;
    inside.nameTo = this.#stringTo;
  }

  #enter(isList: boolean): void {
    if (this.#isWhole) throw invalidJson("it is not valid JSON");
    if (this.#open.length >= MAX_DEPTH) throw invalidJson(`it is nested more than ${MAX_DEPTH} levels deep`);
    this.#open.push({ isList, nameFrom: 0, nameTo: 0, made: null });
  }

  #leave(isList: boolean): void {
    const inside = this.#open.at(-1);
    if (inside?.isList !== isList) throw invalidJson("it is not valid JSON");
    if (this.#open.length === this.#cut) {
      this.#take();
      this.#cut--;
      this.#from = this.#at + 1;
      this.#after = "child";
      this.#isWhole = this.#cut === 0;
    }
    this.#open.pop();
  }

  #end(): void {
    if (this.#open.length > 0) throw invalidJson("it is not valid JSON");
    const text = this.#text(this.#bytes.length);
    if (this.#isWhole) {
      if (text.trim() !== "") throw invalidJson("it is not valid JSON");
    } else this.value = text.trim() === "" ? {} : parsed(text);
  }

  /** Makes the piece that ends here, and joins it to what was made before. */
  #take(): void {
    const context = this.#cut === 0 ? null : this.#open[this.#cut - 1];
    const open = this.#open.slice(this.#cut);
    const children = this.#children();
    if (children === null) return;
    const closing = open.reduce((text, { isList }) => (isList ? "]" : "}") + text, "");
    if (context === null || context === undefined) {
      this.value = parsed(children + closing);
      this.#follow(open, this.value);
    } else {
      const { isList, made } = context;
      const piece = parsed((isList ? "[" : "{") + children + closing + (isList ? "]" : "}"));
      join(made, piece);
      if (open.length > 0) this.#follow(open, this.#lastOf(context, piece));
    }
    this.#cut = this.#open.length;
  }

  /** The text of the piece without the comma that parts it from what came before; null where it holds nothing. */
  #children(): string | null {
    const text = this.#text(this.#at);
    // What would stand before a comma is missing, but the brackets put there to close the piece would hide it.
    const last = text.trimEnd().at(-1);
    if (last === "[" || last === "{") throw invalidJson("it is not valid JSON");
    if (this.#after === "nothing") return text;
    const isBlank = text.trim() === "";
    if (this.#after === "comma") {
      if (isBlank) throw invalidJson("it is not valid JSON");
      return text;
    }
    if (isBlank) return null;
    const rest = text.trimStart();
    if (!rest.startsWith(",") || rest.slice(1).trim() === "") throw invalidJson("it is not valid JSON");
    return rest.slice(1);
  }

  /** Remembers what the containers that are open at the cut became, from the outside in. */
  #follow(open: readonly Open[], outermost: unknown): void {
    let value = outermost;
    for (const [i, one] of open.entries()) {
      one.made = value as Container;
      if (i + 1 < open.length) value = this.#lastOf(one, value);
    }
  }

  #lastOf({ isList, nameFrom, nameTo }: Open, value: unknown): unknown {
    if (isList) return (value as unknown[]).at(-1);
    const name = JSON.parse(DECODER.decode(this.#bytes.subarray(nameFrom, nameTo))) as string;
    return (value as Record<string, unknown>)[name.toWellFormed()];
  }

  #text(end: number): string {
    try {
      return DECODER.decode(this.#bytes.subarray(this.#from, end));
    } catch (cause) {
      throw invalidJson("it is not valid UTF-8", cause);
    }
  }
}

function join(made: Container | null, piece: unknown): void {
  if (Array.isArray(made)) for (const item of piece as unknown[]) made.push(item);
  else if (made !== null) {
    for (const [name, value] of Object.entries(piece as Record<string, unknown>)) {
      // As JSON.parse has it, where `__proto__` is a name like any other.
      if (name === "__proto__")
        Object.defineProperty(made, name, { value, enumerable: true, configurable: true, writable: true });
      else made[name] = value;
    }
  }
}

const SURROGATE_ESCAPE = /\\u[dD][89a-fA-F]/;

function parsed(text: string): unknown {
  try {
    const value: unknown = JSON.parse(text);
    // UTF-8 has no lone surrogates; only an escape can write one, and nothing here can store or answer it.
    return SURROGATE_ESCAPE.test(text) ? wellFormed(value) : value;
  } catch (cause) {
    throw invalidJson("it is not valid JSON", cause);
  }
}

/** The value with U+FFFD for every half of a character. Not deeper than MAX_DEPTH. */
function wellFormed(value: unknown): unknown {
  if (typeof value === "string") return value.toWellFormed();
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) return value.map(wellFormed);
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key.toWellFormed(), wellFormed(inner)]));
}

export function invalidJson(reason: string, cause?: unknown): AppError {
  return new AppError("invalid_json", `We could not parse the JSON body of your request: ${reason}.`, { cause });
}

function tooMany(what: string, most: number): AppError {
  const text = `The request body is too large: at most ${most} ${what} are accepted here. Send less at once.`;
  return new AppError("payload_too_large", text);
}

function tooLong(what: string, most: number): AppError {
  const text = `The request body is too large: one ${what} in it has more than ${most} bytes.`;
  return new AppError("payload_too_large", text);
}
