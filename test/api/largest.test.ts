/** The largest that OpenAI's API takes in one request, and one more. */
import { expect, test } from "bun:test";
import { errorOf, json, newStore, refusal, upload } from "../helpers/api.ts";
import { startServer } from "../helpers/server.ts";
import { waitFor } from "../helpers/wait.ts";

interface Batch {
  id: string;
  status: string;
  file_counts: { completed: number; total: number };
}

test("a batch of 2,000 files is indexed, one of 2,001 refused whole", async () => {
  await using server = await startServer();
  const ids: string[] = [];
  while (ids.length < 2000) {
    const texts = Array.from({ length: 20 }, (_, i) => `Note ${ids.length + i} about the tides.`);
    ids.push(...(await Promise.all(texts.map((text) => upload(server, "note.txt", text)))));
  }
  const path = `/v1/vector_stores/${await newStore(server)}`;
  expect(await refusal(server, "POST", `${path}/file_batches`, { file_ids: [...ids, "file-x"] })).toMatchObject({
    status: 400,
    code: "array_above_max_length",
    param: "file_ids",
    message:
      "Invalid 'file_ids': array too long. Expected an array with maximum length 2000, but got an array with length 2001 instead.",
  });
  const { id, file_counts } = await json<Batch>(server, "POST", `${path}/file_batches`, { file_ids: ids });
  expect(file_counts.total).toBe(2000);
  const done = await waitFor("the batch is done", async () => {
    const batch = await json<Batch>(server, "GET", `${path}/file_batches/${id}`);
    return batch.status === "in_progress" ? undefined : batch;
  });
  expect(done).toMatchObject({ status: "completed", file_counts: { completed: 2000, total: 2000 } });
});

test("parts of 64 MiB come in parallel and out of order, one byte more is refused", async () => {
  await using server = await startServer();
  const size = 64 * 2 ** 20;
  const { id } = await json<{ id: string }>(server, "POST", "/v1/uploads", {
    filename: "large.bin",
    purpose: "user_data",
    bytes: 2 * size,
    mime_type: "application/octet-stream",
  });
  const send = (content: Uint8Array<ArrayBuffer>) => {
    const form = new FormData();
    form.set("data", new Blob([content]), "part");
    return server.fetch(`/v1/uploads/${id}/parts`, { method: "POST", body: form });
  };
  const contents = [1, 2].map((value) => new Uint8Array(size).fill(value));
  const sent = await Promise.all(contents.toReversed().map(send));
  const parts = (await Promise.all(sent.map((answer) => answer.json()))) as { id: string }[];
  expect(await errorOf(await send(new Uint8Array(size + 1)))).toMatchObject({ status: 413, param: "data" });
  const md5 = new Bun.CryptoHasher("md5");
  for (const content of contents) md5.update(content);
  const body = { part_ids: parts.toReversed().map((part) => part.id), md5: md5.digest("hex") };
  const whole = await json<{ status: string; file: { bytes: number } }>(
    server,
    "POST",
    `/v1/uploads/${id}/complete`,
    body,
  );
  expect(whole).toMatchObject({ status: "completed", file: { bytes: 2 * size } });
});
