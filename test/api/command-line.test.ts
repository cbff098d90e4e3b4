/** The command line as it is documented: start and stop, refusals to start, and the verbs. */
import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "bun:test";
import { LECTERN, plainEnv, runLectern, startServer, TEST_KEY } from "../helpers/server.ts";
import { tempDir } from "../helpers/temp-dir.ts";
import { waitFor } from "../helpers/wait.ts";

describe("serve", () => {
  test("without a key one is made, printed once, and works; only its hash is kept", async () => {
    using dir = tempDir();
    const dataDir = dir.join("data");
    await using first = await startServer({ dataDir, env: { LECTERN_API_KEY: "" } });
    const log = await waitFor("the key is printed", () => /API key \(.*\): (\S+)/.exec(first.log()) ?? undefined);
    const key = log[1] ?? "";
    expect(key.length).toBeGreaterThanOrEqual(24);
    expect((await fetch(`${first.url}/v1/models`, { headers: { authorization: `Bearer ${key}` } })).status).toBe(200);
    expect(await first.stop()).toBe(0);

    await using second = await startServer({ dataDir, env: { LECTERN_API_KEY: "" } });
    expect((await fetch(`${second.url}/v1/models`, { headers: { authorization: `Bearer ${key}` } })).status).toBe(200);
    expect(second.log()).not.toContain(key);
    await second.stop();
    for (const file of ["meta.sqlite", "meta.sqlite-wal"].map((name) => join(dataDir, name)).filter(existsSync)) {
      expect(readFileSync(file).includes(key)).toBe(false);
    }
  });

  test("SIGTERM answers what is in flight and exits 0; everything is there again after it", async () => {
    using dir = tempDir();
    const dataDir = dir.join("data");
    await using server = await startServer({ dataDir });
    const store = await server.client.vectorStores.create({ name: "kept" });
    const stopped = server.stop();
    expect(await stopped).toBe(0);
    expect(existsSync(join(dataDir, "cli.json"))).toBe(false);
    await using again = await startServer({ dataDir });
    expect((await again.client.vectorStores.retrieve(store.id)).name).toBe("kept");
  });

  test("an idle connection of a client does not hold the stop up", async () => {
    await using server = await startServer({ args: ["--grace", "60"] });
    await fetch(`${server.url}/healthz`).then((response) => response.text());
    const started = performance.now();
    expect(await server.stop()).toBe(0);
    // Far from the grace, however busy the machine is.
    expect(performance.now() - started).toBeLessThan(30_000);
  });

  test.each([
    [["--prot", "1"], {}, "--prot is not an option; did you mean --port?"],
    [["--port", "http"], {}, '--port must be a whole number from 0 to 65535, not "http".'],
    [[], { LECTERN_PRT: "1" }, "Environment variable LECTERN_PRT is not an option; did you mean LECTERN_PORT?"],
    [["--config", "/no/such.toml"], {}, "Configuration file /no/such.toml cannot be used"],
  ])("serve %j with %j is refused in one line", async (args, env, message) => {
    const refused = await runLectern(["serve", ...args], { env });
    expect(refused).toMatchObject({ status: 2, out: "" });
    expect(refused.err.trim().split("\n")).toHaveLength(1);
    expect(refused.err).toContain(message);
  });

  test("a second server on the same data directory is told which process holds it, and since when", async () => {
    await using first = await startServer();
    const second = await runLectern(["serve", "--port", "0", "--data", first.dataDir]);
    expect(second).toMatchObject({ status: 1, out: "" });
    expect(second.err).toMatch(
      new RegExp(
        `another Lectern \\(process ${first.pid}, lectern serve, since 20\\d\\d-[0-9T:-]+Z\\) is using the data directory`,
      ),
    );
  });

  test("a reader that goes away does not take the server with it", async () => {
    using dir = tempDir();
    const command = [...LECTERN, "serve", "--port", "0", "--data", dir.join("data")]
      .map((word) => `'${word}'`)
      .join(" ");
    // head ends after the ready line, which closes the pipe that the server writes to.
    const shell = Bun.spawn({
      cmd: ["sh", "-c", `${command} 2>&1 >/dev/null | head -n 1 >/dev/null & sleep 0; wait`],
      env: plainEnv({ LECTERN_API_KEY: TEST_KEY, LECTERN_LOG_LEVEL: "debug" }),
      stdout: "ignore",
      stderr: "ignore",
      detached: true,
    });
    const file = await waitFor("cli.json is written", () => {
      try {
        return JSON.parse(readFileSync(dir.join("data/cli.json"), "utf8")) as { url: string; pid: number };
      } catch {
        return undefined;
      }
    });
    for (let i = 0; i < 20; i++) expect((await fetch(`${file.url}/healthz`)).status).toBe(200);
    process.kill(file.pid, "SIGTERM");
    await shell.exited;
  });
});

