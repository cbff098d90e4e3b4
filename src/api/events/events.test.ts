import { expect, test } from "bun:test";
import type { StoreApp } from "../../app/testing/store-app.ts";
import { storeApp } from "../../app/testing/store-app.ts";

interface SseEvent {
  event: string;
  // Tests look into data of every shape.
  // oxlint-disable-next-line typescript/no-explicit-any
  data: any;
}

/** Reads events until `enough` says so or the stream ends. */
async function read(response: Response, during: (event: SseEvent) => void = () => {}): Promise<SseEvent[]> {
  const events: SseEvent[] = [];
  let text = "";
  for await (const piece of (response.body as ReadableStream<Uint8Array>).pipeThrough(new TextDecoderStream())) {
    text += piece;
    for (let end = text.indexOf("\n\n"); end >= 0; end = text.indexOf("\n\n")) {
      const [event = "", data = ""] = text.slice(0, end).split("\n");
      text = text.slice(end + 2);
      // A comment.
      if (event.startsWith(":")) continue;
      const one = { event: event.replace("event: ", ""), data: JSON.parse(data.replace("data: ", "")) };
      events.push(one);
      during(one);
    }
  }
  return events;
}

async function batchOf(f: StoreApp, ...files: string[]): Promise<{ store: string; batch: string }> {
  const store = (await f.call("POST", "/v1/vector_stores", {})).json.id as string;
  const batch = (await f.call("POST", `/v1/vector_stores/${store}/file_batches`, { file_ids: files })).json
    .id as string;
  return { store, batch };
}

test("a batch's events tell what changed and end with the batch", async () => {
  await using f = await storeApp();
  const [a, b] = [await f.file(), await f.file()];
  const { store, batch } = await batchOf(f, a, b);
  const response = await f.request("GET", `/v1/vector_stores/${store}/file_batches/${batch}/events`);
  expect(response.headers.get("content-type")).toStartWith("text/event-stream");
  const events = await read(response, async ({ data }) => {
    if (data.file_counts.in_progress === 2) await f.finish(store, a, ["x"]);
    else if (data.file_counts.in_progress === 1) await f.fail(store, b);
  });
  expect(events.map((one) => one.event)).toEqual(["progress", "progress", "progress", "done"]);
  expect(events[0]?.data).toMatchObject({
    object: "vector_store.progress",
    vector_store_id: store,
    batch_id: batch,
    file_counts: { in_progress: 2, total: 2 },
    files: [
      { id: a, status: "in_progress", progress: { stage: "queued" } },
      { id: b, status: "in_progress", progress: { stage: "queued" } },
    ],
  });
  expect(events[1]?.data.files).toEqual([{ id: a, status: "completed", progress: null }]);
  expect(events[2]?.data.files).toEqual([{ id: b, status: "failed", progress: null }]);
  expect(events[3]?.data).toMatchObject({ id: batch, object: "vector_store.files_batch", status: "completed" });
});

test("a store's events end when nothing is in progress", async () => {
  await using f = await storeApp();
  const a = await f.file();
  const { store } = await batchOf(f, a);
  const response = await f.request("GET", `/v1/vector_stores/${store}/events`);
  const events = await read(response, async ({ event, data }) => {
    if (event === "progress" && data.file_counts.in_progress === 1) await f.finish(store, a, ["x"]);
  });
  expect(events.at(-2)?.data.files).toEqual([{ id: a, status: "completed", progress: null }]);
  expect(events.at(-1)).toMatchObject({
    event: "done",
    data: { batch_id: null, file_counts: { completed: 1, in_progress: 0 } },
  });
});

test("a stream ends when the server stops, and when what it follows is deleted", async () => {
  await using f = await storeApp();
  const { store, batch } = await batchOf(f, await f.file());
  const gone = await f.request("GET", `/v1/vector_stores/${store}/events`);
  const stopped = await f.request("GET", `/v1/vector_stores/${store}/file_batches/${batch}/events`);
  expect((await read(gone, () => void f.call("DELETE", `/v1/vector_stores/${store}`))).map((one) => one.event)).toEqual(
    ["progress"],
  );
  f.stopping.abort();
  expect((await read(stopped)).every((one) => one.event === "progress")).toBe(true);
});

test("an unknown batch is refused with an error, not a stream", async () => {
  await using f = await storeApp();
  const { store } = await batchOf(f, await f.file());
  const { status, json } = await f.call("GET", `/v1/vector_stores/${store}/file_batches/vsfb_nope/events`);
  expect([status, json.error.code]).toEqual([404, "file_batch_not_found"]);
});
