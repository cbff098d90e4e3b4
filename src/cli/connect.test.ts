import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { expect, test } from "bun:test";
import { tempDir } from "../../test/helpers/temp-dir.ts";
import type { TempDir } from "../../test/helpers/temp-dir.ts";
import { KEYS, storeApp } from "../app/testing/store-app.ts";
import { lectern, serveApp } from "./testing/command.ts";

/** What a server leaves for verbs of its own user. */
function leaveCliFile(dir: TempDir, content: object | string, mode = 0o600): string {
  mkdirSync(dir.join("data"), { mode: 0o700 });
  const path = dir.join("data", "cli.json");
  writeFileSync(path, typeof content === "string" ? content : JSON.stringify(content));
  chmodSync(path, mode);
  return dir.join("data");
}

function keyFile(dir: TempDir, key: string): string {
  writeFileSync(dir.join("key"), `${key}\n`, { mode: 0o600 });
  return dir.join("key");
}

test("a verb finds the server that runs on the data directory, and its key, in what it left there", async () => {
  using dir = tempDir();
  await using f = await storeApp();
  await using server = serveApp(f);
  const data = leaveCliFile(dir, { url: server.url, key: KEYS.admin, pid: process.pid });
  expect(await lectern(["tenants", "list", "--json", "--data", data])).toMatchObject({ status: 0 });
  expect(await lectern(["tenants", "list", "--json"], { env: { LECTERN_DATA: data } })).toMatchObject({ status: 0 });
  // A key that is named wins over the one that lies there.
  const { status, err } = await lectern(["tenants", "list", "--data", data, "--key", "sk-wrong"]);
  expect([status, err]).toEqual([1, expect.stringContaining("API key")]);
});

test("what others could have written is not believed, and nothing is sent", async () => {
  using dir = tempDir();
  let asked = 0;
  await using server = Bun.serve({ port: 0, hostname: "127.0.0.1", fetch: () => Response.json({ n: ++asked }) });
  const data = leaveCliFile(dir, { url: server.url.origin, key: "k", pid: process.pid }, 0o622);
  const { status, err } = await lectern(["search", "s", "q", "--data", data]);
  expect([status, asked]).toEqual([1, 0]);
  expect(err).toContain("cli.json is not believed");
  expect(err).toContain("--url and --key-file");
});

test("without a server and without a data directory a verb that makes none says how to get one", async () => {
  using dir = tempDir();
  const { status, err } = await lectern(["search", "s", "q", "--data", dir.join("none")]);
  expect(status).toBe(1);
  expect(err).toContain(`${dir.join("none")} does not exist. Start one with "lectern serve"`);
});

test("the key of a named server comes from a flag, a file, or a variable", async () => {
  using dir = tempDir();
  await using f = await storeApp();
  const server = serveApp(f);
  await using _ = server;
  const path = keyFile(dir, KEYS.read);
  const ask = (flags: string[], env: Record<string, string> = {}) =>
    lectern(["search", "none", "q", "--url", server.url, ...flags], { env });
  const found = { status: 1, err: 'lectern: There is no store "none".\n' };
  expect(await ask(["--key", KEYS.read])).toMatchObject(found);
  expect(await ask(["--key-file", path])).toMatchObject(found);
  expect(await ask([], { LECTERN_API_KEY: KEYS.read })).toMatchObject(found);
  expect(await ask([], { LECTERN_API_KEY_FILE: path })).toMatchObject(found);
  expect(await ask(["--key", KEYS.read], { LECTERN_API_KEY: "sk-wrong" })).toMatchObject(found);
});

test.each<[status: number, flags: string[], env: Record<string, string>, sentence: string]>([
  [2, ["--url", "here"], {}, '"here" is not an address'],
  [2, ["--url", "file:///etc/passwd"], {}, "is not an address"],
  [2, ["--url", "http://127.0.0.1:1"], {}, "A key is needed for that server"],
  [2, ["--url", "http://127.0.0.1:1", "--key", "a", "--key-file", "b"], {}, "--key and --key-file are both given"],
  [
    1,
    ["--url", "http://127.0.0.1:1", "--key-file", "/nowhere/key"],
    {},
    "The file /nowhere/key, which is to hold the key",
  ],
  [2, [], { LECTERN_URL: "http://127.0.0.1:1", LECTERN_API_KEY: "a", LECTERN_API_KEY_FILE: "b" }, "are both set"],
  [1, ["--url", "http://127.0.0.1:1", "--key", "k"], {}, "cannot be reached; is the server running?"],
])("with status %d %j with %j is refused", async (expected, flags, env, sentence) => {
  const { status, err } = await lectern(["search", "s", "q", ...flags], { env });
  expect(status).toBe(expected);
  expect(err).toContain(sentence);
});
