/** From what a server streams, chunk by chunk, to text, thoughts and calls of functions. */

export interface ChatUsage {
  input: number;
  output: number;
  cached: number;
  /** Null where the server does not tell. */
  reasoning: number | null;
}

export interface FunctionCall {
  name: string;
  arguments: string;
}

export type ChatPiece = { type: "text"; text: string } | { type: "reasoning"; text: string };

export interface ChatEnd {
  finish: "stop" | "length" | "content_filter" | "tool_calls" | null;
  /** Null where the server does not tell. */
  usage: ChatUsage | null;
  calls: FunctionCall[];
}

/** Calls of one answer at most, and characters of the arguments of all of them. */
const MOST_CALLS = 128;
const MOST_ARGUMENTS = 4 * 1024 * 1024;

interface OpenCall extends FunctionCall {
  id: string | null;
  index: number;
}

/** The server's chunks are no answer. */
export class OddChunk extends Error {
  override name = "OddChunk";
}

/** Takes chunks of a stream, or one whole completion, and remembers what is known at the end only. */
export class ChunkReader {
  readonly #calls: OpenCall[] = [];
  #finish: ChatEnd["finish"] = null;
  #usage: ChatUsage | null = null;
  #argumentsLength = 0;

  get end(): ChatEnd {
    const calls = this.#calls.flatMap(({ name, arguments: text }) => (name === "" ? [] : [{ name, arguments: text }]));
    return { finish: this.#finish, usage: this.#usage, calls };
  }

  *take(chunk: unknown): Generator<ChatPiece> {
    if (!isObject(chunk)) throw new OddChunk();
    this.#usage = usageOf(chunk["usage"]) ?? this.#usage;
    const choices = Array.isArray(chunk["choices"]) ? chunk["choices"] : [];
    const choice: unknown = choices[0];
    if (!isObject(choice)) return;
    const delta = isObject(choice["delta"]) ? choice["delta"] : isObject(choice["message"]) ? choice["message"] : {};
    const reasoning = textOf(delta["reasoning_content"]) || textOf(delta["reasoning"]);
    if (reasoning !== "") yield { type: "reasoning", text: reasoning };
    const text = textOf(delta["content"]);
    if (text !== "") yield { type: "text", text };
    const calls = Array.isArray(delta["tool_calls"]) ? delta["tool_calls"] : [];
    for (const [i, call] of calls.entries()) if (isObject(call)) this.#takeCall(call, i);
    this.#finish = finishOf(choice["finish_reason"]) ?? this.#finish;
  }

  #takeCall(call: Record<string, unknown>, place: number): void {
    const called = isObject(call["function"]) ? call["function"] : {};
    const name = textOf(called["name"]);
    const given = called["arguments"];
    // Some give the arguments as an object.
    const text = isObject(given) ? JSON.stringify(given) : textOf(given);
    const id = textOf(call["id"]) || null;
    const index = typeof call["index"] === "number" ? call["index"] : place;
    let open = this.#calls.findLast((one) => one.index === index);
    if (open === undefined || isAnother(open, { id, name, text })) {
      if (this.#calls.length >= MOST_CALLS) throw new OddChunk();
      open = { id, index, name: "", arguments: "" };
      this.#calls.push(open);
    }
    open.id ??= id;
    if (open.name === "") open.name = name;
    this.#argumentsLength += text.length;
    if (this.#argumentsLength > MOST_ARGUMENTS) throw new OddChunk();
    open.arguments += text;
  }
}

/** Some servers give every call the same index, and some the same id: another id or name is another call. */
function isAnother(open: OpenCall, { id, name, text }: { id: string | null; name: string; text: string }): boolean {
  if (id !== null && open.id !== null && id !== open.id) return true;
  if (name === "" || open.name === "") return false;
  if (name !== open.name) return true;
  // The same name once more: another call if the one before is whole, and this brings arguments of its own.
  return text.trimStart().startsWith("{") && isWhole(open.arguments);
}

function isWhole(text: string): boolean {
  if (!text.trimEnd().endsWith("}")) return false;
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

function finishOf(value: unknown): ChatEnd["finish"] {
  switch (value) {
    case "length":
    case "content_filter":
    case "tool_calls":
      return value;
    case "function_call":
      return "tool_calls";
    default:
      // "stop", and what servers have made up beside it.
      return typeof value === "string" && value !== "" ? "stop" : null;
  }
}

function usageOf(value: unknown): ChatUsage | null {
  if (!isObject(value)) return null;
  const [input, output] = [countOf(value["prompt_tokens"]), countOf(value["completion_tokens"])];
  if (input === null || output === null) return null;
  const inner = (name: string, key: string) => (isObject(value[name]) ? countOf(value[name][key]) : null);
  return {
    input,
    output,
    cached: Math.min(input, inner("prompt_tokens_details", "cached_tokens") ?? 0),
    reasoning: inner("completion_tokens_details", "reasoning_tokens"),
  };
}

function countOf(value: unknown): number | null {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0 ? value : null;
}

/** Text, or parts of text. */
function textOf(value: unknown): string {
  if (typeof value === "string") return value;
  if (!Array.isArray(value)) return "";
  return value
    .map((part: unknown) => (isObject(part) && typeof part["text"] === "string" ? part["text"] : ""))
    .join("");
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
