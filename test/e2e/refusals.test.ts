/** What an operator gets wrong is answered with one line that says what to do, and status 1. */
import { describe, expect, test } from "bun:test";
import { Database } from "bun:sqlite";
import { chmodSync, chownSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { lacks } from "../helpers/lacks.ts";
import { place, run, serve } from "./binary.ts";

const NOBODY = 65534;
const isRoot = process.getuid?.() === 0;
const canUnshare = isRoot && Bun.spawnSync(["unshare", "-m", "true"]).exitCode === 0;

/** One line on stderr for people: no stack, no JSON. */
function expectRefusal(result: { out: string; err: string; code: number }, says: RegExp): void {
  expect(result.err).toMatch(/^lectern: [^\n]+\n$/);
  expect(result.err).toMatch(says);
  expect(result.out).toBe("");
  expect(result.code).toBe(1);
}

test("a second process on the same data directory is told so, and the first one goes on", async () => {
  using where = place();
  await using server = await serve(where);
  const second = await run(where, ["serve", "--port", "0", "--data", where.data]);
  expectRefusal(second, /data/);
  expect(second.err).toContain(where.data);
  expect((await fetch(`${server.url}/readyz`)).status).toBe(200);
});

test("a data directory is free again after its holder was killed", async () => {
  using where = place();
  const first = await serve(where);
  process.kill(first.pid, "SIGKILL");
  await using second = await serve(where);
  expect(second.pid).not.toBe(first.pid);
});

test("a port in use is named", async () => {
  using where = place();
  using taken = Bun.serve({ port: 0, hostname: "127.0.0.1", fetch: () => new Response("taken") });
  const result = await run(where, ["serve", "--port", String(taken.port), "--data", where.data]);
  expectRefusal(result, new RegExp(`\\b${taken.port}\\b.*in use|in use.*\\b${taken.port}\\b`, "i"));
});

test("a first start that fails has not used up the first key", async () => {
  using where = place();
  const env = { LECTERN_API_KEY: undefined };
  using taken = Bun.serve({ port: 0, hostname: "127.0.0.1", fetch: () => new Response("taken") });
  await run(where, ["serve", "--port", String(taken.port), "--data", where.data], { env });
  const server = await serve(where, { env });
  await server.stop();
  expect(server.err()).toContain("sk-");
});

test("what the disk refuses while the server starts is named", async () => {
  // Nothing can be renamed to the one, and the other is no folder.
  for (const lay of [
    (data: string) => mkdirSync(join(data, "cli.json", "full"), { recursive: true }),
    (data: string) => {
      mkdirSync(data, { recursive: true });
      writeFileSync(join(data, "blobs"), "");
    },
  ]) {
    using where = place();
    lay(where.data);
    const env = { LECTERN_API_KEY: "sk-of-the-first-start-0123456789" };
    expectRefusal(
      await run(where, ["serve", "--port", "0", "--data", where.data], { env }),
      /cannot start: E[A-Z]+: .*'/,
    );
  }
});

test("a host that is not this machine's is named", async () => {
  using where = place();
  expectRefusal(
    await run(where, ["serve", "--host", "192.0.2.1", "--port", "0", "--data", where.data]),
    /192\.0\.2\.1/,
  );
});

describe("a data directory that cannot be used is named with the reason", () => {
  test("a file stands where it should be", async () => {
    using where = place();
    writeFileSync(where.data, "I am a file");
    const result = await run(where, ["serve", "--port", "0", "--data", where.data]);
    expectRefusal(result, /data/);
    expect(result.err).toContain(where.data);
  });

  test("it lies below something that is not a directory", async () => {
    using where = place();
    const data = join(where.cwd, "lectern", "data");
    const result = await run(where, ["serve", "--port", "0", "--data", data]);
    expectRefusal(result, /data/);
    expect(result.err).toContain(data);
  });

  test("the file system takes no writes", async () => {
    using where = place();
    const result = await run(where, ["serve", "--port", "0", "--data", "/proc/lectern-data"]);
    expectRefusal(result, /\/proc\/lectern-data/);
  });

  test.skipIf(lacks("setpriv as root", isRoot))("it belongs to somebody else", async () => {
    using where = place();
    mkdirSync(where.data, { mode: 0o755 });
    for (const path of [dirname(where.cwd), where.cwd, join(where.cwd, "lectern")]) chmodSync(path, 0o755);
    const before = ["setpriv", `--reuid=${NOBODY}`, `--regid=${NOBODY}`, "--clear-groups"];
    const result = await run(where, ["serve", "--port", "0", "--data", where.data], { before });
    expectRefusal(result, /belongs to user 0, not to the user of this process/);
    expect(result.err).toContain(where.data);
  });

  test.skipIf(lacks("setpriv as root", isRoot))("its database belongs to somebody else", async () => {
    using where = place();
    await (await serve(where)).stop();
    chownSync(where.data, NOBODY, NOBODY);
    for (const path of [dirname(where.cwd), where.cwd, join(where.cwd, "lectern")]) chmodSync(path, 0o755);
    const before = ["setpriv", `--reuid=${NOBODY}`, `--regid=${NOBODY}`, "--clear-groups"];
    const result = await run(where, ["serve", "--port", "0", "--data", where.data], { before });
    expectRefusal(result, /not writable|permission|cannot|readonly|read-only/i);
  });
});

describe.skipIf(lacks("unshare as root", canUnshare))("a data directory on a file system that", () => {
  test.each([
    ["is too small for the native code", "size=8m", /no space|ENOSPC/i],
    ["executes nothing", "noexec", /noexec/],
    ["takes no writes", "ro", /cannot be written|read-only|EROFS/i],
  ])("%s", async (_what, option, says) => {
    using where = place();
    mkdirSync(where.data);
    const script = `mount -t tmpfs -o ${option} none "${where.data}" && exec "$@"`;
    const before = ["unshare", "-m", "sh", "-c", script, "sh"];
    expectRefusal(await run(where, ["serve", "--port", "0", "--data", where.data], { before }), says);
  });
});

test("a data directory of a newer version is left as it is", async () => {
  using where = place();
  await (await serve(where)).stop();
  const database = join(where.data, readdirSync(where.data).find((name) => name.endsWith(".sqlite")) ?? "");
  using db = new Database(database);
  db.run("UPDATE schema_version SET version = 900, min_safe_version = 900");
  db.run("PRAGMA wal_checkpoint(TRUNCATE)");
  const bytes = await Bun.file(database).bytes();
  expectRefusal(await run(where, ["serve", "--port", "0", "--data", where.data]), /newer/i);
  expect(Buffer.compare(await Bun.file(database).bytes(), bytes)).toBe(0);
});

test("a reader that goes away early is no failure", async () => {
  using where = place();
  const child = Bun.spawn(["sh", "-c", `"$0" help serve | head -1; exit 0`, join(where.cwd, "lectern")], {
    stdout: "pipe",
    stderr: "pipe",
  });
  const [err, code] = await Promise.all([child.stderr.text(), child.exited]);
  expect([code, err]).toEqual([0, ""]);
});
