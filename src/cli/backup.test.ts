import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { expect, test } from "bun:test";
import { tempDir } from "../../test/helpers/temp-dir.ts";
import { KEYS, storeApp, type StoreApp } from "../app/testing/store-app.ts";
import { hashKey } from "../http/plugins/auth.ts";
import { createBlobs } from "../storage/blob-directory.ts";
import { openSqlite } from "../storage/sqlite.ts";
import { createStorage } from "../storage/storage.ts";
import { knownLanguages, unpacked } from "../workers/ocr-languages.ts";
import { lectern, serveApp, type ServedApp } from "./testing/command.ts";

const REMOTE = `[[models]]
id = "house"
dialect = "openai-compatible"
address = "http://127.0.0.1:9/v1"
dimensions = 8
`;

async function backedUp(f: StoreApp, server: ServedApp, path: string): Promise<void> {
  const form = new FormData();
  form.set("purpose", "assistants");
  form.set("file", new File(["tides rise"], "a.txt"));
  expect((await f.call("POST", "/v1/files", form)).status).toBe(200);
  expect(await server.run(["backup", path])).toMatchObject({ status: 0, out: "", err: expect.stringContaining(path) });
}

test("what a backup holds is what restore makes, and a second look finds every byte right", async () => {
  using dir = tempDir();
  await using f = await storeApp();
  await using server = serveApp(f);
  await backedUp(f, server, dir.join("b.tar"));
  expect(readdirSync(dir.path)).toEqual(["b.tar"]);
  const checked = await lectern(["restore", dir.join("b.tar"), "--check"]);
  expect([checked.status, checked.out]).toEqual([0, expect.stringMatching(/is whole: a backup of .* files\n$/)]);

  const data = dir.join("data");
  const restored = await lectern(["restore", dir.join("b.tar"), "--data", data]);
  expect([restored.status, restored.out]).toEqual([0, ""]);
  expect(restored.err).toContain("Keys that were revoked after the backup was taken are valid again");
  const db = openSqlite(`${data}/meta.sqlite`);
  const [file] = db.raw.query<{ id: string; filename: string }, []>("SELECT id, filename FROM file").all();
  await db.close();
  expect(file?.filename).toBe("a.txt");
  expect(readFileSync(createBlobs(data).path(file?.id ?? ""), "utf8")).toBe("tides rise");
  expect(existsSync(`${data}.restoring`)).toBe(false);
});

test("languages for OCR come back, and one that cannot be loaded is named and left out", async () => {
  using dir = tempDir();
  await using f = await storeApp();
  await using server = serveApp(f);
  const english = unpacked(await Bun.file(knownLanguages("/nowhere")[0]?.path ?? "").bytes());
  mkdirSync(`${f.dataDir}/ocr`);
  writeFileSync(`${f.dataDir}/ocr/deu.traineddata`, english);
  writeFileSync(`${f.dataDir}/ocr/fra.traineddata`, english.subarray(0, 500_000));
  writeFileSync(`${f.dataDir}/ocr/ita.traineddata.7.tmp`, "on its way in");
  await backedUp(f, server, dir.join("b.tar"));
  const { status, err } = await lectern(["restore", dir.join("b.tar"), "--data", dir.join("data")]);
  expect(status).toBe(0);
  expect(err).toContain("The language fra for OCR was left out: it is cut off or damaged.");
  expect(readdirSync(dir.join("data/ocr"))).toEqual(["deu.traineddata"]);
  expect(readFileSync(dir.join("data/ocr/deu.traineddata")).equals(english)).toBe(true);
}, 60_000);

test("with --new-keys the only key is the one that is printed", async () => {
  using dir = tempDir();
  await using f = await storeApp();
  await using server = serveApp(f);
  await backedUp(f, server, dir.join("b.tar"));
  const { status, out, err } = await lectern(["restore", dir.join("b.tar"), "--new-keys", "--data", dir.join("data")]);
  expect(status).toBe(0);
  expect(err).toContain("No key of the backup is valid");
  expect(out).toMatch(/^sk-\S+\n$/);
  const db = openSqlite(dir.join("data/meta.sqlite"));
  const { tenants } = createStorage(db);
  expect(await tenants.findKey(hashKey(KEYS.admin))).toBeNull();
  expect(await tenants.findKey(hashKey(out.trimEnd()))).toMatchObject({ role: "admin", tenant_id: "ten_a" });
  await db.close();
});

