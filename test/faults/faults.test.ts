/**
 * The server while its disk fails, by a sample: `make faults` lets every call of every kind of write fail, and
 * `make powerloss` cuts the power at every point. Which calls it is changes with the day; SEED repeats a run.
 */
import { expect, setDefaultTimeout, test } from "bun:test";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { messageOf } from "../../src/errors.ts";
import { addText, errorOf, newStore, refusal, search, upload } from "../helpers/api.ts";
import { runSeed, seededRandom } from "../helpers/random.ts";
import { startServer } from "../helpers/server.ts";
import { tempDir } from "../helpers/temp-dir.ts";
import { Desk } from "./desk.ts";
import { cutPower } from "./power.ts";
import { SCRIPTS } from "./scripts.ts";
import { ERRORS, sample } from "./series.ts";
import { lacks } from "../helpers/lacks.ts";
import { KINDS, mayTrace, TRACER } from "./tracer.ts";

setDefaultTimeout(240_000);
const FAULTS = 12;
const STATES = 80;
/** Of a script. */
const LEAST_WRITES = 4;
/** A sync that fails is a test of its own. */
const OTHERS = KINDS.filter((kind) => kind !== "write" && kind !== "sync" && ERRORS[kind] !== undefined);
const DAY = Math.floor(Date.now() / 86_400_000);
const SEED = process.env["SEED"] === undefined ? DAY : runSeed("faults");

const newFile = (): FormData => {
  const form = new FormData();
  form.set("purpose", "assistants");
  form.set("file", new Blob(["Some text."]), "a.txt");
  return form;
};

test.skipIf(lacks(TRACER, mayTrace()))("writes of the server's own and of SQLite are both met", async () => {
  await using desk = await Desk.open();
  await desk.start();
  for (const [on, where] of [
    ["data/tmp/", "data/tmp/file-"],
    ["meta.sqlite-wal", "data/meta.sqlite-wal"],
  ] as const) {
    desk.control.arm({ kind: "write", action: "ENOSPC", nth: 1, on });
    const refused = await errorOf(await desk.server.fetch("/v1/files", { method: "POST", body: newFile() }));
    expect(desk.control.disarm()).toBe(1);
    expect([refused.status, refused.code, desk.control.struck]).toEqual([
      507,
      "insufficient_storage",
      expect.stringContaining(where),
    ]);
    await upload(desk.server, "a.txt", "Some text.");
  }
});

test.skipIf(lacks(TRACER, mayTrace()))(
  "a server whose disk did not keep a commit writes nothing more, says so, and starts again",
  async () => {
    await using desk = await Desk.open();
    await desk.start();
    const store = await newStore(desk.server);
    const before = await addText(desk.server, store, "before.txt", "Some text.");
    desk.control.arm({ kind: "sync", action: "EIO", nth: 1, on: "meta.sqlite-wal" });
    const first = await errorOf(await desk.server.fetch("/v1/files", { method: "POST", body: newFile() }));
    expect([desk.control.disarm(), first.status]).toEqual([1, 500]);
    const second = await errorOf(await desk.server.fetch("/v1/files", { method: "POST", body: newFile() }));
    expect([second.status, second.code]).toEqual([503, "storage_unavailable"]);
    const ready = await desk.server.fetch("/readyz");
    expect([ready.status, await ready.json()]).toEqual([
      503,
      expect.objectContaining({
        checks: expect.objectContaining({ disk: "did not keep the database; start the server again" }),
      }),
    ]);
    expect(await (await desk.server.fetch(`/v1/files/${before}/content`)).text()).toBe("Some text.");
    desk.moveClock();
    expect(await search(desk.server, store, { query: "text" })).toHaveLength(1);
    expect(desk.server.log()).toContain("the disk did not keep what was written: nothing more is written");
    expect(await desk.server.stop()).toBe(0);
    await using again = await startServer({ dataDir: desk.dataDir, args: desk.args });
    expect((await again.fetch("/readyz")).status).toBe(200);
    expect(await (await again.fetch(`/v1/files/${before}/content`)).text()).toBe("Some text.");
    for await (const { id } of again.client.files.list())
      expect((await again.fetch(`/v1/files/${id}/content`)).status).toBe(200);
    await upload(again, "after.txt", "Some text.");
  },
);

