/** From the input of a request to the items that are kept, and to the question in it. */
import { AppError } from "../../errors.ts";
import { newId } from "../../platform/ids.ts";
import { shown } from "../../platform/words.ts";
import { ITEM_PREFIXES, type KeptInputPart, type KeptItem, type KeptOutputPart } from "../../storage/response-items.ts";
import type { GivenItem, GivenPart } from "./items.ts";
import { invalid } from "./request.ts";

export interface ReadInput {
  items: KeptItem[];
  /** The same, with what references stand for. */
  said: KeptItem[];
  /** Texts of the messages of users, in order; of references too. */
  asked: string[];
  /** Paths of what is without effect. */
  ignored: string[];
  /** Calls and what came of them, in order. */
  calls: { type: KeptItem["type"]; call_id: string }[];
}

/** A stored item that this caller may see, or null. */
export type FindItem = (id: string) => Promise<KeptItem | null>;

/** Throws a 404 for a reference to nothing, a 400 for what is not served. */
export async function readInput(
  input: string | readonly GivenItem[],
  { find, hasModel }: { find: FindItem; /** A language model reads all of it. */ hasModel: boolean },
): Promise<ReadInput> {
  if (typeof input === "string") {
    const content = [{ type: "input_text" as const, text: input }];
    const message = { id: newId("msg_"), type: "message", status: "completed", role: "user", content } as const;
    return { items: [message], said: [message], asked: [input], ignored: [], calls: [] };
  }
  const reader = new Reader(find, hasModel);
  for (const [i, item] of input.entries()) await reader.take(item, `input[${i}]`);
  return reader.read;
}

class Reader {
  readonly read: ReadInput = { items: [], said: [], asked: [], ignored: [], calls: [] };
  readonly #find: FindItem;
  readonly #hasModel: boolean;
  /** Ids that no further item can have. */
  readonly #taken = new Set<string>();

  constructor(find: FindItem, hasModel: boolean) {
    this.#find = find;
    this.#hasModel = hasModel;
  }

  async take(item: GivenItem, param: string): Promise<void> {
    switch (item.type) {
      case "message":
        return this.#message(item, param);
      case "function_call": {
        const { call_id, name, arguments: text } = item;
        this.#add({ id: this.#idOf(item), type: item.type, status: "completed", arguments: text, call_id, name });
        this.#call(item.type, call_id);
        break;
      }
      case "function_call_output": {
        const { call_id } = item;
        const output =
          typeof item.output === "string"
            ? item.output
            : item.output.map((part, i) => inputPart(part, `${param}.output[${i}]`));
        this.#add({ id: this.#idOf(item), type: item.type, status: "completed", call_id, output });
        this.#call(item.type, call_id);
        break;
      }
      case "file_search_call":
        await this.#search(item);
        break;
      case "item_reference":
        return await this.#reference(item.id, param);
      default:
        this.read.ignored.push(param);
        return;
    }
    this.#unheard(param);
  }