test("a remote model of a backup waits until it is named", async () => {
  using dir = tempDir();
  await using f = await storeApp();
  await using server = serveApp(f);
  writeFileSync(`${f.dataDir}/models.toml`, REMOTE);
  await backedUp(f, server, dir.join("b.tar"));
  const { err } = await lectern(["restore", dir.join("b.tar"), "--data", dir.join("data")]);
  expect(err).toContain('The remote model house is inactive: it calls "http://127.0.0.1:9/v1"');
  expect(readFileSync(dir.join("data/models.toml"), "utf8")).toContain("inactive = true");
});

test("a damaged, cut or foreign file is refused with a reason, and nothing is made", async () => {
  using dir = tempDir();
  await using f = await storeApp();
  await using server = serveApp(f);
  await backedUp(f, server, dir.join("b.tar"));
  const whole = readFileSync(dir.join("b.tar"));
  const flipped = Buffer.from(whole);
  const at = Math.floor(flipped.length / 2);
  flipped[at] = (flipped[at] ?? 0) ^ 1;
  for (const bytes of [flipped, whole.subarray(0, at), Buffer.from("no backup"), Buffer.alloc(0)]) {
    writeFileSync(dir.join("bad.tar"), bytes);
    const { status, err } = await lectern(["restore", dir.join("bad.tar"), "--data", dir.join("data")]);
    expect(status).toBe(1);
    expect(err).toMatch(/bad\.tar cannot be restored: .+\. Nothing was changed\.\n$/);
    expect(readdirSync(dir.path).toSorted()).toEqual(["b.tar", "bad.tar"]);
  }
});

test("a directory that holds something is not restored into", async () => {
  using dir = tempDir();
  await using f = await storeApp();
  await using server = serveApp(f);
  await backedUp(f, server, dir.join("b.tar"));
  mkdirSync(dir.join("data"));
  writeFileSync(dir.join("data/mine"), "mine");
  const { status, err } = await lectern(["restore", dir.join("b.tar")], { env: { LECTERN_DATA: dir.join("data") } });
  expect([status, err]).toEqual([1, expect.stringContaining("is not empty")]);
  expect(readdirSync(dir.join("data"))).toEqual(["mine"]);
});

test("a key that may not is refused in the server's words, and an earlier backup stays as it is", async () => {
  using dir = tempDir();
  await using f = await storeApp();
  await using server = serveApp(f);
  writeFileSync(dir.join("b.tar"), "yesterday's");
  const { status, err } = await server.run(["backup", dir.join("b.tar")], { env: { LECTERN_API_KEY: KEYS.write } });
  expect([status, err]).toEqual([1, expect.stringContaining("the server refused: ")]);
  expect([readdirSync(dir.path), readFileSync(dir.join("b.tar"), "utf8")]).toEqual([["b.tar"], "yesterday's"]);
});

test("what breaks off, or is no backup, leaves nothing under the name", async () => {
  using dir = tempDir();
  const answers = [
    () => new Response("no backup"),
    () => new Response("<html>", { status: 502 }),
    () => new Response("half", { headers: { "content-length": "1000" } }),
  ];
  const argv = (url: string) => ["backup", dir.join("b.tar"), "--url", url, "--key", "k"];
  for (const answer of answers) {
    await using server = Bun.serve({ port: 0, hostname: "127.0.0.1", fetch: answer });
    expect((await lectern(argv(server.url.origin))).status).toBe(1);
    expect(readdirSync(dir.path)).toEqual([]);
  }
  expect(await lectern(argv("http://127.0.0.1:1"))).toMatchObject({
    err: expect.stringContaining("cannot be reached"),
  });
});

test("a place that cannot be written is said", async () => {
  await using f = await storeApp();
  await using server = serveApp(f);
  const { status, err } = await server.run(["backup", "/nowhere/at/all/b.tar"]);
  expect([status, err]).toEqual([1, expect.stringContaining("/nowhere/at/all/b.tar.partial cannot be made")]);
});