test.skipIf(lacks(TRACER, mayTrace())).each(["ENOSPC", "EDQUOT"] as const)(
  "while the disk, or its quota, stays full (%s), what needs space answers 507, searches are answered, then all goes on",
  async (action) => {
    await using desk = await Desk.open();
    await desk.start();
    const store = await newStore(desk.server);
    const file = await addText(desk.server, store, "refunds.txt", "Refunds are paid within fourteen days.");
    const found = async () =>
      (await search(desk.server, store, { query: "refunds", search_mode: "keyword" })).map((hit) => hit.file_id);
    desk.control.arm({ kind: "write", action, nth: 1, isLasting: true });
    for (const [method, path, body] of [
      ["POST", "/v1/files", newFile()],
      ["POST", "/v1/vector_stores", { name: "one more" }],
      ["DELETE", `/v1/files/${file}`, undefined],
    ] as const) {
      const { status, code } = await refusal(desk.server, method, path, body);
      expect([method, path, status, code]).toEqual([method, path, 507, "insufficient_storage"]);
    }
    expect(await found()).toEqual([file]);
    // Nor is the time of a search noted, as it is from time to time.
    desk.moveClock();
    expect(await found()).toEqual([file]);
    expect((await desk.server.fetch("/readyz")).status).toBe(200);
    desk.control.disarm();
    expect(desk.server.log()).not.toContain("internal_error");
    await addText(desk.server, store, "more.txt", "More of it.");
    expect((await desk.server.fetch("/readyz")).status).toBe(200);
    expect(await found()).toEqual([file]);
    // What was tried leaves nothing.
    expect(readdirSync(join(desk.dataDir, "tmp"))).toEqual([]);
  },
);

test.skipIf(lacks(TRACER, mayTrace())).each(["ENOSPC", "EDQUOT"] as const)(
  "a server that is started while the disk, or its quota, is full (%s) says so, and starts once there is room",
  async (action) => {
    await using desk = await Desk.open();
    await desk.start();
    const store = await newStore(desk.server);
    const file = await addText(desk.server, store, "refunds.txt", "Refunds are paid within fourteen days.");
    await desk.kill();
    desk.control.arm({ kind: "write", action, nth: 1, isLasting: true });
    const end = await desk.start().then(
      () => "it started",
      (error: unknown) => messageOf(error),
    );
    expect(end).toContain(
      `there is no room left for the data directory ${desk.dataDir}, on the disk or within a quota`,
    );
    desk.control.disarm();
    await desk.start();
    expect((await search(desk.server, store, { query: "refunds" })).map((hit) => hit.file_id)).toEqual([file]);
  },
);

test.skipIf(lacks(TRACER, mayTrace()))(
  "a start that may not open a file of an added model says so in a line",
  async () => {
    await using desk = await Desk.open();
    const said: string[] = [];
    // Whoever opens it: the list of models does without it, the worker that is to load it does not.
    for (let nth = 1; said.length === 0; nth++) {
      desk.control.arm({ kind: "open", action: "EMFILE", nth, on: "data/models/second/config.json" });
      await desk.start().catch((error: unknown) => said.push(messageOf(error)));
      if (desk.control.disarm() === 0) break;
      if (said.length === 0) await desk.kill();
    }
    expect(said).toEqual([
      expect.stringMatching(/^lectern: the server cannot start: EMFILE: .*second\/config\.json'$/m),
    ]);
    expect(said.join()).not.toMatch(/\n\s+at /);
    await desk.start();
    expect((await desk.server.fetch("/readyz")).status).toBe(200);
  },
);

test.skipIf(lacks(TRACER, mayTrace()))(
  `of ${FAULTS} calls that fail, each is told or made good, and nothing is lost`,
  async () => {
    const random = seededRandom(SEED);
    const faults = Array.from({ length: FAULTS }, (_, i) => {
      // Everything writes; not everything renames, say.
      const isWrite = i % 2 === 0;
      const kind = isWrite ? "write" : random.pick(OTHERS);
      const action = random.pick(ERRORS[kind] ?? []);
      const nth = 1 + random.below(isWrite ? LEAST_WRITES : 2);
      return { script: random.pick(SCRIPTS), fault: { kind, action, nth } };
    });
    const { findings, failed } = await sample(faults);
    expect(findings).toEqual([]);
    expect(failed).toBeGreaterThanOrEqual(FAULTS / 2);
  },
);

const SHORT = ["upload", "attach", "delete file"];

test.skipIf(lacks(TRACER, mayTrace()))(
  "the power may go at any point: what was acknowledged is there, and what is torn is not believed",
  async () => {
    using dir = tempDir();
    const options = { states: STATES, seed: SEED, scripts: SHORT, keepIn: dir.join("kept") };
    // Broken off once: the second run goes on with the record, and with the states, of the first.
    let looks = 0;
    const first = await cutPower({ ...options, isOver: () => looks++ > STATES / 4 });
    const { problems, states } = await cutPower(options);
    expect([...problems]).toEqual([]);
    expect(first.states).toBeLessThan(states);
    expect(states).toBeGreaterThan(STATES / 2);
  },
);

test.skipIf(lacks(TRACER, mayTrace()))(
  "and after a sync that failed: a start writes anew what the system only showed",
  async () => {
    const { problems } = await cutPower({ states: STATES, seed: SEED, scripts: ["upload"], afterFailedSync: true });
    expect([...problems]).toEqual([]);
  },
);

test.skipIf(lacks(TRACER, mayTrace()))("a sync that is missing is found", async () => {
  const { problems } = await cutPower({
    states: STATES,
    seed: SEED,
    scripts: ["upload"],
    without: ({ kind, path }) => kind === "S" && path.startsWith("data/blobs"),
  });
  expect([...problems.keys()]).toContain("the bytes of … are not there");
});
