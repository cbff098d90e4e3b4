/** What messages cost a language model, in tokens as they are counted here. */
import type { TextAnalysis, TextAsker } from "../index/text-analysis.ts";
import { type ChatMessage, textIn } from "./chat-messages.ts";
import { CHAT } from "./limits.ts";

export interface Costs {
  /** Of everything that is no message. */
  fixed: number;
  messages: number[];
}

export async function costsOf(
  texts: Pick<TextAnalysis, "count">,
  { fixed, messages }: { fixed: readonly string[]; messages: readonly ChatMessage[] },
  asker: TextAsker,
): Promise<Costs> {
  const counts = await texts.count([...fixed, ...messages.map(textIn)], asker);
  return {
    fixed: sumOf(counts.slice(0, fixed.length)),
    messages: messages.map(
      (message, i) => (counts[fixed.length + i] ?? 0) + CHAT.messageTokens + CHAT.imageTokens * imagesIn(message),
    ),
  };
}

export function sumOf(counts: readonly number[]): number {
  return counts.reduce((sum, count) => sum + count, 0);
}

function imagesIn({ content }: ChatMessage): number {
  return Array.isArray(content) ? content.filter((part) => part.type === "image_url").length : 0;
}
