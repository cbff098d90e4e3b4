import { existsSync, readFileSync } from "node:fs";
import { createServer } from "node:net";
import { expect, setDefaultTimeout, test } from "bun:test";
import { tempDir } from "../../test/helpers/temp-dir.ts";
import { lectern } from "./testing/command.ts";
import type { Terminal } from "./terminal.ts";

// The whole server starts, with its workers.
setDefaultTimeout(60_000);

/** Runs `serve` until `whenReady` has ended. */
async function serveUntil(argv: string[], whenReady: (url: string) => Promise<void>, terminal: Partial<Terminal> = {}) {
  const stop = new AbortController();
  const ready = Promise.withResolvers<string>();
  let out = "";
  const write = (text: string) => {
    out += text;
    const url = /listening on (\S+)/.exec(out)?.[1];
    if (url !== undefined) ready.resolve(url);
  };
  const ended = lectern(["serve", "--port", "0", ...argv], { signal: stop.signal, out: write, ...terminal });
  const url = await Promise.race([ready.promise, ended.then((said) => Promise.reject(new Error(said.err)))]);
  try {
    await whenReady(url);
  } finally {
    stop.abort();
  }
  return { ...(await ended), out };
}

test("it says where it listens and shows the first key once, lets verbs of this machine in, and ends with 0", async () => {
  using dir = tempDir();
  const data = dir.join("data");
  const listed: unknown[] = [];
  const first = await serveUntil(["--data", data, "--log-level", "error"], async (url) => {
    expect((await fetch(`${url}/readyz`)).status).toBe(200);
    listed.push(await lectern(["search", "none", "x", "--data", data]));
  });
  expect(first.status).toBe(0);
  expect(first.out).toMatch(/^lectern \S+ listening on http:\/\/127\.0\.0\.1:\d+\n$/);
  expect(first.err).toMatch(/^API key \(shown this once, only its hash is kept\): sk-\S+\n$/);
  expect(listed).toEqual([{ status: 1, out: "", err: 'lectern: There is no store "none".\n' }]);
  expect(existsSync(`${data}/cli.json`)).toBe(false);
  const second = await serveUntil(["--data", data, "--log-level", "error"], async () => undefined);
  expect([second.status, second.err]).toEqual([0, ""]);
  const key = first.err.trimEnd().split(" ").at(-1) ?? "";
  expect(readFileSync(`${data}/meta.sqlite`).includes(key)).toBe(false);
});

test("on a terminal it says what a person needs next", async () => {
  using dir = tempDir();
  const argv = ["--data", dir.join("data"), "--log-level", "error", "--offline"];
  const { err } = await serveUntil(argv, async () => undefined, { errIsTerminal: true });
  for (const words of ["API for clients", "API explorer", dir.join("data"), "Offline: ", "Stop with Ctrl-C."])
    expect(err).toContain(words);
});

test("a port in use is named, and the first key is not used up", async () => {
  using dir = tempDir();
  const other = createServer().listen(0, "127.0.0.1");
  await new Promise((resolve) => other.once("listening", resolve));
  const { port } = other.address() as { port: number };
  const { status, err } = await lectern(["serve", "--port", String(port), "--data", dir.join("data")]);
  await new Promise((resolve) => other.close(resolve));
  expect(status).toBe(1);
  expect(err).toContain(`the address 127.0.0.1:${port} is in use; choose another with --port`);
  expect(err).not.toContain("API key");
});

test("a verb without a server runs one of its own for as long as it works", async () => {
  using dir = tempDir();
  const data = dir.join("data");
  const made = await lectern(["ingest", "-", "--name", "a.md", "--store", "sea", "--data", data], {
    input: async function* () {
      yield new TextEncoder().encode("Tides rise twice a day.");
    },
  });
  expect(made).toMatchObject({ status: 0, out: expect.stringContaining("1 indexed") });
  expect(existsSync(`${data}/cli.json`)).toBe(false);
  const found = await lectern(["search", "sea", "tides", "--data", data]);
  expect(found).toMatchObject({ status: 0, out: expect.stringContaining("1. a.md, line 1") });
});

test.each([
  ["--port", "70000"],
  ["--nonsense", "1"],
  ["--embed-workers", "many"],
])("serve %s %s is refused in one line that names it", async (flag, value) => {
  const { status, err } = await lectern(["serve", flag, value]);
  expect(status).toBe(2);
  expect(err).toStartWith("lectern: ");
  expect(err).toContain(flag.slice(2));
});
