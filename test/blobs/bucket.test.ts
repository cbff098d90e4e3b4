/**
 * The bytes of uploads in a bucket: the server over HTTP with the official client, beside a server that speaks S3.
 * With LECTERN_TEST_S3 (an endpoint with a bucket `docs`; keys `key` and `secret`) a real one takes part in the first test.
 */
import { expect, test } from "bun:test";
import { existsSync, readdirSync } from "node:fs";
import { toFile } from "openai";
import { type S3Server, startS3Server } from "../helpers/s3-server.ts";
import { runLectern, startServer, type TestServer } from "../helpers/server.ts";
import { tempDir } from "../helpers/temp-dir.ts";

const KEYS = { LECTERN_BLOBS_ACCESS_KEY: "key", LECTERN_BLOBS_SECRET_KEY: "secret" };
const TEXT = "The lock keeper opens the sluice at high water.";

const placeOf = (endpoint: string) => ["--blobs", `s3://docs/lectern?endpoint=${endpoint}`];

async function upload(server: TestServer, text = TEXT, name = "lock.txt"): Promise<string> {
  const file = await server.client.files.create({ file: await toFile(Buffer.from(text), name), purpose: "assistants" });
  return file.id;
}

async function indexed(server: TestServer, fileId: string): Promise<string> {
  const store = await server.client.vectorStores.create({ name: "locks" });
  const file = await server.client.vectorStores.files.createAndPoll(store.id, { file_id: fileId });
  expect(file.status).toBe("completed");
  return store.id;
}

function filesBelow(path: string): string[] {
  return existsSync(path)
    ? readdirSync(path, { withFileTypes: true, recursive: true }).flatMap((entry) =>
        entry.isFile() ? [entry.name] : [],
      )
    : [];
}

