/**
 * Event streams beside everybody else's requests, and how far one key and one tenant get with them. LECTERN_TEST_STREAMS
 * sets how many there are in all; with 1,000 or more also what they cost the indexing is held against its bound.
 */
import { expect, test } from "bun:test";
import { connect, type Socket } from "node:net";
import { json, newStore, search, upload } from "../helpers/api.ts";
import { OVER_TWO } from "../helpers/pair.ts";
import { startServer, type TestServer } from "../helpers/server.ts";
import { as, newKey, newTenant } from "../helpers/tenants.ts";
import { waitFor } from "../helpers/wait.ts";

/** Each counts for itself how many streams a key and a tenant have. */
const SERVERS = OVER_TWO ? 2 : 1;
const KEYS = 5;
/** Of one key, as many as it may have. */
const STREAMS = 20 * SERVERS;
const TENANTS = Math.max(2, Math.round(Number(process.env["LECTERN_TEST_STREAMS"] ?? 200) / (KEYS * STREAMS)));
const IS_FULL = TENANTS * KEYS * STREAMS >= 1000;
const FILES = OVER_TWO ? 600 : 2000;
/** Of a file, so that there is work for as long as is measured. */
const LINES = IS_FULL ? 1000 : 800;
const ASKED = 60;
/** What is left of the files indexed a second. */
const LEAST_RATE = 0.8;
const EVERY_MS = 50;
/** What another waits is compared above this only: below it the machine's neighbours decide. */
const NOISE_MS = 50;
/** Characters of a stream that are kept, at its beginning and at its end. */
const KEPT = 4096;

interface Stream {
  socket: Socket;
  text: () => string;
}

/** A stream over a connection of its own: `fetch` has a pool that would hold the others up. */
async function open(server: TestServer, path: string, key: string): Promise<Stream> {
  const { hostname, port } = new URL(server.url);
  const socket = connect(Number(port), hostname);
  let text = "";
  socket.on("data", (data) => {
    // The beginning tells the status and the first event, the end what it ended with, in however many pieces that comes.
    text += data.toString("latin1");
    if (text.length > 3 * KEPT) text = text.slice(0, KEPT) + text.slice(-KEPT);
  });
  socket.on("error", () => {});
  socket.write(`GET ${path} HTTP/1.1\r\nhost: ${hostname}\r\nauthorization: Bearer ${key}\r\n\r\n`);
  await waitFor("a stream answers", () => (text.includes("\r\n\r\n") ? true : undefined));
  return { socket, text: () => text };
}

const median = (values: number[]) => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;

/** The median of what somebody else waits, in milliseconds, asked over a few seconds. */
async function waits(request: (i: number) => Promise<unknown>): Promise<number> {
  const times: number[] = [];
  for (let i = 0; i < ASKED; i++) {
    const startedAt = performance.now();
    await request(i);
    times.push(performance.now() - startedAt);
    await Bun.sleep(EVERY_MS);
  }
  return median(times);
}

async function batchOf(client: TestServer, files: number): Promise<string> {
  const ids: string[] = [];
  for (let i = 0; i < files; i += 20) {
    const more = Array.from({ length: Math.min(20, files - i) }, (_, n) =>
      upload(client, `${i + n}.txt`, `Line of file ${i + n} on refunds, returns and shipping. `.repeat(LINES)),
    );
    ids.push(...(await Promise.all(more)));
  }
  const store = await newStore(client);
  const { id } = await json<{ id: string }>(client, "POST", `/v1/vector_stores/${store}/file_batches`, {
    file_ids: ids,
  });
  return `/v1/vector_stores/${store}/file_batches/${id}`;
}

/** What comes of `work`, and how many files of a batch were indexed a second meanwhile. */
async function withRate<T>(client: TestServer, batch: string, work: () => Promise<T>): Promise<T & { rate: number }> {
  const done = async () =>
    (await json<{ file_counts: { completed: number } }>(client, "GET", batch)).file_counts.completed;
  const [before, startedAt] = [await done(), performance.now()];
  const result = await work();
  return { ...result, rate: ((await done()) - before) / ((performance.now() - startedAt) / 1000) };
}

