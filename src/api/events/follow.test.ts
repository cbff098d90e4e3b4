import { expect, test } from "bun:test";
import { storeApp } from "../../app/testing/store-app.ts";

/** The events of a stream one by one. */
function eventsOf(response: Response) {
  const reader = (response.body as ReadableStream<Uint8Array>).getReader();
  const decoder = new TextDecoder();
  let text = "";
  return {
    async next(): Promise<{ event: string; data: { file_counts: Record<string, number>; files: unknown[] } } | null> {
      while (!text.includes("\n\n")) {
        const { done, value } = await reader.read();
        if (done) return null;
        text += decoder.decode(value);
      }
      const end = text.indexOf("\n\n");
      const [event = "", data = ""] = text.slice(0, end).split("\n");
      text = text.slice(end + 2);
      return { event: event.replace("event: ", ""), data: JSON.parse(data.replace("data: ", "")) };
    },
    leave: () => reader.cancel(),
  };
}

test("a store that is followed tells of files that come, end and go, and stays open in between", async () => {
  await using f = await storeApp();
  const store = (await f.call("POST", "/v1/vector_stores", {})).json.id as string;
  const path = `/v1/vector_stores/${store}`;
  const events = eventsOf(await f.request("GET", `${path}/events?follow=true`));
  expect(await events.next()).toMatchObject({ event: "progress", data: { file_counts: { total: 0 }, files: [] } });

  const file = await f.file();
  await f.call("POST", `${path}/files`, { file_id: file });
  const progress = { stage: "queued", done: 0, total: 0 };
  expect((await events.next())?.data.files).toEqual([{ id: file, status: "in_progress", progress }]);
  await f.finish(store, file, ["x"]);
  expect(await events.next()).toMatchObject({
    event: "progress",
    data: { file_counts: { completed: 1 }, files: [{ id: file, status: "completed" }] },
  });

  await f.call("DELETE", `${path}/files/${file}`);
  expect(await events.next()).toMatchObject({ event: "progress", data: { file_counts: { total: 0 }, files: [] } });
  f.stopping.abort();
  expect(await events.next()).toBeNull();
});

test("without it the stream of a store at rest ends at once, as ever", async () => {
  await using f = await storeApp();
  const store = (await f.call("POST", "/v1/vector_stores", {})).json.id as string;
  for (const query of ["", "?follow=false"]) {
    const events = eventsOf(await f.request("GET", `/v1/vector_stores/${store}/events${query}`));
    expect([(await events.next())?.event, (await events.next())?.event, await events.next()]).toEqual([
      "progress",
      "done",
      null,
    ]);
  }
});
