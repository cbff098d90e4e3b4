/** From the items of a conversation to the messages that a chat model's server takes. */
import type { KeptInputPart, KeptItem } from "../storage/response-items.ts";

export type ChatPart =
  | { type: "text"; text: string }
  | { type: "image_url"; image_url: { url: string; detail?: string } };

export interface ChatCall {
  id: string;
  type: "function";
  function: { name: string; arguments: string };
}

export type ChatMessage =
  | { role: "system" | "developer"; content: string }
  | { role: "user"; content: string | ChatPart[] }
  | { role: "assistant"; content: string | null; tool_calls?: ChatCall[] }
  | { role: "tool"; tool_call_id: string; content: string };

/** Files and images of a message, as a model can be shown them. */
export interface AttachedParts {
  /** A stored image as a data URL; null where there is none. */
  image(fileId: string): Promise<string | null>;
  /** What a file says; null where it cannot be read. */
  text(part: Extract<KeptInputPart, { type: "input_file" }>): Promise<string | null>;
}

export interface Conversation {
  /** What system and developer messages say, in order. */
  system: string[];
  messages: ChatMessage[];
  /** Where in the messages the last turn begins: the last message of a user, and what came after it. */
  turn: number;
  /** Sentences for whoever asked. */
  warnings: string[];
}

/** Neighbours of one role are joined; what a function gave follows its call. */
export async function conversationOf(items: readonly KeptItem[], attached: AttachedParts): Promise<Conversation> {
  const system: string[] = [];
  const warnings: string[] = [];
  const messages: ChatMessage[] = [];
  const outputs = outputsOf(items);
  // What is called after something was given is called later.
  let isLater = false;
  for (const item of items) {
    if (item.type === "function_call_output") isLater = true;
    else if (item.type === "function_call") {
      if (isLater) messages.push({ role: "assistant", content: null, tool_calls: [] });
      isLater = false;
      addCall(messages, {
        id: item.call_id,
        type: "function",
        function: { name: item.name, arguments: item.arguments },
      });
    } else if (item.type === "message" && item.role === "assistant") {
      const text = item.content.map((part) => (part.type === "output_text" ? part.text : part.refusal)).join("\n");
      if (text !== "") addAssistant(messages, text);
    } else if (item.type === "message") {
      const parts = await partsOf(item.content, attached, warnings);
      if (item.role === "user") addUser(messages, parts);
      else system.push(plainText(parts));
    }
  }
  const whole = withOutputs(messages, outputs);
  return { system: system.filter((text) => text.trim() !== ""), messages: whole, turn: lastTurn(whole), warnings };
}

/** The message with this before what it says. */
export function withText(message: ChatMessage, before: string): ChatMessage {
  if (message.role !== "user") return message;
  const { content } = message;
  if (typeof content === "string") return { ...message, content: content === "" ? before : `${before}\n\n${content}` };
  return { ...message, content: [{ type: "text", text: before }, ...content] };
}

/** What counts as text of a message. */
export function textIn(message: ChatMessage): string {
  const { content } = message;
  const calls = message.role === "assistant" ? (message.tool_calls ?? []) : [];
  const said = typeof content === "string" ? content : plainText(content ?? []);
  return [said, ...calls.map((call) => `${call.function.name}${call.function.arguments}`)].join("\n");
}

/**
 * Without the oldest, until `fits`; a call never without what came of it. Returns how many were left out, or null where
 * not even the last turn fits.
 */
export function withoutOldest(
  messages: readonly ChatMessage[],
  costs: readonly number[],
  { turn, budget }: { turn: number; budget: number },
): { messages: ChatMessage[]; turn: number; left: number } | null {
  let sum = costs.reduce((all, cost) => all + cost, 0);
  let from = 0;
  while (from < turn && (sum > budget || messages[from]?.role === "tool")) sum -= costs[from++] ?? 0;
  if (sum > budget) return null;
  return { messages: messages.slice(from), turn: turn - from, left: from };
}

async function partsOf(
  content: readonly KeptInputPart[],
  attached: AttachedParts,
  warnings: string[],
): Promise<ChatPart[]> {
  const parts: ChatPart[] = [];
  for (const part of content) {
    if (part.type === "input_text") parts.push({ type: "text", text: part.text });
    else if (part.type === "input_image") {
      const url = part.image_url ?? (part.file_id === undefined ? null : await attached.image(part.file_id));
      if (url === null) warnings.push("An image cannot be read and was left out.");
      else {
        const detail = part.detail === "auto" ? {} : { detail: part.detail };
        parts.push({ type: "image_url", image_url: { url, ...detail } });
      }
    } else {
      const name = part.filename ?? part.file_id ?? "file";
      const text = await attached.text(part);
      if (text === null) warnings.push(`The file '${name.slice(0, 100)}' cannot be read and was left out.`);
      else parts.push({ type: "text", text: `${name}:\n${text}` });
    }
  }
  return parts;
}

function addUser(messages: ChatMessage[], parts: ChatPart[]): void {
  const last = messages.at(-1);
  const before = last?.role === "user" ? (messages.pop(), partsIn(last.content)) : [];
  const all = [...before, ...parts];
  const isText = all.every((part) => part.type === "text");
  messages.push({ role: "user", content: isText ? plainText(all) : all });
}

function addAssistant(messages: ChatMessage[], text: string): void {
  const last = messages.at(-1);
  if (last?.role === "assistant" && last.tool_calls === undefined) last.content = joined(last.content, text);
  else messages.push({ role: "assistant", content: text });
}

function addCall(messages: ChatMessage[], call: ChatCall): void {
  const last = messages.at(-1);
  if (last?.role === "assistant") (last.tool_calls ??= []).push(call);
  else messages.push({ role: "assistant", content: null, tool_calls: [call] });
}

function outputsOf(items: readonly KeptItem[]): Map<string, string> {
  const outputs = new Map<string, string>();
  for (const item of items) {
    if (item.type !== "function_call_output") continue;
    const text =
      typeof item.output === "string"
        ? item.output
        : item.output.flatMap((part) => (part.type === "input_text" ? [part.text] : [])).join("\n");
    outputs.set(item.call_id, text);
  }
  return outputs;
}

function withOutputs(messages: readonly ChatMessage[], outputs: ReadonlyMap<string, string>): ChatMessage[] {
  return messages.flatMap((message): ChatMessage[] => {
    if (message.role !== "assistant" || message.tool_calls === undefined) return [message];
    const given = message.tool_calls.map((call): ChatMessage => {
      return { role: "tool", tool_call_id: call.id, content: outputs.get(call.id) ?? "" };
    });
    return [message, ...given];
  });
}

function lastTurn(messages: readonly ChatMessage[]): number {
  const at = messages.findLastIndex((message) => message.role === "user");
  return at < 0 ? 0 : at;
}

function partsIn(content: string | ChatPart[]): ChatPart[] {
  return typeof content === "string" ? [{ type: "text", text: content }] : content;
}

function plainText(parts: readonly ChatPart[]): string {
  return parts.flatMap((part) => (part.type === "text" ? [part.text] : [])).join("\n\n");
}

function joined(before: string | null, text: string): string {
  return before === null || before === "" ? text : `${before}\n\n${text}`;
}