test(`${TENANTS * KEYS * STREAMS} streams on batches of thousands of files hold nobody up`, async () => {
  await using server = await startServer({ args: ["--log-level", "warn", "--max-team-streams", "100"] });
  const admin = async (name: string) => {
    const tenant_id = await newTenant(server, name);
    return { tenant_id, client: as(server, (await newKey(server, { tenant_id, role: "admin" })).key) };
  };
  const other = (await admin("other")).client;
  const otherStore = await newStore(other);
  await json(other, "POST", `/v1/vector_stores/${otherStore}/embeddings`, { content: "words of another tenant" });
  const targets: { batch: string; keys: string[]; client: TestServer }[] = [];
  for (let i = 0; i < TENANTS; i++) {
    const { tenant_id, client } = await admin(`streams ${i}`);
    const keys = await Promise.all(
      Array.from({ length: KEYS }, async () => (await newKey(server, { tenant_id, role: "read" })).key),
    );
    targets.push({ batch: await batchOf(client, i === 0 ? FILES : 200), keys, client });
  }
  const [first] = targets as [(typeof targets)[number]];
  const get = () => waits(() => json(other, "GET", `/v1/vector_stores/${otherStore}`));
  const find = (name: string) => waits((i) => search(other, otherStore, { query: `words ${name} ${i}` }));
  const measured = (name: string) =>
    withRate(first.client, first.batch, async () => ({ get: await get(), find: await find(name) }));
  const alone = await measured("alone");

  const streams: Stream[] = [];
  for (const { batch, keys } of targets)
    for (const key of keys)
      streams.push(...(await Promise.all(Array.from({ length: STREAMS }, () => open(server, `${batch}/events`, key)))));
  expect(streams.filter(({ text }) => !text().startsWith("HTTP/1.1 200")).length).toBe(0);
  await waitFor("every stream is told", () =>
    streams.every(({ text }) => text().includes("event: progress")) ? true : undefined,
  );
  // While there is work to hear of: a stream ends with its batch.
  const refused = await open(server, `${first.batch}/events`, first.keys[0] as string);
  expect(refused.text()).toMatch(/^HTTP\/1\.1 429 [\s\S]*retry-after: 5\r\n[\s\S]*this key may have 20 open/i);
  const more = (await newKey(first.client, { role: "read" })).key;
  const refusedToo = await open(server, `${first.batch}/events`, more);
  expect(refusedToo.text()).toMatch(/^HTTP\/1\.1 429 [\s\S]*this organisation may have 100 open/);

  const beside = await measured("beside");
  console.log(
    `${streams.length} streams: another's GET p50 ${alone.get.toFixed(1)} -> ${beside.get.toFixed(1)} ms, ` +
      `search ${alone.find.toFixed(1)} -> ${beside.find.toFixed(1)} ms, ` +
      `files a second ${alone.rate.toFixed(1)} -> ${beside.rate.toFixed(1)}`,
  );
  if (IS_FULL) expect(beside.rate).toBeGreaterThan(LEAST_RATE * alone.rate);
  expect(beside.get).toBeLessThan(Math.max(NOISE_MS, 2 * alone.get));
  expect(beside.find).toBeLessThan(Math.max(NOISE_MS, 2 * alone.find));

  streams[0]?.socket.destroy();
  await waitFor("its place is free again", async () => {
    const again = await open(server, `${first.batch}/events`, more);
    const isOpen = again.text().startsWith("HTTP/1.1 200");
    again.socket.destroy();
    return isOpen ? true : undefined;
  });
  for (const { socket } of [...streams, refused, refusedToo]) socket.destroy();
});

test("clients that do not read their streams keep nobody from hearing", async () => {
  await using server = await startServer({ args: ["--log-level", "warn"] });
  const batch = await batchOf(server, 300);
  const key = (await newKey(server, { role: "read" })).key;
  const deaf = await Promise.all(Array.from({ length: 19 }, () => open(server, `${batch}/events`, key)));
  for (const { socket } of deaf) socket.pause();
  const heard = await open(server, `${batch}/events`, key);
  await json(server, "POST", `${batch}/cancel`, {});
  await waitFor("the end is told", () => (heard.text().includes("event: done") ? true : undefined));
  for (const { socket } of [...deaf, heard]) socket.destroy();
});

test("a revoked key's streams end within two seconds", async () => {
  await using server = await startServer({ args: ["--log-level", "warn"] });
  const batch = await batchOf(server, 200);
  const { key, id } = await newKey(server, { role: "read" });
  const stream = await open(server, `${batch}/events`, key);
  let endedAt = 0;
  stream.socket.on("data", (data) => {
    if (data.toString("latin1").includes("\r\n0\r\n\r\n") || data.toString("latin1").startsWith("0\r\n\r\n"))
      endedAt = performance.now();
  });
  const revokedAt = performance.now();
  await json(server, "DELETE", `/v1/admin/keys/${id}`);
  await waitFor("the stream ends", () => (endedAt > 0 ? true : undefined));
  expect(stream.text()).toContain(": Incorrect API key provided");
  expect(endedAt - revokedAt).toBeLessThan(2000);
  stream.socket.destroy();
});

test("a tenant that is deleted while it uploads leaves nothing", async () => {
  await using server = await startServer();
  const tenant_id = await newTenant(server, "ends");
  const { key } = await newKey(server, { tenant_id });
  const { hostname, port } = new URL(server.url);
  const socket = connect(Number(port), hostname);
  let answer = "";
  socket.on("data", (data) => (answer += data.toString("latin1")));
  socket.on("error", () => {});
  const head =
    '--q\r\ncontent-disposition: form-data; name="purpose"\r\n\r\nassistants\r\n' +
    '--q\r\ncontent-disposition: form-data; name="file"; filename="late.txt"\r\n\r\n';
  socket.write(
    `POST /v1/files HTTP/1.1\r\nhost: ${hostname}\r\nauthorization: Bearer ${key}\r\n` +
      `content-type: multipart/form-data; boundary=q\r\ncontent-length: 100000\r\n\r\n${head}some words`,
  );
  const tmp = new Bun.Glob("*");
  const home = OVER_TWO ? `${server.dataDir}-blobs` : server.dataDir;
  const inTmp = () => [...tmp.scanSync({ cwd: `${home}/tmp` })].length;
  await waitFor("the upload has begun", () => (inTmp() > 0 ? true : undefined));
  await json(server, "DELETE", `/v1/admin/tenants/${tenant_id}`);
  await waitFor("the upload is refused", () => (answer.startsWith("HTTP/1.1 401") ? true : undefined));
  expect([inTmp(), [...new Bun.Glob("*/*").scanSync({ cwd: `${home}/blobs` })]]).toEqual([0, []]);
  socket.destroy();
});
