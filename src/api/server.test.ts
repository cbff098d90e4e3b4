import { describe, expect, test } from "bun:test";
import { readdirSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { Type } from "@sinclair/typebox";
import { readMultipart } from "../http/multipart.ts";
import { formLimit, NO_BODY } from "../http/body-limit.ts";
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
      bodyLimit: NO_BODY,
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
      bodyLimit: NO_BODY,
      response: Type.Object({}),
    },
    () => {
      started.resolve();
      return new Promise<object>(() => {});
    },
  );
  return { started: started.promise, more: [held, stuck] };
};

describe("whatever the server is called", () => {
  const asked = (request: string) => async () => {
    await using f = await storeApp();
    const server = serve(f);
    try {
      const received = await raw(server.port, request.replace(/\n/g, "\r\n"), (text) => text.includes("\r\n\r\n"));
      const [head = "", body = ""] = received.split("\r\n\r\n");
      return { status: Number(head.split(" ")[1]), body };
    } finally {
      await server.stop(0);
    }
  };

  test.each([
    ...["x", "ai", "api", "a:1", "api:80", "abcd", "[::1]", "[::1]:8080", "my_host", "a.example:443"].map((host) => [
      `GET /healthz HTTP/1.1\nHost: ${host}\nConnection: close\n\n`,
    ]),
    ["GET /healthz HTTP/1.0\n\n"],
    ["GET /healthz?a=b HTTP/1.0\n\n"],
    ["GET /healthz HTTP/1.0\nHost:\n\n"],
    ["HEAD /healthz HTTP/1.0\n\n"],
    ["GET http://x/healthz HTTP/1.1\nHost: x\nConnection: close\n\n"],
    ["GET https://a.example:1/healthz?a=b HTTP/1.1\nHost: x\nConnection: close\n\n"],
    ["GET http://x//healthz/ HTTP/1.0\n\n"],
  ])("%j is served", async (request) => {
    expect((await asked(request)()).status).toBe(200);
  });

  test.each(["localhost:99999", "m\u00fchle.example", "a b", "a/b", "u:p@h", "[::1", "%", "1.2.3.4.5"])(
    "a Host that cannot be one is a 400 in the envelope: %s",
    async (host) => {
      const { status, body } = await asked(`GET /v1/files HTTP/1.1\nHost: ${host}\nConnection: close\n\n`)();
      expect([status, JSON.parse(body).error.type]).toEqual([400, "invalid_request_error"]);
      expect(body).toContain("Invalid Host header");
    },
  );

  test("an address is found with a body, a key and a short name too", async () => {
    const text = JSON.stringify({ filename: "a.txt", purpose: "assistants", bytes: 3, mime_type: "text/plain" });
    const head = `POST /v1/uploads HTTP/1.0\nAuthorization: Bearer ${KEYS.write}\nContent-Length: ${text.length}\n`;
    for (const host of ["", "Host: x\n"]) {
      const { status, body } = await asked(`${head}${host}\n${text}`)();
      expect([status, JSON.parse(body).object]).toEqual([200, "upload"]);
    }
  });

  test("a tunnel is no address", async () => {
    const { status, body } = await asked("CONNECT x:80 HTTP/1.1\nHost: x\nConnection: close\n\n")();
    expect([status, JSON.parse(body).error.code]).toEqual([404, "unknown_url"]);
  });
});

describe("a port", () => {
  test("is not shared: a second server on it fails instead of taking half of the connections", async () => {
    await using f = await storeApp();
    const server = serve(f);
    try {
      const second = () =>
        startServer({ app: f.app, host: "127.0.0.1", port: server.port, idleTimeoutSeconds: 10, stopping: f.stopping });
      expect(second).toThrow(expect.objectContaining({ code: "EADDRINUSE" }));
    } finally {
      await server.stop(0);
    }
  });
});

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
      limit: formLimit(1e6),
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
