/** The verbs for stores, their files and their migrations, on the compiled binary against one server. */
import { mkdirSync, writeFileSync } from "node:fs";
import { afterAll, beforeAll, expect, test } from "bun:test";
import { addText, newStore } from "../helpers/api.ts";
import { runLectern, startServer } from "../helpers/server.ts";
import type { TestServer } from "../helpers/server.ts";
import { tempDir } from "../helpers/temp-dir.ts";

const dir = tempDir();
let server: TestServer;
beforeAll(async () => {
  server = await startServer();
  mkdirSync(dir.join("docs"));
  writeFileSync(dir.join("docs/ash.md"), "Ash trees grow on chalk.");
  writeFileSync(dir.join("docs/broken.pdf"), "%PDF-1.7\nnothing");
});
afterAll(async () => {
  await server[Symbol.asyncDispose]();
  dir[Symbol.dispose]();
});

const run = (...args: string[]) =>
  runLectern(args, { cwd: dir.path, env: { LECTERN_URL: server.url, LECTERN_API_KEY: server.key } });

async function jsonOf<T>(...args: string[]): Promise<T> {
  const { status, out, err } = await run(...args, "--json");
  if (status !== 0) throw new Error(`${args.join(" ")}: ${status} ${err}`);
  return JSON.parse(out) as T;
}

test("stores: listed, shown, renamed, and deleted only where that is confirmed", async () => {
  const id = await newStore(server, { name: "woods" });
  expect((await run("stores")).out).toMatch(new RegExp(`^${id} +woods +ready +0 +0 +0 +0 B +lectern-embed-en$`, "m"));
  expect(await jsonOf<object[]>("stores", "list")).toContainEqual(expect.objectContaining({ id, name: "woods" }));
  expect((await run("stores", "show", "woods")).out).toMatch(/^name +woods\nstatus +ready\nfiles +0$/m);
  expect(await jsonOf<object>("stores", "show", id)).toMatchObject({ id, object: "vector_store" });
  expect(await run("stores", "show", "wods")).toEqual({
    status: 1,
    out: "",
    err: 'lectern: There is no store "wods". Did you mean woods?\n',
  });
  expect(await run("stores", "rename", "woods", "forest")).toMatchObject({ status: 0, out: `${id}\n` });
  expect(await run("stores", "delete", "forest")).toMatchObject({ status: 2, err: expect.stringContaining("--yes") });
  expect(await run("stores", "delete", "forest", "--yes")).toMatchObject({ status: 0, out: `${id}\n` });
  expect((await run("stores", "show", id)).status).toBe(1);
}, 240_000);

test("files: listed with the reason of a failure, indexed again, and taken out", async () => {
  expect((await run("ingest", "docs", "--store", "trees")).status).toBe(1);
  const { out } = await run("files", "trees");
  expect(out).toMatch(/^file-\S+ +completed +1 +\d+ B +docs\/ash\.md$/m);
  expect(out).toMatch(/^file-\S+ +failed +0 +16 B +docs\/broken\.pdf +The PDF is damaged/m);
  const failed = await jsonOf<{ id: string }[]>("files", "trees", "--status", "failed");
  expect(failed).toEqual([expect.objectContaining({ status: "failed", filename: "broken.pdf" })]);
  const again = await run("files", "trees", "retry", "--all-failed", "--wait", "--json");
  expect([again.status, JSON.parse(again.out)]).toEqual([
    1,
    [expect.objectContaining({ id: failed[0]?.id, status: "failed" })],
  ]);
  expect(await run("files", "trees", "remove", "ash")).toMatchObject({
    status: 0,
    out: expect.stringMatching(/^removed file-\S+ docs\/ash\.md\n$/),
  });
  expect(await jsonOf<object[]>("files", "trees", "remove", "docs/broken.pdf", "--delete")).toEqual([
    { id: failed[0]?.id, deleted: true },
  ]);
  expect(await jsonOf<object[]>("files", "trees")).toEqual([]);
  expect((await server.client.files.list()).data.map(({ filename }) => filename)).toEqual(["ash.md"]);
  expect(await run("files", "trees", "retry", "oak.md")).toMatchObject({
    status: 1,
    err: 'lectern: There is no file "oak.md" in the store.\n',
  });
  expect((await run("files", "trees", "burn")).status).toBe(2);
}, 240_000);

test("migrate, promote and rollback: a dry run with a gate waits, goes live and goes back", async () => {
  const store = await newStore(server, { name: "moving" });
  for (const tree of ["alder", "birch", "cedar"])
    await addText(server, store, `${tree}.md`, `The ${tree} is a tree of which this note tells where it grows.`);
  const flags = ["--model", "lectern-embed-en", "--dimensions", "128", "--dry-run", "--wait"];
  const tried = await run("migrate", "moving", ...flags, "--min-overlap", "0.1");
  expect([tried.status, tried.out]).toEqual([0, expect.stringMatching(/^gate +passed$/m)]);
  expect(tried.out).toContain("Nothing was switched; lectern promote moving makes lectern-embed-en live.");
  expect(tried.err).toContain("queued\n");
  expect((await run("status")).out).toContain("moving: to lectern-embed-en, ready");
  const dimensions = async () =>
    (await jsonOf<{ index: { dimensions: number } }>("stores", "show", "moving")).index.dimensions;
  expect(await dimensions()).toBe(256);
  expect(await jsonOf<object>("promote", "moving")).toMatchObject({ status: "completed" });
  expect(await dimensions()).toBe(128);
  expect(await run("promote", "moving")).toMatchObject({
    status: 1,
    err: expect.stringContaining("is ready; the newest"),
  });
  expect((await run("rollback", "moving")).out).toBe("The store moving is searched with lectern-embed-en again.\n");
  expect(await dimensions()).toBe(256);
  const missed = await run(
    "migrate",
    "moving",
    "--model",
    "lectern-embed-en",
    "--dimensions",
    "8",
    "--wait",
    "--json",
    "--max-latency-ratio",
    "0.000001",
  );
  expect([missed.status, JSON.parse(missed.out)]).toEqual([
    1,
    expect.objectContaining({ status: "ready", report: expect.objectContaining({ gate: "missed" }) }),
  ]);
  expect((await run("migrate", "moving", "--dry-run")).status).toBe(2);
  expect(await run("migrate", "moving", "--model", "none-such")).toMatchObject({
    status: 1,
    err: expect.stringContaining("none-such"),
  });
}, 240_000);

test("status says what the server is and does; without one it says so and starts none", async () => {
  const shown = await run("status");
  expect([shown.status, shown.err]).toEqual([0, expect.stringMatching(/^LANE +BUSY +WAITING +RESTARTS$/m)]);
  expect(shown.out).toMatch(/^server +lectern \S+ at http:/m);
  const seen = await jsonOf<object>("status");
  expect(seen).toMatchObject({ object: "status", url: server.url, server: { object: "server.status" } });
  expect(await runLectern(["status", "--data", dir.join("none")])).toMatchObject({
    status: 1,
    out: "",
    err: expect.stringContaining(`No server runs on ${dir.join("none")}`),
  });
  expect((await run("status", "now")).status).toBe(2);
}, 240_000);
