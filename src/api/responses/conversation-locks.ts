import { AppError } from "../../errors.ts";
import type { ConversationRow, ConversationsTable } from "../../storage/conversations.ts";
import type { Locks } from "../locks.ts";

/**
 * A conversation has one answer at a time. Those that a request waits for hold it from before the conversation is read
 * until the answer is kept; those in the background are known by their rows.
 * Throws a 409 where another answer has not ended. Freed by `frees`, however that ends.
 */
export async function holdConversation(
  { locks, conversations }: { locks: Locks; conversations: Pick<ConversationsTable, "isAnswered"> },
  { tenant_id: tenantId, seq }: ConversationRow,
  frees: AsyncDisposableStack,
): Promise<void> {
  const held = await locks.take(tenantId, `conversation ${seq}`);
  if (held === null) throw locked();
  frees.use(held);
  if (await conversations.isAnswered(seq)) throw locked();
}

export function freeAtAbort(held: AsyncDisposable, signal: AbortSignal): void {
  const free = () => void held[Symbol.asyncDispose]();
  if (signal.aborted) free();
  else signal.addEventListener("abort", free, { once: true });
}

function locked(): AppError {
  const text = "Another Response of this conversation has not ended. Try again in a few seconds.";
  return new AppError("conversation_locked", text, { param: "conversation" });
}
