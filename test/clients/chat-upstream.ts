/** A chat model for walks in other languages, over real HTTP: it calls the client's function, then answers with what that gave. */
import { type ChatAsked, type ChatReply, type ChatServer, startChatServer } from "../helpers/chat-server.ts";

const FUNCTION = "weather";
const ARGUMENTS = '{"city":"Rome"}';

export async function startChatUpstream(): Promise<ChatServer> {
  const upstream = await startChatServer();
  upstream.say(replyTo);
  return upstream;
}

function replyTo({ body }: ChatAsked): ChatReply {
  const last = body.messages.at(-1);
  if (last?.role === "tool") return { text: `Within 30 days [1]. In Rome it is ${textOf(last.content)}.`, pieces: 11 };
  const tools = (body["tools"] ?? []) as { function: { name: string } }[];
  const isAsked = textOf(last?.content).includes("Rome") && tools.some((tool) => tool.function.name === FUNCTION);
  if (isAsked) return { calls: [{ name: FUNCTION, arguments: ARGUMENTS }], calling: "ollama" };
  return { text: "Within 30 days [1].", pieces: 11 };
}

function textOf(content: unknown): string {
  return typeof content === "string" ? content : JSON.stringify(content ?? "");
}