describe("ingest and search", () => {
  function library() {
    const dir = tempDir();
    mkdirSync(dir.join("docs/sub"), { recursive: true });
    writeFileSync(
      dir.join("docs/refunds.md"),
      "# Refunds\n\nRefunds are paid within thirty days of the return of the goods.\n",
    );
    writeFileSync(dir.join("docs/sub/tides.txt"), "Tides follow the moon. At new moon the range is largest.\n");
    writeFileSync(dir.join("docs/picture.png"), "not really");
    return dir;
  }

  test("a folder goes in, is found, is skipped the second time, and only what changed goes in again", async () => {
    using dir = library();
    await using server = await startServer({ dataDir: dir.join("lectern-data") });
    const run = (...args: string[]) => runLectern(args, { cwd: dir.path });

    const first = await run(
      "ingest",
      "docs",
      "--store",
      "handbook",
      "--attributes",
      "year=2024",
      "--attributes",
      "draft=false",
    );
    expect([first.status, first.out]).toEqual([0, expect.stringContaining("2 indexed, 0 unchanged, 0 failed")]);
    expect(first.err).toContain("indexed docs/sub/tides.txt");
    expect(first.err).toContain("left out: 1 no text by their name");

    const found = await run("search", "handbook", "when are refunds paid");
    expect(found.status).toBe(0);
    expect(found.out).toStartWith("1. docs/refunds.md, lines 1-3  score ");
    expect(found.out).toContain("Refunds are paid within thirty days");
    expect(found.out).not.toContain("\x1b");

    const second = await run("ingest", "docs", "--store", "handbook");
    expect(second.out).toContain("0 indexed, 2 unchanged, 0 failed");

    writeFileSync(dir.join("docs/refunds.md"), "# Refunds\n\nRefunds are paid within ten days, says the new rule.\n");
    const third = await run("ingest", "docs", "--store", "handbook");
    expect(third.out).toContain("1 indexed, 1 unchanged, 0 failed");
    const json = await run("search", "handbook", "when are refunds paid", "--json", "--limit", "50");
    const hits = (
      JSON.parse(json.out) as { data: { content: { text: string }[]; attributes: Record<string, unknown> }[] }
    ).data;
    const texts = hits.map((hit) => hit.content[0]?.text ?? "").join("\n");
    expect(texts).toContain("ten days");
    expect(texts).not.toContain("thirty days");
    expect((await server.client.files.list()).data).toHaveLength(2);
  });

  test("filters, modes and limits are passed on; nothing found is said", async () => {
    using dir = library();
    await using server = await startServer({ dataDir: dir.join("lectern-data") });
    const run = (...args: string[]) =>
      runLectern(args, { cwd: "/", env: { LECTERN_URL: `${server.url}/v1`, LECTERN_API_KEY: server.key } });
    expect((await run("ingest", dir.join("docs/refunds.md"), "--store", "a", "--attributes", "year=2023")).status).toBe(
      0,
    );
    expect(
      (await run("ingest", dir.join("docs/sub/tides.txt"), "--store", "a", "--attributes", "year=2024")).status,
    ).toBe(0);
    expect((await run("search", "a", "moon", "--filter", "year=2024", "--mode", "keyword")).out).toContain("tides.txt");
    expect(
      (await run("search", "a", "moon", "--filter", '{"type":"lt","key":"year","value":2024}', "--limit", "1")).out,
    ).not.toContain("tides.txt");
    const none = await run("search", "a", "moon", "--filter", "year=1999");
    expect([none.status, none.out, none.err]).toEqual([0, "", "Nothing found.\n"]);
    expect(await run("search", "missing", "moon")).toMatchObject({
      status: 1,
      err: 'lectern: There is no store "missing".\n',
    });
  });

  test("a file that cannot be indexed is listed with its reason, and the exit status is 1", async () => {
    using dir = library();
    writeFileSync(dir.join("docs/broken.pdf"), "%PDF-1.7\nnothing");
    await using _server = await startServer({ dataDir: dir.join("lectern-data") });
    const result = await runLectern(["ingest", "docs", "--store", "handbook"], { cwd: dir.path });
    expect([result.status, result.out]).toEqual([1, expect.stringContaining("2 indexed, 0 unchanged, 1 failed")]);
    expect(result.err).toMatch(/1 failed:\n {2}docs\/broken\.pdf: .{10}/);
  });

  test("without a running server the verbs open the data directory themselves, and leave it closed", async () => {
    using dir = library();
    const run = (...args: string[]) => runLectern(args, { cwd: dir.path });
    const before = await run("search", "handbook", "refunds");
    expect(before).toMatchObject({ status: 1, out: "" });
    expect(before.err).toContain("No server is known: ./lectern-data does not exist.");
    expect(existsSync(dir.join("lectern-data"))).toBe(false);

    const ingested = await run("ingest", "docs", "--store", "handbook");
    expect([ingested.status, ingested.out]).toEqual([0, expect.stringContaining("2 indexed")]);
    expect(ingested.err).toMatch(/API key \(.*\): \S{24}/);
    expect(existsSync(dir.join("lectern-data/cli.json"))).toBe(false);
    expect((await run("search", "handbook", "moon and tides")).out).toContain("docs/sub/tides.txt");
    await using server = await startServer({ dataDir: dir.join("lectern-data") });
    expect(server.url).toStartWith("http://127.0.0.1:");
  });

  test("the file by which verbs find the server is its user's only, and can be refused", async () => {
    await using server = await startServer();
    expect(statSync(join(server.dataDir, "cli.json")).mode & 0o777).toBe(0o600);
    await using closed = await startServer({ args: ["--no-local-cli"] });
    expect(existsSync(join(closed.dataDir, "cli.json"))).toBe(false);
  });

  test.each([
    [2, ["ingest"], "Say what goes where"],
    [1, ["ingest", "/no/such/file", "--store", "a"], "/no/such/file does not exist"],
    [2, ["search", "a"], 'Say where and what: lectern search STORE "words".'],
    [2, ["search", "a", "b", "--limit", "51"], "--limit must be a whole number from 1 to 50"],
    [2, ["search", "a", "b", "--url", "ftp://x", "--key", "k"], "is not an address"],
    [1, ["search", "a", "b", "--url", "http://127.0.0.1:1", "--key", "k"], "http://127.0.0.1:1 cannot be reached"],
    [2, ["serch", "a", "b"], 'There is no verb "serch"; did you mean search?'],
    [2, ["search", "a", "b", "--jsn"], "--jsn is not an option here; did you mean --json?"],
  ])("with status %d and one line: %j", async (status, args, message) => {
    using dir = tempDir();
    const refused = await runLectern(args, { cwd: dir.path });
    expect(refused).toMatchObject({ status, out: "" });
    expect(refused.err.trim().split("\n")).toHaveLength(1);
    expect(refused.err).toContain(message);
  });
});

