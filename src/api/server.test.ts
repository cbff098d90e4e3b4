import { describe, expect, test } from "bun:test";
import { readdirSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { Type } from "@sinclair/typebox";
import { readMultipart } from "../http/multipart.ts";
import { operation } from "../http/operation.ts";
import { startServer } from "../http/server.ts";
import { storeApp, KEYS } from "../app/testing/store-app.ts";
import type { StoreApp } from "../app/testing/store-app.ts";

const AUTHORIZATION = { authorization: `Bearer ${KEYS.write}` };

function serve(f: StoreApp) {
  return startServer({ app: f.app, host: "127.0.0.1", port: 0, idleTimeoutSeconds: 10, stopping: f.stopping });
}

/** Sends bytes as they are and collects the answer until the server closes or `done` is satisfied. */
function raw(port: number, text: string, done: (received: string) => boolean): Promise<string> {
  return new Promise((resolve, reject) => {
    let received = "";
    const socket = connect(port, "127.0.0.1", () => socket.write(text));
    socket.on("data", (chunk) => {
      received += chunk.toString();
      if (done(received)) socket.destroy();
    });
    socket.on("close", () => resolve(received));
    socket.on("error", reject);
  });
}

const hold = () => {
  const started = Promise.withResolvers<void>();
  const held = operation(
    {
      method: "GET",
      path: "/v1/held",
      operationId: "held",
      summary: "Long-poll",
      tag: "Lectern",
      role: "read",
      response: Type.Object({}),
    },
    async ({ stopping }) => {
      started.resolve();
      await new Promise<void>((resolve) => stopping.addEventListener("abort", () => resolve()));
      return { ended: "by the stop" };
    },
  );
  const stuck = operation(
    {
      method: "GET",
      path: "/v1/stuck",
      operationId: "stuck",
      summary: "Never",
      tag: "Lectern",
      role: "read",
      response: Type.Object({}),
    },
    () => {
      started.resolve();
      return new Promise<object>(() => {});
    },
  );
  return { started: started.promise, more: [held, stuck] };
};

describe("stopping", () => {
  test("answers long-polls, then ends", async () => {
    const { started, more } = hold();
    await using f = await storeApp({ more });
    const server = serve(f);
    const polling = fetch(`${server.url}/v1/held`, { headers: AUTHORIZATION });
    await started;
    const cut = server.stop(5000);
    expect(await (await polling).json()).toEqual({ ended: "by the stop" });
    expect(await cut).toBe(0);
    await expect(fetch(`${server.url}/healthz`)).rejects.toThrow();
  });

  test("waits no longer than the grace for what does not end", async () => {
    const { started, more } = hold();
    await using f = await storeApp({ more });
    const server = serve(f);
    const stuck = fetch(`${server.url}/v1/stuck`, { headers: AUTHORIZATION }).catch(() => "closed");
    await started;
    expect(await server.stop(50)).toBe(1);
    expect(await stuck).toBe("closed");
  });
});

describe("hostile connections", () => {
  test("an upload whose client vanishes leaves nothing behind", async () => {
    await using f = await storeApp();
    const server = serve(f);
    const tmp = () => readdirSync(join(f.dataDir, "tmp"));
    const head = `POST /v1/files HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${KEYS.write}\r\nContent-Type: multipart/form-data; boundary=b\r\nContent-Length: 100000\r\n\r\n`;
    const part = `--b\r\nContent-Disposition: form-data; name="file"; filename="a.txt"\r\n\r\n${"x".repeat(5000)}`;
    const socket = connect(server.port, "127.0.0.1", () => socket.write(head + part));
    await until(() => tmp().length === 1);
    socket.destroy();
    await until(() => tmp().length === 0);
    expect(f.blobs.list()).toEqual([]);
    await server.stop(1000);
  });

  test("a body announced above every limit is refused in the envelope", async () => {
    await using f = await storeApp();
    const server = serve(f);
    const request = `POST /v1/uploads HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${KEYS.write}\r\nContent-Length: 5000000000\r\n\r\n{`;
    const answer = await raw(server.port, request, (received) => received.includes("}}"));
    expect(answer).toStartWith("HTTP/1.1 413 ");
    expect(answer).toContain('"code":"payload_too_large"');
    await server.stop(1000);
  });

  test("an upload below the least rate is ended, one above it lives as long as it needs", async () => {
    const limits = { windowMs: 40, minBytes: 100, totalMs: 10_000 };
    const body = (pieces: number, bytes: number, everyMs: number) => {
      let sent = 0;
      const head = '--b\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n';
      const stream = new ReadableStream<Uint8Array>({
        async pull(controller) {
          if (sent === 0) controller.enqueue(new TextEncoder().encode(head));
          await Bun.sleep(everyMs);
          if (sent++ < pieces) controller.enqueue(new Uint8Array(bytes));
          else {
            controller.enqueue(new TextEncoder().encode("\r\n--b--\r\n"));
            controller.close();
          }
        },
      });
      return new Request("http://localhost/", {
        method: "POST",
        body: stream,
        headers: { "content-type": "multipart/form-data; boundary=b" },
      });
    };
    let bytes = 0;
    const options = {
      fileField: "file",
      maxFileBytes: 1e6,
      limits,
      sink: async (chunk: Uint8Array) => void (bytes += chunk.length),
    };
    await expect(readMultipart(body(1000, 1, 10), options)).rejects.toMatchObject({ code: "request_timeout" });
    await readMultipart(body(20, 200, 10), options);
    expect(bytes).toBeGreaterThanOrEqual(4000);
  });
});

/** Waits for a condition that the other side of a socket brings about. */
async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setImmediate(resolve));
}
