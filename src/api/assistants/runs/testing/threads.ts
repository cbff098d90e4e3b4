import type { StoreApp, StoreAppOptions } from "../../../../app/testing/store-app.ts";
import { waitFor } from "../../../../../test/helpers/wait.ts";
import { handbook } from "../../../responses/testing/answers.ts";
import type { RunEvent } from "../events.ts";

export type Headers = Record<string, string>;
export const SEARCH = { type: "file_search" };

/** A server with a handbook's store, and an assistant that answers from it. */
export async function desk(options: StoreAppOptions = {}) {
  const f = await handbook(options);
  const made = await f.call("POST", "/v1/assistants", {
    model: "gpt-4o",
    tools: [SEARCH],
    tool_resources: { file_search: { vector_store_ids: [f.store] } },
  });
  return Object.assign(f, { assistant: made.json.id as string });
}
export type Desk = Awaited<ReturnType<typeof desk>>;

export const user = (content: unknown = "When are refunds paid?", more: object = {}) => ({
  role: "user",
  content,
  ...more,
});

/** A new thread of these messages; its id. */
export async function newThread(f: StoreApp, body: object = { messages: [user()] }, headers: Headers = {}) {
  const { status, json } = await f.call("POST", "/v1/threads", body, headers);
  if (status !== 200) throw new Error(JSON.stringify(json));
  return json.id as string;
}

/** A run of the thread that has ended. Starts the jobs. */
export async function ended(f: Desk, thread: string, more: object = {}, headers: Headers = {}) {
  const made = await f.call("POST", `/v1/threads/${thread}/runs`, { assistant_id: f.assistant, ...more }, headers);
  if (made.status !== 200) throw new Error(JSON.stringify(made.json));
  await f.engine.jobs.runner.start();
  return await endOf(f, thread, made.json.id as string);
}

export async function endOf(f: StoreApp, thread: string, run: string) {
  return await waitFor(`${run} ends`, async () => {
    const { json } = await f.call("GET", `/v1/threads/${thread}/runs/${run}`);
    return ["queued", "in_progress", "cancelling"].includes(json.status as string) ? undefined : json;
  });
}

export async function list(f: StoreApp, path: string, headers: Headers = {}) {
  return (await f.call("GET", path, undefined, headers)).json.data;
}

/** The events of a stream, to its end. */
export async function eventsIn(response: Response): Promise<RunEvent[]> {
  const frames = (await response.text()).split("\n\n").slice(0, -1);
  return frames
    .filter((frame) => !frame.startsWith(":"))
    .map((frame) => {
      const [, event = "", data = ""] = /^event: (.*)\ndata: (.*)$/.exec(frame) ?? [];
      return { event, data: data === "[DONE]" ? data : (JSON.parse(data) as object) };
    });
}

/** Every search from now on waits until it is called off; resolves when one has begun. */
export function holdSearches(f: StoreApp): Promise<void> {
  const { promise: begun, resolve: begin } = Promise.withResolvers<void>();
  f.onEmbed(async (signal) => {
    begin();
    await new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }));
  });
  return begun;
}