describe("help, version, doctor", () => {
  test("help lists the verbs, and every verb explains itself", async () => {
    const { status, out } = await runLectern(["help"]);
    expect(status).toBe(0);
    const verbs = [...out.matchAll(/^ {2}([a-z]+) {2,}/gm)].map((match) => match[1] ?? "");
    expect(verbs).toContain("serve");
    for (const verb of verbs)
      expect(await runLectern(["help", verb])).toMatchObject({
        status: 0,
        out: expect.stringContaining(`lectern ${verb}`),
      });
    expect((await runLectern(["serve", "--help"])).out).toContain("--max-upload-mb");
  });

  test("version names the release", async () => {
    const { version } = (await Bun.file(join(import.meta.dir, "../../package.json")).json()) as { version: string };
    expect((await runLectern(["version"])).out).toStartWith(`lectern ${version} (`);
  });

  test("doctor says what is wrong and exits by it", async () => {
    using dir = tempDir();
    const fresh = await runLectern(["doctor"], { cwd: dir.path });
    expect(fresh.status).toBe(0);
    expect(existsSync(dir.join("lectern-data"))).toBe(false);
    writeFileSync(dir.join("file"), "x");
    const broken = await runLectern(["doctor", "--data", dir.join("file")]);
    expect([broken.status, broken.out]).toEqual([1, expect.stringMatching(/^fail {2}data .* is not a directory$/m)]);
    await using server = await startServer();
    const running = await runLectern(["doctor", "--data", server.dataDir]);
    expect(running.out).toMatch(/^ok {4}server .* is ready$/m);
  });
});
