import { chmodSync, existsSync, mkdirSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { dirname } from "node:path";
import { pathToFileURL } from "node:url";
import { Database } from "bun:sqlite";
import { expect, test } from "bun:test";
import { startS3Server } from "../../test/helpers/s3-server.ts";
import { tempDir, type TempDir } from "../../test/helpers/temp-dir.ts";
import { ImageFileWriter } from "../index/image-file.ts";
import { takeDataDir } from "../platform/data-dir.ts";
import { createBlobs } from "../storage/blob-directory.ts";
import { openSqlite } from "../storage/sqlite.ts";
import { createStorage } from "../storage/storage.ts";
import { lectern } from "./testing/command.ts";

/** A data directory with a tenant and a file whose bytes are there. */
async function made(dir: TempDir): Promise<string> {
  const data = dir.join("data");
  mkdirSync(data, { mode: 0o700 });
  const db = openSqlite(`${data}/meta.sqlite`, { flush: false });
  await createStorage(db).tenants.insert({ id: "ten_a", name: "a", createdAt: 1 });
  await db.close();
  chmodSync(`${data}/meta.sqlite`, 0o600);
  return data;
}

async function checks(data: string, ...more: string[]) {
  return await checksWith({}, data, ...more);
}

async function checksWith(env: Record<string, string>, data: string, ...more: string[]) {
  const { status, out } = await lectern(["doctor", "--data", data, ...more], {
    env: { LECTERN_MIN_FREE_DISK_MB: "1", ...env },
  });
  const rows = out
    .trimEnd()
    .split("\n")
    .map((line) => /^(ok|warn|fail) +(\w+) +(.*)$/.exec(line));
  const found = Object.fromEntries(rows.map((row) => [row?.[2] ?? "?", { state: row?.[1], detail: row?.[3] }]));
  return { status, found };
}

test("of a directory that is not there it says that it will be made; nothing is made by looking", async () => {
  using dir = tempDir();
  const { status, found } = await checks(dir.join("data"));
  expect(status).toBe(0);
  expect(found["data"]).toEqual({ state: "ok", detail: `${dir.join("data")} will be made at the first start` });
  expect(Object.keys(found)).not.toContain("database");
  expect(existsSync(dir.join("data"))).toBe(false);
});

test("a directory as the server leaves it is all right, line by line", async () => {
  using dir = tempDir();
  const { status, found } = await checks(await made(dir));
  expect(status).toBe(0);
  const names =
    "version data permissions processor memory descriptors disk clock documents ocr server database models indexes leftovers".split(
      " ",
    );
  expect(Object.keys(found)).toEqual(names);
  expect(found["database"]).toMatchObject({ state: "ok", detail: expect.stringContaining("0 stores, 0 files") });
  expect(found["server"]?.detail).toContain("none runs on this data directory");
});

test("a database that is wrong is a failure that names the way out", async () => {
  using dir = tempDir();
  const data = await made(dir);
  const db = new Database(`${data}/meta.sqlite`);
  db.run(`INSERT INTO file (id, tenant_id, filename, bytes, purpose, sha256, created_at)
    VALUES ('file-a', 'ten_a', 'x', 1, 'assistants', '00', 1)`);
  db.close();
  expect(await checks(data)).toMatchObject({
    status: 1,
    found: {
      database: {
        state: "fail",
        detail: "the bytes of 1 files are missing (if they are elsewhere, say where with --blobs); restore a backup",
      },
    },
  });
  writeFileSync(`${data}/meta.sqlite`, "no database, and longer than a header of sixteen bytes");
  for (const end of ["-wal", "-shm"]) rmSync(`${data}/meta.sqlite${end}`, { force: true });
  expect(await checks(data)).toMatchObject({ status: 1, found: { database: { state: "fail" } } });
});

test("a damaged graph is a warning: it is built again; --fix removes every cache and nothing else", async () => {
  using dir = tempDir();
  const data = await made(dir);
  mkdirSync(`${data}/stores/vs_a/1`, { recursive: true });
  writeFileSync(`${data}/stores/vs_a/1/manifest`, "torn");
  mkdirSync(`${data}/parsed`);
  writeFileSync(`${data}/mine.txt`, "mine");
  const before = await checks(data);
  expect(before).toMatchObject({ status: 0, found: { indexes: { state: "warn" } } });
  expect(before.found["indexes"]?.detail).toContain("vs_a/1");
  const fixed = await checks(data, "--fix");
  expect(fixed).toMatchObject({ status: 0, found: { fix: { state: "ok" } } });
  expect(
    ["stores", "parsed", "native", "mine.txt", "meta.sqlite"].map((name) => existsSync(`${data}/${name}`)),
  ).toEqual([false, false, false, true, true]);
});

test("a damaged index image is a warning, one that was not finished is none", async () => {
  using dir = tempDir();
  const data = await made(dir);
  mkdirSync(`${data}/stores/vs_a`, { recursive: true });
  const image = ImageFileWriter.create(`${data}/stores/vs_a/gen-1.image`, {});
  image.array("numbers", Int32Array.of(1, 2, 3));
  image.finish();
  writeFileSync(`${data}/stores/vs_a/gen-2.image.tmp`, "half");
  expect((await checks(data)).found["indexes"]).toMatchObject({
    state: "ok",
    detail: expect.stringContaining("1 images"),
  });
  writeFileSync(`${data}/stores/vs_a/gen-1.image`, "torn");
  const { status, found } = await checks(data);
  expect([status, found["indexes"]?.state, found["indexes"]?.detail]).toEqual([
    0,
    "warn",
    expect.stringContaining("vs_a/gen-1.image"),
  ]);
});

test("a directory that a server holds is not looked into, nor mended", async () => {
  using dir = tempDir();
  const data = await made(dir);
  using _ = takeDataDir(data);
  const { status, found } = await checks(data);
  expect([status, found["content"]?.detail]).toEqual([0, "in use by a running server, not looked into"]);
  expect(await checks(data, "--fix")).toMatchObject({ status: 1, found: { fix: { state: "fail" } } });
});

test("a model that is broken or waits to be named is a warning", async () => {
  using dir = tempDir();
  const data = await made(dir);
  mkdirSync(`${data}/models/half`, { recursive: true });
  writeFileSync(`${data}/models/half/config.json`, "{}");
  const model = 'id = "house"\ndialect = "openai-compatible"\naddress = "http://127.0.0.1:9/v1"\ninactive = true\n';
  writeFileSync(`${data}/models.toml`, `[[models]]\n${model}`);
  const { status, found } = await checks(data);
  expect([status, found["models"]?.state]).toEqual([0, "warn"]);
  expect(found["models"]?.detail).toContain("half: ");
  expect(found["models"]?.detail).toContain("house: inactive until lectern models verify house");
});

test("a server that left its address and does not answer is a failure; one that answers is told ready or not", async () => {
  using dir = tempDir();
  const data = await made(dir);
  const leave = (url: string) =>
    writeFileSync(`${data}/cli.json`, JSON.stringify({ url, key: "k", pid: process.pid }), { mode: 0o600 });
  const unused = createServer().listen(0, "127.0.0.1");
  await new Promise((resolve) => unused.once("listening", resolve));
  const { port } = unused.address() as { port: number };
  await new Promise((resolve) => unused.close(resolve));
  leave(`http://127.0.0.1:${port}`);
  expect((await checks(data)).found["server"]).toMatchObject({
    state: "fail",
    detail: expect.stringMatching(/answer$/),
  });
  for (const [ready, state] of [
    [200, "ok"],
    [503, "fail"],
  ] as const) {
    await using server = Bun.serve({
      port: 0,
      hostname: "127.0.0.1",
      fetch: () => new Response("", { status: ready }),
    });
    leave(server.url.origin);
    expect((await checks(data)).found["server"]?.state).toBe(state);
  }
});

test("what others may read or write is told", async () => {
  using dir = tempDir();
  const data = await made(dir);
  chmodSync(`${data}/meta.sqlite`, 0o644);
  expect((await checks(data)).found["permissions"]).toMatchObject({ state: "warn" });
  writeFileSync(dir.join("file"), "");
  expect(await checks(dir.join("file"))).toMatchObject({ status: 1, found: { data: { state: "fail" } } });
});

test("--json is the same checks for a program", async () => {
  using dir = tempDir();
  const { status, out } = await lectern(["doctor", "--data", dir.join("none"), "--json"]);
  const { object, checks } = JSON.parse(out) as { object: string; checks: object[] };
  expect([status, object]).toEqual([0, "doctor"]);
  expect(checks).toContainEqual({ name: "data", state: "ok", detail: expect.stringContaining("will be made") });
});

test("what interrupted work left is told, and goes with --fix; modes are closed", async () => {
  using dir = tempDir();
  const data = await made(dir);
  mkdirSync(`${data}/before-upgrade.partial`);
  mkdirSync(`${data}/models/.adding-999999999`, { recursive: true });
  mkdirSync(`${data}/tmp`);
  writeFileSync(`${data}/tmp/half`, "half");
  chmodSync(`${data}/meta.sqlite`, 0o644);
  const before = await checks(data);
  expect(before).toMatchObject({ status: 0, found: { permissions: { state: "warn" }, leftovers: { state: "warn" } } });
  expect(before.found["leftovers"]?.detail).toContain("before-upgrade.partial");
  expect((await checks(data, "--fix")).status).toBe(0);
  expect(await checks(data)).toMatchObject({ found: { permissions: { state: "ok" }, leftovers: { state: "ok" } } });
  expect(existsSync(`${data}/models/.adding-999999999`)).toBe(false);
});

test("--full compares every uploaded byte with its hash", async () => {
  using dir = tempDir();
  const data = await made(dir);
  const sha256 = new Bun.CryptoHasher("sha256").update("abc").digest("hex");
  const db = new Database(`${data}/meta.sqlite`);
  db.run(`INSERT INTO file (id, tenant_id, filename, bytes, purpose, sha256, created_at)
    VALUES ('file-a', 'ten_a', 'x', 3, 'assistants', '${sha256}', 1)`);
  db.close();
  const path = createBlobs(data).path("file-a");
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, "abc");
  expect((await checks(data, "--full")).found["bytes"]).toEqual({
    state: "ok",
    detail: "1 file, every byte as it was uploaded",
  });
  writeFileSync(path, "abd");
  expect(await checks(data, "--full")).toMatchObject({ status: 1, found: { bytes: { state: "fail" } } });
  expect(await checks(data)).toMatchObject({ status: 0 });
});

