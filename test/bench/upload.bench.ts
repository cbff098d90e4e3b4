import { mebibytes, memoryOf, resetPeak } from "../helpers/process-memory.ts";
import { startServer, type TestServer } from "../helpers/server.ts";
import { type Bench, round } from "./bench.ts";
import { steadyMemory } from "./server-data.ts";

const MEBIBYTE = 2 ** 20;

export const upload: Bench = {
  about: "one large file in by a streamed multipart request, and out again: peak memory of the server over idle",
  minutes: 5,
  async run({ scale, report, note }) {
    if (process.platform !== "linux") return note("memory is read from /proc: Linux only");
    const size = (scale === "small" ? 32 : 512) * MEBIBYTE;
    await using server = await startServer();
    await send(server, MEBIBYTE);
    const idle = await steadyMemory(server.pid);
    resetPeak(server.pid);
    const started = performance.now();
    const id = await send(server, size);
    const uploadedAt = performance.now();
    const uploadPeak = memoryOf(server.pid).peakBytes;
    resetPeak(server.pid);
    let received = 0;
    for await (const piece of (await server.fetch(`/v1/files/${id}/content`)).body ?? []) received += piece.length;
    if (received !== size) throw new Error(`${received} bytes came back instead of ${size}`);
    const row = (trial: string, ms: number, peak: number) =>
      report({
        trial,
        mib: size / MEBIBYTE,
        mib_per_s: round(size / MEBIBYTE / (ms / 1000)),
        idle_mib: mebibytes(idle),
        peak_over_idle_mib: mebibytes(peak - idle),
      });
    row("upload", uploadedAt - started, uploadPeak);
    row("download", performance.now() - uploadedAt, memoryOf(server.pid).peakBytes);
  },
};

/** Uploads bytes that do not compress; resolves to the file's id. */
async function send(server: TestServer, size: number): Promise<string> {
  const boundary = "lectern-boundary";
  const encode = (text: string) => new TextEncoder().encode(text);
  let state = 1;
  let sent = 0;
  const piece = (): Uint8Array => {
    const words = new Uint32Array(Math.min(MEBIBYTE, size - sent) / 4);
    for (let i = 0; i < words.length; i++) words[i] = state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    sent += words.byteLength;
    return new Uint8Array(words.buffer);
  };
  const head = `--${boundary}\r\nContent-Disposition: form-data; name="purpose"\r\n\r\nuser_data\r\n--${boundary}\r\nContent-Disposition: form-data; name="file"; filename="large.bin"\r\nContent-Type: application/octet-stream\r\n\r\n`;
  const body = new ReadableStream<Uint8Array>({
    start: (controller) => controller.enqueue(encode(head)),
    pull(controller) {
      if (sent < size) return controller.enqueue(piece());
      controller.enqueue(encode(`\r\n--${boundary}--\r\n`));
      controller.close();
    },
  });
  const response = await server.fetch("/v1/files", {
    method: "POST",
    headers: { "content-type": `multipart/form-data; boundary=${boundary}` },
    body,
  });
  const text = await response.text();
  if (!response.ok) throw new Error(`upload: ${response.status} ${text}`);
  return (JSON.parse(text) as { id: string }).id;
}
