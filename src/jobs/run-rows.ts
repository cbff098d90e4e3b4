/** What a run writes into its thread, inside a transaction of the caller: messages, and the steps that tell what it did. */
import { newId } from "../platform/ids.ts";
import type { StepRow } from "../storage/run-steps.ts";
import type { RunRow } from "../storage/runs.ts";
import type { Tables } from "../storage/storage.ts";
import type { KeptTokens } from "../storage/thread-items.ts";
import type { MessageRow } from "../storage/thread-messages.ts";

export const NOTHING_USED: KeptTokens = { input: 0, output: 0 };

type MessageState = Pick<MessageRow, "status" | "completed_at" | "incomplete_at" | "reason" | "content">;

/** Null where the thread is there no more. */
export async function insertMessage(
  { threads, messages }: Tables,
  run: RunRow,
  { at, ...state }: MessageState & { at: number },
): Promise<MessageRow | null> {
  const { id, tenant_id, thread_id, assistant_id } = run;
  const thread = await threads.get(tenant_id, thread_id);
  if (thread === null) return null;
  return await messages.insert({
    id: newId("msg_"),
    tenant_id,
    thread: thread.seq,
    thread_id,
    number: await threads.use(thread, 1, at),
    role: "assistant",
    created_at: at,
    run_id: id,
    assistant_id,
    ...state,
    attachments: [],
    metadata: {},
  });
}

export async function insertStep(
  { steps }: Tables,
  { tenant_id, seq: run }: RunRow,
  { at, ...state }: Pick<StepRow, "status" | "details" | "usage"> & { at: number },
): Promise<StepRow> {
  return await steps.insert({ id: newId("step_"), tenant_id, run, created_at: at, ...state });
}
