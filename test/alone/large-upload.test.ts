import { expect, test } from "bun:test";
import { json, newStore, search, settled, upload } from "../helpers/api.ts";
import { startServer } from "../helpers/server.ts";
import { memoryOf, mebibytes, resetPeak } from "../helpers/process-memory.ts";
import { waitFor } from "../helpers/wait.ts";

const SIZE = 512 * 2 ** 20;
const PIECE = 2 ** 20;
const BOUND = 128 * 2 ** 20;

/** Bytes that no compression or deduplication makes small, the same for every run. */
function* pieces(): Generator<Uint8Array> {
  const piece = new Uint32Array(PIECE / 4);
  let state = 1;
  for (let sent = 0; sent < SIZE; sent += PIECE) {
    for (let i = 0; i < piece.length; i++) piece[i] = state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    yield new Uint8Array(piece.buffer.slice(0));
  }
}

test("a file of 512 MiB is streamed to disk and back: the same bytes, memory within 128 MiB of idle", async () => {
  await using server = await startServer();
  // One small file has loaded what uploading loads, and every lane its model.
  const [warm, storeId] = [await upload(server, "warm.txt", "A small text."), await newStore(server)];
  await json(server, "POST", `/v1/vector_stores/${storeId}/files`, { file_id: warm });
  expect((await settled(server, storeId, warm)).status).toBe("completed");
  expect(await search(server, storeId, { query: "small" })).toHaveLength(1);
  const idle = await idleMemory(server.pid);
  resetPeak(server.pid);

  const sent = new Bun.CryptoHasher("sha256");
  const boundary = "lectern-boundary";
  const encode = (text: string) => new TextEncoder().encode(text);
  const body = (async function* () {
    yield encode(
      `--${boundary}\r\nContent-Disposition: form-data; name="file"; filename="large.bin"\r\nContent-Type: application/octet-stream\r\n\r\n`,
    );
    for (const piece of pieces()) {
      sent.update(piece);
      yield piece;
    }
    yield encode(
      `\r\n--${boundary}\r\nContent-Disposition: form-data; name="purpose"\r\n\r\nuser_data\r\n--${boundary}--\r\n`,
    );
  })();
  const started = performance.now();
  const response = await server.fetch("/v1/files", {
    method: "POST",
    headers: { "content-type": `multipart/form-data; boundary=${boundary}` },
    body: streamOf(body),
  });
  const file = (await response.json()) as { id: string; bytes: number };
  const uploadSeconds = (performance.now() - started) / 1000;
  expect([response.status, file.bytes]).toEqual([200, SIZE]);
  const uploadPeak = memoryOf(server.pid).peakBytes;

  const received = new Bun.CryptoHasher("sha256");
  const content = await server.fetch(`/v1/files/${file.id}/content`);
  for await (const piece of content.body ?? []) received.update(piece);
  expect(received.digest("hex")).toBe(sent.digest("hex"));
  const { peakBytes } = memoryOf(server.pid);
  console.log(
    `512 MiB: idle ${mebibytes(idle)} MiB, peak ${mebibytes(uploadPeak)} MiB after the upload, ${mebibytes(peakBytes)} MiB after the download; upload ${uploadSeconds.toFixed(1)} s`,
  );
  expect(peakBytes - idle).toBeLessThan(BOUND);
}, 300_000);

/** Resident bytes once they have not grown by a MiB for two seconds. */
async function idleMemory(pid: number): Promise<number> {
  let highest = 0;
  let sinceMs = performance.now();
  return await waitFor("memory is steady", () => {
    const { residentBytes } = memoryOf(pid);
    if (residentBytes > highest + 2 ** 20) [highest, sinceMs] = [residentBytes, performance.now()];
    return performance.now() - sinceMs > 2000 ? residentBytes : undefined;
  });
}

/** Pulled piece by piece, so that this process holds no more than one. */
function streamOf(source: AsyncGenerator<Uint8Array>): ReadableStream<Uint8Array> {
  return new ReadableStream({
    async pull(controller) {
      const { value, done } = await source.next();
      if (done) controller.close();
      else controller.enqueue(value);
    },
  });
}