  /** One that was made here is that one: what it found is needed while its turn goes on, and is not taken from clients. */
  async #search(item: Extract<GivenItem, { type: "file_search_call" }>): Promise<void> {
    const { id, type, queries } = item;
    const meant = id === undefined || this.#taken.has(id) ? null : await this.#find(id);
    if (meant?.type === type) {
      this.#taken.add(meant.id);
      this.#refer(meant);
    } else this.#add({ id: this.#idOf(item), type, status: "completed", queries: queries ?? [], results: null });
  }

  #refer(meant: KeptItem): void {
    this.read.items.push({ id: newId("ref_"), type: "item_reference", to: meant.id });
    this.read.said.push(meant);
  }

  #message(item: Extract<GivenItem, { type: "message" }>, param: string): void {
    const { asked } = this.read;
    const parts: GivenPart[] =
      typeof item.content === "string"
        ? [
            item.role === "assistant"
              ? { type: "output_text", text: item.content }
              : { type: "input_text", text: item.content },
          ]
        : item.content;
    if (item.role === "assistant") {
      const content = parts.map((part, i) => outputPart(part, `${param}.content[${i}]`));
      // Some clients send the message that a cut stream left.
      if (content.every((part) => part.type === "output_text" && part.text === "")) return;
      this.#add({ id: this.#idOf(item), type: "message", status: "completed", role: "assistant", content });
      this.#unheard(param);
      return;
    }
    const content = parts.map((part, i) => inputPart(part, `${param}.content[${i}]`));
    const { role } = item;
    this.#add({ id: this.#idOf(item), type: "message", status: "completed", role, content });
    if (role !== "user") {
      this.#unheard(param);
      return;
    }
    asked.push(textOf(content));
    for (const [i, part] of content.entries()) if (part.type !== "input_text") this.#unheard(`${param}.content[${i}]`);
  }

  #add(item: KeptItem): void {
    this.read.items.push(item);
    this.read.said.push(item);
  }

  /** Without a language model it has no effect. */
  #unheard(param: string): void {
    if (!this.#hasModel) this.read.ignored.push(param);
  }

  async #reference(id: string | undefined, param: string): Promise<void> {
    if (id === undefined) {
      const text = `Missing required parameter: '${param}.id'.`;
      throw new AppError("missing_required_parameter", text, { param: `${param}.id` });
    }
    const meant = await this.#find(id);
    if (meant === null) {
      const text = `Item with id '${shown(id)}' not found. Items are not persisted when \`store\` is set to false. Try again with \`store\` set to true, or remove this item from your input.`;
      throw new AppError("item_not_found", text, { param: "input" });
    }
    this.#refer(meant);
    if (meant.type === "message" && meant.role === "user") this.read.asked.push(textOf(meant.content));
    if (meant.type === "function_call" || meant.type === "function_call_output") this.#call(meant.type, meant.call_id);
  }

  #call(type: KeptItem["type"], callId: string): void {
    this.read.calls.push({ type, call_id: callId });
  }

  /** The client's own, if it is the first of that id. */
  #idOf({ id, type }: { id?: string | undefined; type: keyof typeof ITEM_PREFIXES }): string {
    const own = id === undefined || id === "" || this.#taken.has(id) ? newId(ITEM_PREFIXES[type]) : id;
    this.#taken.add(own);
    return own;
  }
}

/** The text of a message. */
export function textOf(content: readonly KeptInputPart[]): string {
  return content
    .flatMap((part) => (part.type === "input_text" ? [part.text] : []))
    .join("\n")
    .trim();
}

function inputPart(part: GivenPart, param: string): KeptInputPart {
  switch (part.type) {
    case "input_text":
      return { type: part.type, text: part.text };
    case "output_text":
      return { type: "input_text", text: part.text };
    case "refusal":
      return { type: "input_text", text: part.refusal };
    case "input_image":
      return {
        type: part.type,
        detail: part.detail ?? "auto",
        ...(part.image_url ? { image_url: part.image_url } : {}),
        ...(part.file_id ? { file_id: part.file_id } : {}),
      };
    case "input_file": {
      if (part.file_url) {
        const text = "'file_url' is not supported by this server: nothing is fetched. Send 'file_data' or a 'file_id'.";
        throw new AppError("unsupported_value", text, { param: `${param}.file_url` });
      }
      if (!part.file_id && !part.file_data) throw invalid(param, "it has neither 'file_id' nor 'file_data'");
      return {
        type: part.type,
        ...(part.file_id ? { file_id: part.file_id } : {}),
        ...(part.file_data ? { file_data: part.file_data } : {}),
        ...(part.filename ? { filename: part.filename } : {}),
      };
    }
  }
}

function outputPart(part: GivenPart, param: string): KeptOutputPart {
  switch (part.type) {
    case "input_text":
    case "output_text":
      return { type: "output_text", text: part.text, annotations: [], logprobs: [] };
    case "refusal":
      return { type: "refusal", refusal: part.refusal };
    default:
      throw invalid(param, `an assistant's message has no part of type '${part.type}'`);
  }
}

/** Every call has its output and every output its call, in whatever turn. Throws a 400 otherwise. */
export function assertPaired(calls: readonly { type: KeptItem["type"]; call_id: string }[]): void {
  const of = (type: KeptItem["type"]) => new Set(calls.flatMap((one) => (one.type === type ? [one.call_id] : [])));
  const [called, given] = [of("function_call"), of("function_call_output")];
  for (const id of called) if (!given.has(id)) throw unpaired(`No tool output found for function call ${shown(id)}.`);
  for (const id of given)
    if (!called.has(id)) throw unpaired(`No tool call found for function call output with call_id ${shown(id)}.`);
}

function unpaired(message: string): AppError {
  return new AppError("tool_calls_unpaired", message, { param: "input" });
}