/** Uploads of these names and bytes, as rows say. */
function uploads(data: string, files: Record<string, string>): void {
  using db = new Database(`${data}/meta.sqlite`);
  for (const [id, bytes] of Object.entries(files)) {
    const sha256 = new Bun.CryptoHasher("sha256").update(bytes).digest("hex");
    db.run(
      `INSERT INTO file (id, tenant_id, filename, bytes, purpose, sha256, created_at)
       VALUES (?1, 'ten_a', 'x', ?2, 'assistants', ?3, 1)`,
      [id, bytes.length, sha256],
    );
  }
}

function put(root: string, id: string, bytes: string): void {
  const path = createBlobs(root).path(id);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, bytes);
}

test("uploads in a directory that --blobs names are looked for there, and those that are still here too", async () => {
  using dir = tempDir();
  const data = await made(dir);
  const place = pathToFileURL(dir.join("shared")).href;
  uploads(data, { "file-here": "abc", "file-there": "de" });
  put(data, "file-here", "abc");
  const unmounted = await checks(data, "--blobs", place);
  expect(unmounted).toMatchObject({
    status: 1,
    found: { database: { state: "ok" }, uploads: { state: "fail", detail: expect.stringContaining("mount it") } },
  });
  expect(existsSync(dir.join("shared"))).toBe(false);
  put(dir.join("shared"), "file-there", "de");
  const waiting = "in the directory that --blobs names; 1 upload in the data directory move at a start";
  const full = await checksWith({ LECTERN_BLOBS: place }, data, "--full");
  expect(full).toMatchObject({
    status: 0,
    found: {
      database: { state: "ok", detail: expect.not.stringContaining("interrupted") },
      uploads: { state: "ok", detail: waiting },
      bytes: { state: "ok", detail: "2 files, every byte as it was uploaded" },
    },
  });
  put(dir.join("shared"), "file-there", "dx");
  expect(await checks(data, "--blobs", place, "--full")).toMatchObject({
    status: 1,
    found: { bytes: { detail: "not as they were uploaded: file-there; restore a backup" } },
  });
  rmSync(createBlobs(dir.join("shared")).path("file-there"));
  expect((await checks(data, "--blobs", place)).found["database"]).toEqual({
    state: "fail",
    detail: "the bytes of 1 files are missing; restore a backup",
  });
});

