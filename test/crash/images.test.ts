/**
 * The index of a large store lies in a file that is mapped at the next start. kill -9, and then: the first search answers
 * from it, caught up with what came and went since; a file that is damaged, in whatever way, costs time and nothing else;
 * and what was deleted is not in it when the deletion is said to be done.
 */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { existsSync, readdirSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { metricOf, settled } from "../bench/server-data.ts";
import { STOCK_OPTIONS, stockStore } from "../bench/stocked-store.ts";
import { json, upload } from "../helpers/api.ts";
import { lacks } from "../helpers/lacks.ts";
import { startServer, type TestServer } from "../helpers/server.ts";
import { tempDir } from "../helpers/temp-dir.ts";
import { waitFor } from "../helpers/wait.ts";

setDefaultTimeout(240_000);

const CHUNKS = 3_000;
const QUERIES = ["bobobo kakaka", "dada fofo gugu", "a first file"];
const outcome = (name: string) => `lectern_index_images_total{outcome="${name}"}`;

interface Hit {
  file_id: string;
  score: number;
}

const dir = tempDir();
const dataDir = dir.join("data");
let storeId = "";
let server: TestServer;

const imageFile = () => {
  const root = join(dataDir, "stores", storeId);
  const name = existsSync(root) ? readdirSync(root).find((one) => one.endsWith(".image")) : undefined;
  return name === undefined ? null : join(root, name);
};
const found = async (query: string) =>
  (await json<{ data: Hit[] }>(server, "POST", `/v1/vector_stores/${storeId}/search`, { query, max_num_results: 20 }))
    .data;
/** Everything that the questions find, with its scores. */
const answers = async () =>
  await Promise.all(QUERIES.map(async (query) => (await found(query)).map(({ file_id, score }) => [file_id, score])));
const restart = async () => {
  await server.kill();
  server = await startServer({ ...STOCK_OPTIONS, dataDir });
};
const written = (count: number) =>
  waitFor("the image", async () => ((await metricOf(server, outcome("written"))) >= count ? true : undefined), 200_000);

async function add(name: string, text: string): Promise<string> {
  const file = await upload(server, name, text);
  await json(server, "POST", `/v1/vector_stores/${storeId}/files`, { file_id: file });
  await settled(server, storeId);
  return file;
}

/** The file is changed by somebody else under the server that has it mapped and searches it. */
async function changed(change: (path: string) => void, isNoticed: boolean): Promise<void> {
  const path = imageFile() ?? "";
  const whole = readFileSync(path);
  const before = await answers();
  await restart();
  const over = new AbortController();
  let asked = 0;
  const asking = Array.from({ length: 4 }, async () => {
    for (; !over.signal.aborted; asked++) expect(await answers()).toEqual(before);
  });
  const asks = (count: number) => waitFor("searches run", () => (asked >= count ? true : undefined));
  await asks(8);
  expect(await metricOf(server, outcome("opened"))).toBe(1);
  change(path);
  const notices = async () => (await metricOf(server, outcome("damaged"))) || undefined;
  if (isNoticed) await waitFor("the file is not believed", notices);
  await asks(asked + 8);
  over.abort();
  await Promise.all(asking);
  expect(server.log().includes("an index image is not used")).toBe(isNoticed);
  // As it was, for the next.
  await server.kill();
  writeFileSync(path, whole);
  await restart();
  expect(await answers()).toEqual(before);
}

beforeAll(async () => {
  storeId = await stockStore(dataDir, CHUNKS);
  server = await startServer({ ...STOCK_OPTIONS, dataDir });
});
afterAll(async () => {
  await server?.[Symbol.asyncDispose]();
  dir[Symbol.dispose]();
});

describe("an index that lies in a file", () => {
  test("answers the first search after kill -9, with what came and went since it was written", async () => {
    expect(imageFile()).toBeNull();
    await found("anything");
    const gone = await add("gone.txt", "Quagmirewort grows where nobody looks.");
    await written(1);
    const kept = await add("kept.txt", "Zebrafishmonger is a word of its own.");
    await json(server, "DELETE", `/v1/vector_stores/${storeId}/files/${gone}`);
    const before = await answers();
    await restart();
    expect((await found("zebrafishmonger"))[0]?.file_id).toBe(kept);
    expect((await found("quagmirewort")).map(({ file_id }) => file_id)).not.toContain(gone);
    expect(await answers()).toEqual(before);
    expect(await metricOf(server, outcome("opened"))).toBe(1);
    expect(await metricOf(server, "lectern_index_mapped_bytes")).toBe(statSync(imageFile() ?? "").size);
  });

  test.each<[string, string | null, (path: string) => void]>([
    [
      "has another bit",
      "damaged",
      (path) => {
        const bytes = readFileSync(path);
        bytes[bytes.length >> 1]! ^= 1;
        writeFileSync(path, bytes);
      },
    ],
    ["is cut in half", "damaged", (path) => truncateSync(path, statSync(path).size >> 1)],
    ["is gone", null, (path) => rmSync(path)],
  ])("answers the same where the file %s", async (_, reason, damage) => {
    const before = await answers();
    const path = imageFile() ?? "";
    const whole = readFileSync(path);
    await server.kill();
    damage(path);
    await restart();
    expect(await answers()).toEqual(before);
    if (reason !== null) {
      expect(await metricOf(server, outcome(reason))).toBe(1);
      expect(server.log()).toContain("an index image is not used");
    }
    expect(await metricOf(server, outcome("opened"))).toBe(0);
    // As it was, for the next.
    await server.kill();
    writeFileSync(path, whole);
    await restart();
    expect(await answers()).toEqual(before);
    expect(await metricOf(server, outcome("opened"))).toBe(1);
  });

  const punch = (path: string) => void Bun.spawnSync(["fallocate", "-p", "-o", "8192", "-l", "1MiB", path]);
  test.each<[string, boolean, (path: string) => void]>([
    ["is cut to nothing", true, (path) => truncateSync(path, 0)],
    ["is cut in half", true, (path) => truncateSync(path, statSync(path).size >> 1)],
    ["is written over", true, (path) => writeFileSync(path, new Uint8Array(statSync(path).size), { flag: "r+" })],
    ["is gone", false, (path) => rmSync(path)],
  ])("goes on answering where the file %s while searches run", (_, isNoticed, change) => changed(change, isNoticed));
  test.skipIf(lacks("fallocate"))("goes on answering where the file gets a hole while searches run", () =>
    changed(punch, true),
  );

  test("does not hold what was deleted once the deletion is done", async () => {
    const secret = await add("most-secret-name.txt", "Nobody should know of the flabbergastronaut.");
    const bytesHave = (path: string | null) =>
      path !== null && readFileSync(path).includes(Buffer.from("most-secret-name.txt", "utf16le"));
    // Enough to be written anew for it.
    const image = imageFile();
    if (image !== null) rmSync(image);
    await restart();
    await found("flabbergastronaut");
    await written(1);
    expect(bytesHave(imageFile())).toBe(true);
    await json(server, "DELETE", `/v1/files/${secret}`);
    await waitFor("the deletion is done", async () => {
      const { data } = await json<{ data: { subject: { id: string }; completed_at: number | null }[] }>(
        server,
        "GET",
        "/v1/admin/deletions",
      );
      return data.some(({ subject, completed_at }) => subject.id === secret && completed_at !== null) || undefined;
    });
    expect(bytesHave(imageFile())).toBe(false);
    await restart();
    expect((await found("flabbergastronaut")).map(({ file_id }) => file_id)).not.toContain(secret);
  });
});
