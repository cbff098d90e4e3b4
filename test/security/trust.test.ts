/**
 * What comes with a directory, a backup or a folder acts only where an operator lets it: on the binary, with backups and
 * directories as somebody hostile would make them.
 */
import { Database } from "bun:sqlite";
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, statSync } from "node:fs";
import { symlinkSync, truncateSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { addText, json, newStore, refusal } from "../helpers/api.ts";
import { runLectern, startServer, TEST_KEY } from "../helpers/server.ts";
import { tempDir, type TempDir } from "../helpers/temp-dir.ts";
import { lacks } from "../helpers/lacks.ts";
import { archive, members } from "./archive.ts";

let temp: TempDir;
/** The files of a backup of a server with a store, a file and two keys, one revoked since. */
let good: Map<string, Uint8Array>;
let revoked: string;
let storeId: string;

beforeAll(async () => {
  temp = tempDir();
  const file = temp.join("good.tar");
  await using server = await startServer({ dataDir: temp.join("original") });
  storeId = await newStore(server);
  await addText(server, storeId, "a.txt", "A page about lighthouses.");
  const made = await json<{ id: string; key: string }>(server, "POST", "/v1/admin/keys", { name: "k", role: "read" });
  revoked = made.key;
  const taken = await runLectern(["backup", file, "--url", server.url, "--key", TEST_KEY]);
  expect(taken).toMatchObject({ status: 0 });
  await json(server, "DELETE", `/v1/admin/keys/${made.id}`);
  good = members(readFileSync(file));
});
afterAll(() => temp[Symbol.dispose]());

/** The backup with another database: altered by SQL, or other bytes. */
function withDatabase(change: readonly string[] | Uint8Array): Map<string, Uint8Array> {
  if (change instanceof Uint8Array) return new Map([...good, ["meta.sqlite", change]]);
  using dir = tempDir();
  const path = dir.join("meta.sqlite");
  writeFileSync(path, good.get("meta.sqlite") ?? "");
  {
    using db = new Database(path);
    for (const sql of change) db.run(sql);
    db.run("PRAGMA wal_checkpoint(TRUNCATE)");
  }
  return new Map([...good, ["meta.sqlite", readFileSync(path)]]);
}

async function restore(dir: TempDir, content: Uint8Array, ...more: string[]) {
  const file = dir.join("hostile.tar");
  writeFileSync(file, content);
  return await runLectern(["restore", file, "--data", dir.join("data"), ...more]);
}

const row = (id: string) =>
  `INSERT INTO file (id, tenant_id, filename, bytes, purpose, sha256, created_at)
   SELECT '${id}', id, 'x.txt', 1, 'assistants', '00', 1 FROM tenant LIMIT 1`;
const text = (content: string) => new TextEncoder().encode(content);

const HOSTILE: [string, () => Uint8Array, RegExp][] = [
  [
    "an id that climbs",
    () => archive(withDatabase([row("../../../secret.txt")])),
    /file\.id holds what is no identifier/,
  ],
  [
    "an id of a store that climbs",
    () => archive(withDatabase(["UPDATE vector_store SET id = '../..'"])),
    /is no identifier/,
  ],
  [
    "a trigger of plain SQL",
    () =>
      archive(withDatabase(["CREATE TRIGGER t1 AFTER INSERT ON api_key BEGIN UPDATE api_key SET role = 'admin'; END"])),
    /the trigger "t1" is not Lectern's/,
  ],
  [
    "a trigger that calls out",
    () => archive(withDatabase(["CREATE TRIGGER t1 AFTER INSERT ON query_log BEGIN SELECT load_extension('x'); END"])),
    /the trigger "t1" is not Lectern's/,
  ],
  [
    "a view in place of a table",
    () =>
      archive(
        withDatabase(["DROP TABLE query_hour", "CREATE VIEW query_hour AS SELECT randomblob(1000000000) AS hour"]),
      ),
    /the view "query_hour" is not Lectern's/,
  ],
  ["text for a database", () => archive(withDatabase(text("hello"))), /its database cannot be used/],
  ["an empty database", () => archive(withDatabase(new Uint8Array())), /its database cannot be used/],
  [
    "half a database",
    () => archive(withDatabase((good.get("meta.sqlite") ?? new Uint8Array()).subarray(0, 8192))),
    /its database cannot be used/,
  ],
  [
    "a database of another program",
    () => archive(withDatabase(["PRAGMA user_version = 7"])),
    /the mark of another program/,
  ],
  [
    "a database of a newer version",
    () => archive(withDatabase(["UPDATE schema_version SET version = 99"])),
    /of a newer Lectern/,
  ],
  [
    "no database",
    () => archive(new Map([...good].filter(([name]) => name !== "meta.sqlite"))),
    /there is no meta\.sqlite/,
  ],
  [
    "a broken list of models",
    () => archive(new Map([...good, ["models.toml", text("[[models")]])),
    /its list of remote models/,
  ],
  ["a way out", () => archive(new Map([...good, ["models/../../evil", text("x")]])), /does not belong into a backup/],
  ["a folder's name", () => archive(new Map([...good, ["models/x/", text("x")]])), /does not belong into a backup/],
  [
    "a file that is a folder",
    () => archive(new Map([...good, ["models/m", text("x")], ["models/m/x", text("x")]])),
    /"models\/m" is both a file and a folder/,
  ],
  ["a link", () => archive(good, { type: "2" }), /not a plain file/],
  ["an odd time", () => archive(good, { created_at: 1e300 }), /the backup is damaged/],
  ["an odd version", () => archive(good, { lectern: "\u001b]0;x\u0007" }), /the backup is damaged/],
];

describe("a backup is refused in one line, and nothing is left, with", () => {
  for (const [name, make, reason] of HOSTILE) {
    test(name, async () => {
      using dir = tempDir();
      const { status, out, err } = await restore(dir, make());
      expect(err).toMatch(/^lectern: [^\n\p{Cc}]+ cannot be restored: [^\n\p{Cc}]+ Nothing was changed\.\n$/u);
      expect([status, out, err]).toEqual([1, "", expect.stringMatching(reason)]);
      expect(readdirSync(dir.path)).toEqual(["hostile.tar"]);
    });
  }

  test("a manifest of 6 GiB, at once", async () => {
    using dir = tempDir();
    const file = dir.join("large.tar");
    writeFileSync(file, archive(new Map(), { manifestBytes: 6 * 2 ** 30 }).subarray(0, 512));
    truncateSync(file, 512 + 6 * 2 ** 30);
    const { status, err } = await runLectern(["restore", file, "--check"]);
    expect([status, err]).toEqual([1, expect.stringContaining("its list of contents is too large")]);
  });
});

test("a database that was altered in place is not opened", async () => {
  using dir = tempDir();
  await using server = await startServer({ dataDir: dir.join("data") });
  await server.stop();
  {
    using db = new Database(dir.join("data/meta.sqlite"));
    db.run("CREATE TRIGGER t1 AFTER INSERT ON api_key BEGIN DELETE FROM tenant; END");
  }
  const { status, err } = await runLectern(["serve", "--port", "0", "--data", dir.join("data")]);
  expect([status, err]).toEqual([
    1,
    expect.stringMatching(/^lectern: the database .* \(the trigger "t1" is not Lectern's\)/),
  ]);
});

describe("remote models of a backup", () => {
  const VARIABLES = ["AWS_SECRET_ACCESS_KEY", "DATABASE_URL", "LECTERN_OPENAI_API_KEY", "HOUSE_KEY"];
  const env = {
    ...Object.fromEntries(VARIABLES.map((name) => [name, `secret of ${name}`])),
    LECTERN_MODEL_KEY_VARIABLES: "HOUSE_KEY",
  };

  test("send nothing until an operator has looked at each, and then no variable that is not listed", async () => {
    using dir = tempDir();
    const sent: (string | null)[] = [];
    using stranger = Bun.serve({
      port: 0,
      async fetch(request) {
        sent.push(request.headers.get("authorization"));
        const { input } = (await request.json()) as { input: string[] };
        const data = input.map((_, index) => ({ object: "embedding", index, embedding: [1, index, 0, 1] }));
        return Response.json({ data, usage: { prompt_tokens: 1 } });
      },
    });
    const address = `http://127.0.0.1:${stranger.port}/v1`;
    const toml = VARIABLES.map(
      (name) =>
        `[[models]]\nid = "m-${name}"\ndialect = "openai-compatible"\naddress = "${address}"\napi_key_env = "${name}"\n`,
    ).join("");
    const restored = await restore(dir, archive(new Map([...good, ["models.toml", text(toml)]])));
    expect(restored.status).toBe(0);
    for (const name of VARIABLES)
      expect(restored.err).toContain(
        `The remote model m-${name} is inactive: it calls "${address}" (openai-compatible) with the key in the variable ${name}. Let it be used with: lectern models verify m-${name}\n`,
      );

    const dataDir = dir.join("data");
    await using server = await startServer({ dataDir, env, args: ["--allow-private-addresses"] });
    const models = (...words: string[]) => runLectern(["models", ...words, "--data", dataDir]);
    const listed = await models("list");
    expect(listed.err).toContain('m-HOUSE_KEY cannot be used: inactive, for it came with a backup: it calls "http');
    const asked = { model: "m-HOUSE_KEY", input: "x" };
    expect(await refusal(server, "POST", "/v1/embeddings", asked)).toMatchObject({
      status: 503,
      code: "embedding_model_unavailable",
      message: expect.stringContaining('"lectern models verify m-HOUSE_KEY"'),
    });
    // Checking all that there is is no consent to any.
    expect((await models("verify")).status).toBe(1);
    expect(sent).toEqual([]);

    const aws = await models("verify", "m-AWS_SECRET_ACCESS_KEY");
    expect(aws).toMatchObject({ status: 1, err: expect.stringContaining(`is active now: it calls "${address}"`) });
    expect(aws.out).toContain('set model-key-variables = ["AWS_SECRET_ACCESS_KEY"]');
    expect(sent).toEqual([]);

    expect((await models("verify", "m-HOUSE_KEY")).out).toBe("m-HOUSE_KEY: ok, 4 dimensions\n");
    expect(new Set(sent)).toEqual(new Set(["Bearer secret of HOUSE_KEY"]));
    expect(await json(server, "POST", "/v1/embeddings", asked)).toMatchObject({ object: "list" });
    expect((await models("list")).err).toContain("m-DATABASE_URL cannot be used: inactive");
  }, 120_000);

  test("are let in before a server needs one of them", async () => {
    using dir = tempDir();
    using house = Bun.serve({
      port: 0,
      fetch: () => Response.json({ data: [{ object: "embedding", index: 0, embedding: [1, 0] }] }),
    });
    const toml = `[[models]]\nid = "house"\ndialect = "openai-compatible"\naddress = "http://127.0.0.1:${house.port}/v1"\ndimensions = 2\n`;
    await restore(dir, archive(new Map([...good, ["models.toml", text(toml)]])));
    const settings = { LECTERN_DEFAULT_MODEL: "house", LECTERN_ALLOW_PRIVATE_ADDRESSES: "1" };
    const data = ["--data", dir.join("data")];
    const start = await runLectern(["serve", "--port", "0", ...data], { env: settings });
    expect([start.status, start.err]).toEqual([1, expect.stringContaining("lectern models verify house")]);
    expect((await runLectern(["models", "verify", "house", ...data], { env: settings })).out).toContain("house: ok");
  }, 60_000);
});

test("keys of a backup are valid again, as restore says, unless new ones are asked for", async () => {
  using dir = tempDir();
  const again = await restore(dir, archive(good));
  expect(again).toMatchObject({ status: 0, out: "", err: expect.stringContaining("are valid again; --new-keys") });
  const status = async (url: string, key: string) =>
    (await fetch(`${url}/v1/models`, { headers: { authorization: `Bearer ${key}` } })).status;
  {
    await using server = await startServer({ dataDir: dir.join("data") });
    expect([await status(server.url, revoked), await status(server.url, TEST_KEY)]).toEqual([200, 200]);
  }
  using other = tempDir();
  const fresh = await restore(other, archive(good), "--new-keys");
  expect([fresh.status, fresh.err]).toEqual([0, expect.stringContaining("No key of the backup is valid")]);
  expect(readdirSync(other.join("data")).filter((name) => name.startsWith("meta"))).toEqual(["meta.sqlite"]);
  const key = fresh.out.trim();
  await using server = await startServer({ dataDir: other.join("data") });
  expect([
    await status(server.url, revoked),
    await status(server.url, TEST_KEY),
    await status(server.url, key),
  ]).toEqual([401, 401, 200]);
  const stores = await fetch(`${server.url}/v1/vector_stores`, { headers: { authorization: `Bearer ${key}` } });
  expect(await stores.json()).toMatchObject({ data: [{ id: storeId }] });
}, 60_000);

describe("a data directory", () => {
  test("that others may write to becomes this user's alone; links under the names it writes are not followed", async () => {
    using dir = tempDir();
    const data = dir.join("data");
    mkdirSync(data);
    chmodSync(data, 0o777);
    await using server = await startServer({ dataDir: data });
    expect(statSync(data).mode & 0o777).toBe(0o700);
    await server.stop();
    symlinkSync(dir.join("trap"), join(data, "cli.json.tmp"));
    await using second = await startServer({ dataDir: data });
    expect([existsSync(dir.join("trap")), statSync(join(data, "cli.json")).mode & 0o777]).toEqual([false, 0o600]);
    await second.stop();
    writeFileSync(dir.join("precious"), "precious");
    Bun.spawnSync(["rm", join(data, "lock")]);
    symlinkSync(dir.join("precious"), join(data, "lock"));
    const refused = await runLectern(["serve", "--port", "0", "--data", data]);
    expect([refused.status, refused.err]).toEqual([
      1,
      expect.stringContaining("lock is not the file that Lectern makes"),
    ]);
    expect(readFileSync(dir.join("precious"), "utf8")).toBe("precious");
  }, 60_000);

  const isRoot = process.getuid?.() === 0;
  test.skipIf(lacks("root, to make files of another user", isRoot))(
    "of another user, or with another user's file, is refused with the way out",
    async () => {
      using dir = tempDir();
      const data = dir.join("data");
      mkdirSync(data);
      writeFileSync(join(data, "models.toml"), "");
      const start = () => runLectern(["serve", "--port", "0", "--data", data]);
      Bun.spawnSync(["chown", "65534", join(data, "models.toml")]);
      expect(await start()).toMatchObject({
        status: 1,
        err: expect.stringContaining("models.toml belongs to another user"),
      });
      Bun.spawnSync(["chown", "-R", "65534", data]);
      expect(await start()).toMatchObject({ status: 1, err: expect.stringContaining("run Lectern as that user") });
      expect(readdirSync(data)).toEqual(["models.toml"]);
    },
  );

  test("that a stranger may have made is not believed by verbs", async () => {
    using dir = tempDir();
    const asked: string[] = [];
    using stranger = Bun.serve({
      port: 0,
      fetch: (request) => {
        asked.push(request.url);
        return Response.json({ object: "list", data: [], has_more: false });
      },
    });
    const data = dir.join("lectern-data");
    mkdirSync(data);
    const file = join(data, "cli.json");
    writeFileSync(file, JSON.stringify({ url: stranger.url.href.slice(0, -1), key: "x", pid: process.pid }));
    writeFileSync(dir.join("private.txt"), "Private words.");
    for (const [path, mode] of [
      [file, 0o666],
      [data, 0o777],
    ] as const) {
      chmodSync(path, mode);
      const { status, err } = await runLectern(["ingest", "private.txt", "--store", "s"], { cwd: dir.path });
      expect([status, err]).toEqual([
        1,
        expect.stringMatching(/cli\.json is not believed: other users may write to .*--url/),
      ]);
      chmodSync(path, mode & 0o700);
    }
    expect(asked).toEqual([]);
  });
});

test("a key comes from a file, for the server and for the verbs, and is refused beside another", async () => {
  using dir = tempDir();
  const key = "sk-test-of-a-key-in-a-file-0123456789";
  writeFileSync(dir.join("key"), `${key}\n`, { mode: 0o644 });
  const env = { LECTERN_API_KEY: "" };
  await using server = await startServer({ dataDir: dir.join("data"), args: ["--api-key-file", dir.join("key")], env });
  expect(server.log()).toContain("Other users may read the key in");
  expect(server.log()).not.toContain(key);
  const list = (...more: string[]) => runLectern(["tenants", "list", "--url", server.url, ...more]);
  expect(await list("--key-file", dir.join("key"))).toMatchObject({ status: 0 });
  expect(await list("--key-file", dir.join("key"), "--key", "x")).toMatchObject({
    status: 2,
    err: expect.stringContaining("--key and --key-file are both given"),
  });
  expect(await list("--key-file", dir.path)).toMatchObject({
    status: 1,
    err: expect.stringContaining("is not a file"),
  });
  const both = await runLectern([
    "serve",
    "--api-key",
    "x",
    "--api-key-file",
    dir.join("key"),
    "--data",
    dir.join("d"),
  ]);
  expect(both.err).toBe("lectern: api-key and api-key-file are both set: keep one of them.\n");
});

test("a backup is never written through a link", async () => {
  using dir = tempDir();
  await using server = await startServer({ dataDir: dir.join("data") });
  writeFileSync(dir.join("precious"), "precious");
  symlinkSync(dir.join("precious"), dir.join("b.tar.partial"));
  const taken = await runLectern(["backup", dir.join("b.tar"), "--data", dirname(dir.join("data/x"))]);
  expect(taken).toMatchObject({ status: 0 });
  expect([readFileSync(dir.join("precious"), "utf8"), statSync(dir.join("b.tar")).mode & 0o777]).toEqual([
    "precious",
    0o600,
  ]);
  expect(server.pid).toBeGreaterThan(0);
});

test("a model folder with a link that leads out of it is named, not copied and not loaded", async () => {
  using dir = tempDir();
  await using server = await startServer({ dataDir: dir.join("data") });
  const folder = dir.join("pretty");
  mkdirSync(folder);
  writeFileSync(join(folder, "config.json"), "{}");
  writeFileSync(dir.join("id_rsa"), "secret", { mode: 0o600 });
  symlinkSync(dir.join("id_rsa"), join(folder, "model.onnx_data"));
  const models = (...words: string[]) => runLectern(["models", ...words, "--data", server.dataDir]);
  const says = expect.stringContaining("the link model.onnx_data leads out of the folder, to");
  expect(await models("add", folder)).toMatchObject({ status: 1, err: says });
  expect(existsSync(join(server.dataDir, "models/pretty"))).toBe(false);
  mkdirSync(join(server.dataDir, "models"), { recursive: true });
  Bun.spawnSync(["cp", "-r", folder, join(server.dataDir, "models/pretty")]);
  expect((await models("list")).err).toMatch(/pretty cannot be used: .*leads out of the folder/);
});
