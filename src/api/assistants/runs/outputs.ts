import { AppError } from "../../../errors.ts";
import type { KeptCall, KeptStepDetails } from "../../../storage/thread-items.ts";
import type { SubmitToolOutputsBody } from "./schema.ts";

/** The calls with what came of them. Throws a 400 where one is missing or unknown: all are answered at once. */
export function withOutputs(calls: readonly KeptCall[], given: SubmitToolOutputsBody["tool_outputs"]): KeptStepDetails {
  const outputs = new Map(given.map(({ tool_call_id: id, output }) => [id, output ?? ""]));
  const isComplete = outputs.size === calls.length && calls.every(({ id }) => outputs.has(id));
  if (!isComplete || given.length !== calls.length) {
    const expected = calls.map(({ id }) => id);
    const got = given.map(({ tool_call_id: id }) => id);
    const text = `Expected tool outputs for call_ids ${listed(expected)}, got ${listed(got)}`;
    throw new AppError("tool_outputs_refused", text);
  }
  return { type: "tool_calls", tool_calls: calls.map((call) => ({ ...call, output: outputs.get(call.id) ?? "" })) };
}

/** As clients know it from OpenAI. */
function listed(ids: readonly string[]): string {
  return `[${ids.map((id) => `'${id}'`).join(", ")}]`;
}
