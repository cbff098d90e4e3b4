import { AppError } from "../../errors.ts";
import type { ConversationSeq } from "../../storage/ids.ts";
import type { ConversationsTable } from "../../storage/conversations.ts";

/**
 * A conversation has one answer at a time. Those that a request waits for are known here, from before the conversation is
 * read until the answer is kept; those in the background by their rows.
 */
export class ConversationLocks {
  readonly #answered = new Set<ConversationSeq>();

  /** Throws a 409 where another answer has not ended. Freed by `frees`, however that ends. */
  async take(
    conversations: Pick<ConversationsTable, "isAnswered">,
    conversation: ConversationSeq,
    frees: DisposableStack,
  ): Promise<void> {
    if (this.#answered.has(conversation)) throw locked();
    // Before anything is awaited: of two requests in the same instant the second finds it.
    this.#answered.add(conversation);
    frees.defer(() => this.#answered.delete(conversation));
    if (await conversations.isAnswered(conversation)) throw locked();
  }
}

export function freeAtAbort(held: Disposable, signal: AbortSignal): void {
  const free = () => held[Symbol.dispose]();
  if (signal.aborted) free();
  else signal.addEventListener("abort", free, { once: true });
}

function locked(): AppError {
  const text = "Another Response of this conversation has not ended. Try again in a few seconds.";
  return new AppError("conversation_locked", text, { param: "conversation" });
}