test("a bucket that --blobs names is asked, for every byte with --full", async () => {
  await using s3 = startS3Server();
  using dir = tempDir();
  const data = await made(dir);
  uploads(data, { "file-a": "abc", "file-b": "de" });
  const place = `s3://docs/lectern?endpoint=${s3.endpoint}`;
  const keys = { LECTERN_BLOBS: place, LECTERN_BLOBS_ACCESS_KEY: "key", LECTERN_BLOBS_SECRET_KEY: "secret" };
  const bucket = new Bun.S3Client({
    bucket: "docs",
    endpoint: s3.endpoint,
    accessKeyId: "key",
    secretAccessKey: "secret",
  });
  await bucket.write("lectern/file-a", "abc");
  expect(await checksWith(keys, data)).toMatchObject({
    status: 0,
    found: { database: { state: "ok" }, uploads: { state: "ok", detail: expect.stringContaining("which answers") } },
  });
  expect(await checksWith(keys, data, "--full")).toMatchObject({
    status: 1,
    found: { bytes: { state: "fail", detail: "missing: file-b; restore a backup" } },
  });
  await bucket.write("lectern/file-b", "de");
  expect((await checksWith(keys, data, "--full")).found["bytes"]).toMatchObject({ state: "ok" });
  expect(await checksWith({ ...keys, LECTERN_OFFLINE: "true" }, data)).toMatchObject({
    status: 1,
    found: { uploads: { state: "fail", detail: expect.stringContaining("--offline") } },
  });
  s3.behave("error");
  expect(await checksWith(keys, data, "--full")).toMatchObject({
    status: 1,
    found: { database: { state: "ok" }, uploads: { state: "fail" }, bytes: { state: "warn" } },
  });
  const wrong = await checks(data, "--blobs", "ftp://docs");
  expect(wrong.found["uploads"]).toMatchObject({ state: "fail", detail: expect.stringContaining("the forms are") });
});

test("a clock that was set back is told by what was written", async () => {
  using dir = tempDir();
  const data = await made(dir);
  const db = new Database(`${data}/meta.sqlite`);
  db.run(`INSERT INTO file (id, tenant_id, filename, bytes, purpose, sha256, created_at)
    VALUES ('file-a', 'ten_a', 'x', 0, 'assistants', '00', 4102444800)`);
  db.close();
  utimesSync(`${data}/meta.sqlite`, 4_102_444_800, 4_102_444_800);
  const { found } = await checks(data);
  expect(found["clock"]).toMatchObject({ state: "warn", detail: expect.stringContaining("2100-01-01") });
});
