import { expect, spyOn, test } from "bun:test";
import { storeApp } from "./testing/store-app.ts";

test("a context that is not started answers requests, starts no thread and does no job", async () => {
  using threads = spyOn(globalThis, "Worker");
  await using f = await storeApp();
  const { id } = (await f.call("POST", "/v1/vector_stores", { file_ids: [await f.file(), await f.file()] })).json;
  const search = await f.call("POST", `/v1/vector_stores/${id}/search`, { query: "anything" });
  expect([search.status, search.json.data]).toEqual([200, []]);
  expect(await f.storage.jobs.depth()).toEqual([{ kind: "ingest", waiting: 2, running: 0 }]);
  expect(threads).not.toHaveBeenCalled();
});

test("the model and the rerankers that a context is given stand in for those of the server", async () => {
  await using f = await storeApp();
  f.rankers.present = ["acme/overlap"];
  const listed: { id: string }[] = (await f.call("GET", "/v1/models")).json.data;
  const ids = listed.map(({ id }) => id);
  expect(ids).toContain("words-64");
  expect(ids).not.toContain("lectern-embed-en");
  const { id } = (await f.call("POST", "/v1/vector_stores", {})).json;
  expect((await f.storage.stores.get("ten_a", id))?.embedding_model).toBe("words-64");
  const rerank = { model: "acme/overlap", query: "a b", documents: ["c", "a b"] };
  expect((await f.call("POST", "/v1/rerank", rerank)).json.results[0]).toMatchObject({ index: 1 });
});
