/** A server whose system lets it have few descriptors: what is refused, and that nothing that was begun breaks. */
import { connect, type Socket } from "node:net";
import { expect, setDefaultTimeout, test } from "bun:test";
import { addText, json, newStore, search } from "../helpers/api.ts";
import { LECTERN, startServer, type TestServer } from "../helpers/server.ts";
import { lacks } from "../helpers/lacks.ts";
import { waitFor } from "../helpers/wait.ts";

setDefaultTimeout(120_000);

const MOST = 256;
const NO_BOUNDS = ["--max-user-streams", "1000", "--max-team-streams", "1000", "--max-user-requests", "10000"];

interface Asked {
  socket: Socket;
  status: number;
  head: string;
  body: () => string;
}

/** A request over a connection of its own, which is kept. */
async function ask(server: TestServer, path: string, { body, key = server.key }: { body?: object; key?: string } = {}) {
  const { hostname, port } = new URL(server.url);
  const socket = connect(Number(port), hostname);
  let text = "";
  socket.on("data", (data) => (text += data.toString("latin1")));
  socket.on("error", () => {});
  const payload = body === undefined ? "" : JSON.stringify(body);
  socket.write(
    `${body === undefined ? "GET" : "POST"} ${path} HTTP/1.1\r\nhost: ${hostname}\r\nauthorization: Bearer ${key}\r\n` +
      `content-type: application/json\r\ncontent-length: ${payload.length}\r\n\r\n${payload}`,
  );
  await waitFor("an answer begins", () => (text.includes("\r\n\r\n") ? true : undefined));
  const [head = ""] = text.split("\r\n\r\n");
  return { socket, head, status: Number(head.split(" ")[1]), body: () => text.slice(head.length + 4) } satisfies Asked;
}

/** A connection with a request that goes on. */
async function begin(server: TestServer): Promise<Socket> {
  const { hostname, port } = new URL(server.url);
  const socket = connect(Number(port), hostname);
  await new Promise((resolve) => socket.once("connect", resolve));
  socket.write("GET /healthz HTTP/1.1\r\n");
  return socket;
}

async function openOf(server: TestServer): Promise<number> {
  const text = await (await server.fetch("/metrics")).text();
  return Number(/^process_open_fds (\d+)$/m.exec(text)?.[1]);
}

test.skipIf(lacks("a list of open files", process.platform === "linux"))(
  "near the limit streams are refused, then requests; files are written and read all the while",
  async () => {
    const command = ["sh", "-c", `ulimit -n ${MOST} && exec "$0" "$@"`, ...LECTERN];
    await using server = await startServer({ command, args: NO_BOUNDS });
    const store = await newStore(server);
    await addText(server, store, "before.txt", "Refunds are paid within fourteen days.");
    const held: Socket[] = [];
    let refused: Asked | undefined;
    while (refused === undefined && held.length < MOST) {
      const asked = await ask(server, `/v1/vector_stores/${store}/events?follow=true`);
      if (asked.status === 200) held.push(asked.socket);
      else refused = asked;
    }
    expect(refused?.head).toMatch(/^HTTP\/1\.1 503 [\s\S]*retry-after: 5(\r|$)/i);
    await waitFor("the refusal is told", () => (refused?.body().includes("}") ? true : undefined));
    expect(refused?.body()).toContain("nearly as many connections and files open as its system allows");
    expect(refused?.body()).toContain('"code":"too_many_connections"');
    const atStreams = await openOf(server);
    expect(atStreams).toBeGreaterThan(MOST * 0.75);
    expect(atStreams).toBeLessThan(MOST * 0.9);
    await waitFor("the log tells of it", () =>
      server.log().includes("nears its limit of open files") ? true : undefined,
    );

    // What does not last is served, and makes room when it is over.
    await addText(server, store, "near.txt", "Returns need the receipt.");
    const found = await ask(server, `/v1/vector_stores/${store}/search`, { body: { query: "receipt" } });
    expect([found.status, /connection: close/i.test(found.head)]).toEqual([200, true]);

    // Connections that ask for nothing yet cannot be refused; those that ask are.
    const question = { body: { query: "goods" } };
    const asked = () => ask(server, `/v1/vector_stores/${store}/search`, question);
    while ((await asked()).status === 200 && held.length < MOST) held.push(await begin(server));
    for (let i = 0; i < 8; i++) held.push(await begin(server));
    const full = await asked();
    expect(full.head).toMatch(/^HTTP\/1\.1 503 [\s\S]*retry-after: 5(\r|$)/i);
    expect(await openOf(server)).toBeLessThan(MOST * 0.95);
    expect((await ask(server, "/healthz")).status).toBe(200);
    const many = await Promise.all(Array.from({ length: 100 }, asked));
    expect(new Set(many.map(({ status }) => status))).toEqual(new Set([503]));

    for (const socket of held) socket.destroy();
    const again = await waitFor("a stream is begun again", async () => {
      const stream = await ask(server, `/v1/vector_stores/${store}/events?follow=true`);
      return stream.status === 200 ? stream : void stream.socket.destroy();
    });
    again.socket.destroy();
    await addText(server, store, "after.txt", "Goods are shipped within a day.");
    expect((await search(server, store, { query: "receipt for goods shipped" })).length).toBe(3);
    const failures = server
      .log()
      .split("\n")
      .filter((line) => /"level":"error"|EMFILE/.test(line));
    expect(failures).toEqual([]);
    expect(
      (await json<{ file_counts: object }>(server, "GET", `/v1/vector_stores/${store}`)).file_counts,
    ).toMatchObject({
      ...{ completed: 3, failed: 0 },
    });
  },
);