async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = Date.now() + 60_000;
  while (!(await condition())) {
    if (Date.now() > deadline) throw new Error("waited in vain");
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

async function withRealOrOurs(): Promise<{ endpoint: string; ours: S3Server | null } & AsyncDisposable> {
  const real = process.env["LECTERN_TEST_S3"];
  const ours = real === undefined ? startS3Server() : null;
  return {
    endpoint: real ?? ours?.endpoint ?? "",
    ours,
    [Symbol.asyncDispose]: async () => ours?.[Symbol.asyncDispose](),
  };
}

test("uploads, ingest, downloads, ranges, large uploads by parts and deletions work with the bytes in a bucket", async () => {
  await using place = await withRealOrOurs();
  using dir = tempDir();
  await using server = await startServer({ dataDir: dir.join("data"), args: placeOf(place.endpoint), env: KEYS });
  const { client } = server;
  const id = await upload(server);
  const storeId = await indexed(server, id);
  const found = await client.vectorStores.search(storeId, { query: "Who opens the sluice?" });
  expect(found.data[0]?.content[0]?.text).toContain("lock keeper");
  expect(await (await client.files.content(id)).text()).toBe(TEXT);
  const part = await server.fetch(`/v1/files/${id}/content`, { headers: { range: "bytes=4-14" } });
  expect([part.status, await part.text()]).toEqual([206, TEXT.slice(4, 15)]);

  const large = Buffer.from("All the water of the canal. ".repeat(250_000));
  const begun = await client.uploads.create({
    bytes: large.byteLength,
    filename: "canal.txt",
    mime_type: "text/plain",
    purpose: "assistants",
  });
  const half = large.byteLength >> 1;
  const parts = await Promise.all(
    [large.subarray(0, half), large.subarray(half)].map(async (data) =>
      client.uploads.parts.create(begun.id, { data: await toFile(data, "part") }),
    ),
  );
  const whole = await client.uploads.complete(begun.id, { part_ids: parts.map((one) => one.id) });
  const content = await (await client.files.content(whole.file?.id ?? "")).arrayBuffer();
  expect(Buffer.from(content).equals(large)).toBe(true);

  expect([filesBelow(dir.join("data/blobs")), filesBelow(dir.join("data/tmp"))]).toEqual([[], []]);
  await client.files.delete(whole.file?.id ?? "");
  await client.files.delete(id);
  if (place.ours !== null) expect([...place.ours.objects.keys()]).toEqual([]);
  expect((await server.fetch(`/v1/files/${id}/content`)).status).toBe(404);
});

test("while the bucket is away uploads are refused with the time to wait, files wait to be read, and nothing is lost", async () => {
  await using s3 = startS3Server();
  using dir = tempDir();
  await using server = await startServer({ dataDir: dir.join("data"), args: placeOf(s3.endpoint), env: KEYS });
  const id = await upload(server);
  s3.behave("error");
  const body = new FormData();
  body.append("purpose", "assistants");
  body.append("file", new File(["lost"], "lost.txt"));
  const refused = await server.fetch("/v1/files", { method: "POST", body });
  expect([refused.status, refused.headers.get("retry-after")]).toEqual([503, "2"]);
  expect(await refused.json()).toMatchObject({ error: { code: "storage_unavailable" } });
  const download = await server.fetch(`/v1/files/${id}/content`);
  expect([download.status, await download.json()]).toMatchObject([503, { error: { code: "storage_unavailable" } }]);
  const store = await server.client.vectorStores.create({ name: "locks" });
  const attached = await server.client.vectorStores.files.create(store.id, { file_id: id });
  expect(attached.status).toBe("in_progress");
  s3.behave("well");
  const done = await server.client.vectorStores.files.poll(store.id, attached.id);
  expect(done.status).toBe("completed");
  expect((await server.client.files.list()).data.map((file) => file.id)).toEqual([id]);
});

test("what a data directory holds moves to the bucket, an orphan goes, and a backup has all of it", async () => {
  await using s3 = startS3Server();
  using dir = tempDir();
  const dataDir = dir.join("data");
  const before = await startServer({ dataDir });
  const old = await upload(before);
  expect(await before.stop()).toBe(0);
  expect(filesBelow(dir.join("data/blobs"))).toEqual([old]);

  const first = await startServer({ dataDir, args: placeOf(s3.endpoint), env: KEYS });
  await until(() => filesBelow(dir.join("data/blobs")).length === 0);
  const id = await upload(first, "New water.", "new.txt");
  // As of a server that died between the bytes and their row.
  const orphan = await fetch(`${s3.endpoint}/docs/lectern/file-orphan`, {
    method: "PUT",
    body: "x",
    headers: { authorization: "Credential=key/" },
  });
  expect(orphan.ok).toBe(true);
  s3.age(3601);
  await first.kill();

  await using server = await startServer({ dataDir, args: placeOf(s3.endpoint), env: KEYS });
  await until(() => !s3.objects.has("lectern/file-orphan"));
  expect([...s3.objects.keys()].toSorted()).toEqual([`lectern/${id}`, `lectern/${old}`].toSorted());
  expect(await (await server.client.files.content(old)).text()).toBe(TEXT);

  const archive = dir.join("backup.tar");
  const backup = await runLectern(["backup", archive, "--url", server.url, "--key", server.key]);
  expect(backup.status).toBe(0);
  const restored = await runLectern(["restore", archive, "--data", dir.join("restored")]);
  expect(restored.status).toBe(0);
  expect(filesBelow(dir.join("restored/blobs")).toSorted()).toEqual([id, old].toSorted());
});

test("a start says what is wrong with the place", async () => {
  await using s3 = startS3Server();
  using dir = tempDir();
  const start = async (...args: string[]) => {
    const command = ["serve", "--port", "0", "--data", dir.join("data"), ...args];
    const { status, err } = await runLectern(command, { env: KEYS });
    return { status, err };
  };
  const other = await start("--blobs", `s3://other?endpoint=${s3.endpoint}`);
  expect(other.status).not.toBe(0);
  expect(other.err).toContain("NoSuchBucket");
  expect((await start("--blobs", "/srv/files")).err).toContain("s3://bucket/prefix");
  expect((await start("--offline", ...placeOf(s3.endpoint))).err).toContain("--offline");
});

test("a shared directory keeps the bytes", async () => {
  using dir = tempDir();
  await using server = await startServer({
    dataDir: dir.join("data"),
    args: ["--blobs", `file://${dir.join("shared")}`],
  });
  const id = await upload(server);
  await indexed(server, id);
  expect([filesBelow(dir.join("shared/blobs")), filesBelow(dir.join("data/blobs"))]).toEqual([[id], []]);
  expect(await (await server.client.files.content(id)).text()).toBe(TEXT);
});
