import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import { expect, test } from "bun:test";
import { tempDir, type TempDir } from "../../test/helpers/temp-dir.ts";
import { openSqlite } from "../storage/sqlite.ts";
import { createStorage } from "../storage/storage.ts";
import { readTar } from "../platform/tar.ts";
import { lectern } from "./testing/command.ts";

async function made(dir: TempDir): Promise<string> {
  const data = dir.join("data");
  mkdirSync(data, { mode: 0o700 });
  const db = openSqlite(`${data}/meta.sqlite`, { flush: false });
  await createStorage(db).tenants.insert({ id: "ten_a", name: "wombat", createdAt: 1 });
  await db.close();
  return data;
}

/** Files of the archive, as text. */
async function partsOf(file: string): Promise<Record<string, string>> {
  const parts: Record<string, string> = {};
  const bytes = gunzipSync(await Bun.file(file).bytes());
  async function* stream() {
    yield bytes;
  }
  for await (const { name, content } of readTar(stream())) {
    const pieces = await Array.fromAsync(content);
    parts[name.replace("lectern-support/", "")] = Buffer.concat(pieces).toString("utf8");
  }
  return parts;
}

test("what will be in it is shown, and nothing is written before somebody says yes", async () => {
  using dir = tempDir();
  const data = await made(dir);
  const file = dir.join("help.tar.gz");
  const asked = await lectern(["support", file, "--data", data], { ask: () => Promise.resolve("n") });
  expect([asked.status, existsSync(file)]).toEqual([1, false]);
  expect(asked.err).toContain("counts.json");
  const nobody = await lectern(["support", file, "--data", data]);
  expect([nobody.status, existsSync(file)]).toEqual([2, false]);
  const yes = await lectern(["support", file, "--data", data], { ask: () => Promise.resolve("y") });
  expect([yes.status, existsSync(file)]).toEqual([0, true]);
});

test("counts, settings by kind, checks and a log from standard input are in it; names are not", async () => {
  using dir = tempDir();
  const data = await made(dir);
  const file = dir.join("help.tar.gz");
  const line = JSON.stringify({ level: "info", message: `opened ${data}`, ms: 3 });
  const { status } = await lectern(["support", file, "--data", data, "--log", "-", "--yes"], {
    env: { LECTERN_API_KEY: "sk-lec-secret-key-1234", LECTERN_PORT: "9", LECTERN_PUBLIC_URL: "https://wombat.example" },
    input: async function* () {
      yield new TextEncoder().encode(`${line}\n`);
    },
  });
  expect(status).toBe(0);
  const parts = await partsOf(file);
  expect(Object.keys(parts)).toEqual(["versions.json", "doctor.json", "settings.json", "counts.json", "log.jsonl"]);
  expect(JSON.parse(parts["counts.json"] ?? "")).toMatchObject({ rows: { tenant: 1, file: 0 } });
  expect(JSON.parse(parts["settings.json"] ?? "")).toMatchObject({
    port: 9,
    "api-key": "(set)",
    "public-url": "(set)",
  });
  expect(JSON.parse(parts["log.jsonl"] ?? "")).toEqual({
    level: "info",
    message: expect.stringMatching(/^opened <data \w{8}>$/),
    ms: 3,
  });
  const all = Object.values(parts).join("\n");
  for (const secret of ["wombat", "sk-lec-secret", data])
    expect([secret, all.includes(secret)]).toEqual([secret, false]);
});

test("of a directory that is no database of Lectern, or is not there, it says so", async () => {
  using dir = tempDir();
  const counts = async (data: string, name: string) => {
    await lectern(["support", dir.join(name), "--data", data, "--yes"]);
    return (await partsOf(dir.join(name)))["counts.json"];
  };
  expect(await counts(dir.join("none"), "a.tar.gz")).toContain('"none"');
  mkdirSync(dir.join("odd"), { mode: 0o700 });
  writeFileSync(dir.join("odd/meta.sqlite"), "no database, and longer than a header of sixteen bytes");
  expect(await counts(dir.join("odd"), "b.tar.gz")).toContain("not a database");
});
