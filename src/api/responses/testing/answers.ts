import { type StoreApp, storeApp, type StoreAppOptions } from "../../../app/testing/store-app.ts";
import type { ResponseEvent } from "../events.ts";

export const HANDBOOK = {
  "refunds.md": [
    "Refunds are paid within fourteen days of the return of the goods. The shop is closed on Sundays.",
    "A refund needs the receipt of the purchase.",
  ],
  "tides.md": ["Tides follow the moon. The range between high and low water is largest at new moon."],
};

/** A server with a store of the files above. */
export async function handbook(
  options: StoreAppOptions = {},
): Promise<StoreApp & { store: string; ids: Record<string, string> }> {
  const f = await storeApp(options);
  const { json: store } = await f.call("POST", "/v1/vector_stores", {});
  const ids: Record<string, string> = {};
  for (const [name, chunks] of Object.entries(HANDBOOK)) {
    const id = await f.file(name);
    ids[name] = id;
    await f.call("POST", `/v1/vector_stores/${store.id}/files`, {
      file_id: id,
      attributes: { topic: name.split(".")[0] },
    });
    await f.finish(store.id, id, chunks);
  }
  return Object.assign(f, { store: store.id as string, ids });
}

export const ask = (store: string, more: object = {}) => ({
  model: "gpt-4o",
  input: "When are refunds paid?",
  tools: [{ type: "file_search", vector_store_ids: [store] }],
  ...more,
});

export interface Sent {
  name: string;
  data: ResponseEvent;
}

/** The events of a stream, to its end or up to `most` of them. */
export async function eventsIn(
  response: Response,
  most = Infinity,
  onEvent: (event: Sent) => unknown = () => {},
): Promise<Sent[]> {
  const events: Sent[] = [];
  let text = "";
  const reader = (response.body ?? new Blob().stream()).pipeThrough(new TextDecoderStream()).getReader();
  for (;;) {
    const { value, done } = await reader.read();
    if (done) break;
    text += value;
    const parts = text.split("\n\n");
    text = parts.pop() ?? "";
    for (const part of parts) {
      if (part.startsWith(":")) continue;
      const [, name = "", data = ""] = /^event: (.*)\ndata: (.*)$/.exec(part) ?? [];
      const event = { name, data: JSON.parse(data) as ResponseEvent };
      events.push(event);
      onEvent(event);
      if (events.length === most) {
        await reader.cancel();
        return events;
      }
    }
  }
  return events;
}

/** The Response that an event carries. */
export function responseOf(event: Sent | undefined): { id: string; store: boolean } {
  const response = event?.data["response"];
  if (response === undefined) throw new Error("the event has no response");
  return response as { id: string; store: boolean };
}
