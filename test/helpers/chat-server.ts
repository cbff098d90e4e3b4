/**
 * A server of chat completions for tests: real HTTP, answering as Ollama, vLLM and llama.cpp do, with their habits. It says
 * what it is told to say; what it was asked, and whether it was left alone, is kept.
 */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

export interface ChatCallReply {
  name: string;
  arguments: string;
  id?: string;
}

export interface ChatReply {
  text?: string;
  reasoning?: string;
  calls?: ChatCallReply[];
  finish?: string | null;
  /** Of `openai`: calls in pieces, with ids and an index each. Of `ollama`: each whole, index 0. `bare`: no ids either. */
  calling?: "openai" | "ollama" | "bare";
  usage?: object | null;
  /** Bytes of one write; the whole at once unless given. */
  pieces?: number;
  /** Characters of the text in one chunk; 7 unless given. */
  chunk?: number;
  /** Cuts the connection after so many bytes. */
  breakAfter?: number;
  /** Not before this. */
  breakWhen?: Promise<unknown>;
  /** Says nothing more after so many bytes, and keeps the connection. */
  hangAfter?: number;
  /** Waits for it before the first byte. */
  until?: Promise<unknown>;
  /** Without `[DONE]`. */
  withoutDone?: boolean;
  /** Answers whole, although asked for a stream. */
  whole?: boolean;
  /** An error instead. */
  status?: number;
  error?: unknown;
  headers?: Record<string, string>;
  /** The stream as it is. */
  raw?: string;
}

export interface ChatAsked {
  body: Record<string, unknown> & { messages: { role: string; content: unknown }[] };
  headers: Record<string, string | string[] | undefined>;
}

export interface ChatServer extends AsyncDisposable {
  /** Up to the version. */
  readonly address: string;
  readonly asked: ChatAsked[];
  /** Requests whose connection was closed before they were answered. */
  readonly left: number;
  /** What is said next, in order; the last is said again. */
  say(...replies: (ChatReply | ((asked: ChatAsked) => ChatReply))[]): void;
}

export async function startChatServer(): Promise<ChatServer> {
  const asked: ChatAsked[] = [];
  let replies: (ChatReply | ((asked: ChatAsked) => ChatReply))[] = [{ text: "Hello." }];
  let left = 0;
  const take = async (request: IncomingMessage, response: ServerResponse) => {
    const one: ChatAsked = { body: JSON.parse(await bodyOf(request)) as ChatAsked["body"], headers: request.headers };
    asked.push(one);
    const next = replies.length > 1 ? replies.shift() : replies[0];
    await answer(response, one, typeof next === "function" ? next(one) : (next ?? {}));
  };
  const server = createServer((request, response) => {
    response.on("close", () => {
      if (!response.writableEnded) left++;
    });
    void take(request, response);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    address: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`,
    asked,
    get left() {
      return left;
    },
    say(...given) {
      replies = given;
    },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  const parts: Buffer[] = [];
  for await (const part of request) parts.push(part as Buffer);
  return Buffer.concat(parts).toString("utf8");
}

async function answer(response: ServerResponse, { body }: ChatAsked, reply: ChatReply): Promise<void> {
  await reply.until;
  if (reply.status !== undefined) {
    response.writeHead(reply.status, { "content-type": "application/json", ...reply.headers });
    response.end(JSON.stringify(reply.error ?? { error: { message: "no" } }));
    return;
  }
  const isStreamed = body["stream"] === true && reply.whole !== true;
  response.writeHead(200, {
    "content-type": isStreamed ? "text/event-stream" : "application/json",
    ...reply.headers,
  });
  const bytes = Buffer.from(reply.raw ?? (isStreamed ? streamOf(reply) : JSON.stringify(wholeOf(reply))), "utf8");
  const end = reply.breakAfter ?? reply.hangAfter ?? bytes.length;
  const size = reply.pieces ?? bytes.length;
  for (let at = 0; at < end && !response.destroyed; at += size) {
    await new Promise((written) => response.write(bytes.subarray(at, Math.min(end, at + size)), written));
  }
  await reply.breakWhen;
  if (reply.breakAfter !== undefined) response.socket?.destroy();
  else if (reply.hangAfter === undefined) response.end();
}

const usageOf = (reply: ChatReply) =>
  reply.usage === undefined ? { prompt_tokens: 100, completion_tokens: 10, total_tokens: 110 } : reply.usage;

function finishOf({ finish, calls = [] }: ChatReply): string | null {
  return finish === undefined ? (calls.length > 0 ? "tool_calls" : "stop") : finish;
}

function wholeOf(reply: ChatReply): object {
  const calls = (reply.calls ?? []).map((call, i) => ({
    id: call.id ?? `call_${i}`,
    type: "function",
    function: { name: call.name, arguments: call.arguments },
  }));
  const message = { role: "assistant", content: reply.text ?? null, ...(calls.length > 0 && { tool_calls: calls }) };
  const choices = [{ index: 0, message, finish_reason: finishOf(reply) }];
  return { id: "chatcmpl-1", object: "chat.completion", created: 1, model: "m", choices, usage: usageOf(reply) };
}

function streamOf(reply: ChatReply): string {
  const chunks: object[] = [];
  const add = (delta: object, finish: string | null = null) =>
    chunks.push({ id: "c", object: "chat.completion.chunk", choices: [{ index: 0, delta, finish_reason: finish }] });
  add({ role: "assistant", content: "" });
  if (reply.reasoning !== undefined) add({ reasoning_content: reply.reasoning });
  for (const piece of (reply.text ?? "").match(new RegExp(`[^]{1,${reply.chunk ?? 7}}`, "gu")) ?? [])
    add({ content: piece });
  for (const delta of callDeltas(reply)) add({ tool_calls: [delta] });
  const finish = finishOf(reply);
  if (finish !== null) add({}, finish);
  const usage = usageOf(reply);
  if (usage !== null) chunks.push({ id: "c", object: "chat.completion.chunk", choices: [], usage });
  const events = chunks.map((chunk) => `data: ${JSON.stringify(chunk)}\n\n`).join("");
  return reply.withoutDone === true ? events : `${events}data: [DONE]\n\n`;
}

function callDeltas({ calls = [], calling = "openai" }: ChatReply): object[] {
  return calls.flatMap((call, i): object[] => {
    const { name, arguments: text } = call;
    const id = call.id ?? `call_${i}`;
    if (calling === "ollama") return [{ index: 0, id, type: "function", function: { name, arguments: text } }];
    if (calling === "bare") return [{ index: 0, function: { name, arguments: text } }];
    const half = Math.ceil(text.length / 2);
    return [
      { index: i, id, type: "function", function: { name, arguments: "" } },
      { index: i, function: { arguments: text.slice(0, half) } },
      { index: i, function: { arguments: text.slice(half) } },
    ];
  });
}
