import { describe, expect, setDefaultTimeout, test } from "bun:test";
import {
  closeSync,
  existsSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { makePdf } from "../../test/fixtures/parse/make-pdf.ts";
import { type TempDir, tempDir } from "../../test/helpers/temp-dir.ts";
import { waitFor } from "../../test/helpers/wait.ts";
import { DEFAULT_LIMITS } from "../parse/limits.ts";
import { ParseLane, type ParseLaneOptions } from "./parse-lane.ts";
import type { ParseSource, WorkerChunk } from "./protocol.ts";

setDefaultTimeout(60_000);

const STRATEGY = { maxTokens: 20, overlapTokens: 0 };
const NEVER = new AbortController().signal;
const MB = 1024 * 1024;

/** What it rejects with. Awaited outside of `expect(…).rejects`, which keeps messages of workers from arriving. */
const rejection = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => expect.unreachable(),
    (error: unknown) => error,
  );
/** More chunks than cross the boundary at once. */
const TEXT = Array.from({ length: 300 }, (_, i) => `Sentence number ${i} is about the figure ${i * 7919}.`).join(
  "\n\n",
);

/** Some seconds of work. */
const SLOW = TEXT.repeat(60);

function laneOf(more: Partial<ParseLaneOptions> = {}): ParseLane {
  return new ParseLane({ workers: 1, deadlineMs: 60_000, memoryBytes: 2 ** 40, limits: DEFAULT_LIMITS, ...more });
}

function sourceOf(dir: TempDir, content: string | Uint8Array, filename = "a.txt"): ParseSource {
  const path = dir.join(filename);
  writeFileSync(path, content);
  return { tenantId: "tenant_1", path, filename, contentType: null, cachePath: dir.join("cache", filename) };
}

test("a document comes in order, in slices, and is waited for", async () => {
  using dir = tempDir();
  await using lane = laneOf();
  const slices: WorkerChunk[][] = [];
  let busy = 0;
  const outcome = await lane.parse(
    sourceOf(dir, TEXT),
    STRATEGY,
    async (chunks) => {
      expect(busy++).toBe(0);
      await Bun.sleep(0);
      busy -= 1;
      slices.push(chunks);
    },
    NEVER,
  );
  expect(outcome).toEqual({ type: "parsed", warnings: [] });
  expect(slices.length).toBeGreaterThan(2);
  expect(slices.slice(0, -1).every((slice) => slice.length === 32)).toBe(true);
  const chunks = slices.flat();
  expect(chunks.map(({ idx }) => idx)).toEqual(chunks.map((_, i) => i));
  expect(chunks[0]).toMatchObject({ start: 0, line: 1, page: null, heading: [] });
  expect(chunks[0]?.terms.byteLength).toBeGreaterThan(0);
  expect(lane.stats()).toMatchObject({ size: 1, busy: 0, waiting: 0 });
});

test("a document is parsed once: what is kept of it is enough later", async () => {
  using dir = tempDir();
  await using lane = laneOf();
  await lane.warm();
  const source = sourceOf(dir, TEXT);
  const parse = async () => {
    const texts: string[] = [];
    await lane.parse(source, STRATEGY, (chunks) => void texts.push(...chunks.map(({ text }) => text)), NEVER);
    return texts;
  };
  const first = await parse();
  expect(existsSync(source.cachePath)).toBe(true);
  rmSync(source.path);
  expect(await parse()).toEqual(first);
  expect((await lane.text(source, NEVER))?.join("")).toContain("Sentence number 299");
  // Torn, it counts for nothing.
  writeFileSync(source.cachePath, "torn");
  expect(String(await rejection(parse()))).toContain("ENOENT");
});

test("a document that cannot be parsed fails with a reason, and has no text", async () => {
  using dir = tempDir();
  await using lane = laneOf();
  const source = sourceOf(dir, new Uint8Array([0x7f, 0x45, 0x4c, 0x46, 0, 1, 2, 3]), "a.bin");
  const outcome = await lane.parse(source, STRATEGY, () => expect.unreachable(), NEVER);
  expect(outcome).toMatchObject({ type: "failed", error: { code: "unsupported_file" } });
  expect(await lane.text(source, NEVER)).toBeNull();
});

test("the text of a document with pages comes page by page", async () => {
  using dir = tempDir();
  await using lane = laneOf();
  const page = (text: string) => ({ items: [{ text, x: 72, y: 700 }] });
  const source = sourceOf(
    dir,
    makePdf([page("The first page of three."), page("The second."), page("The last.")]),
    "a.pdf",
  );
  const parts = await lane.text(source, NEVER);
  expect(parts?.map((part) => part.trim())).toEqual(["The first page of three.", "The second.", "The last."]);
});

test("a document that takes too long is to blame for it", async () => {
  using dir = tempDir();
  await using lane = laneOf({ deadlineMs: 1 });
  const outcome = await lane.parse(sourceOf(dir, TEXT), STRATEGY, () => undefined, NEVER);
  const message = "The file could not be parsed within 0 seconds.";
  expect(outcome).toEqual({ type: "failed", error: { code: "invalid_file", message } });
});

test("what throws where the chunks go is thrown, and the worker serves the next", async () => {
  using dir = tempDir();
  await using lane = laneOf();
  const source = sourceOf(dir, TEXT);
  const refuse = () => Promise.reject(new Error("the disk is full"));
  expect(await rejection(lane.parse(source, STRATEGY, refuse, NEVER))).toEqual(new Error("the disk is full"));
  expect(await lane.parse(source, STRATEGY, () => undefined, NEVER)).toMatchObject({ type: "parsed" });
});

describe("a document is interrupted", () => {
  test("by its signal, before, while and between its chunks", async () => {
    using dir = tempDir();
    await using lane = laneOf();
    const source = sourceOf(dir, TEXT);
    expect(await lane.parse(source, STRATEGY, () => undefined, AbortSignal.abort())).toEqual({ type: "interrupted" });
    const stop = new AbortController();
    const stopping = () => stop.abort();
    expect(await lane.parse(source, STRATEGY, stopping, stop.signal)).toEqual({ type: "interrupted" });
    const soon = new AbortController();
    const parsing = lane.parse(source, STRATEGY, () => undefined, soon.signal);
    soon.abort();
    expect(await parsing).toEqual({ type: "interrupted" });
  });

  test("by the end of the lane, also while it waits for a worker", async () => {
    using dir = tempDir();
    const lane = laneOf();
    const source = sourceOf(dir, TEXT);
    const both = [1, 2].map(() => lane.parse(source, STRATEGY, () => undefined, NEVER));
    await lane[Symbol.asyncDispose]();
    expect(await Promise.all(both)).toEqual([{ type: "interrupted" }, { type: "interrupted" }]);
  });
});

describe("memory", () => {
  test("that a document takes is the document's fault, and another's in company is not touched", async () => {
    using dir = tempDir();
    let bound = 2 ** 40;
    await using lane = new ParseLane({
      workers: 2,
      deadlineMs: 60_000,
      limits: DEFAULT_LIMITS,
      get memoryBytes() {
        return bound;
      },
    });
    await lane.warm();
    const held = Promise.withResolvers<void>();
    const begun = Promise.withResolvers<void>();
    const inCompany = lane.parse(
      sourceOf(dir, TEXT, "b.txt"),
      STRATEGY,
      async () => {
        begun.resolve();
        await held.promise;
      },
      NEVER,
    );
    await begun.promise;
    bound = -(2 ** 40);
    const outcome = await lane.parse(sourceOf(dir, SLOW, "a.txt"), STRATEGY, () => undefined, NEVER);
    const message = "The file could not be parsed because it is too large.";
    expect(outcome).toEqual({ type: "failed", error: { code: "invalid_file", message } });
    expect(lane.stats().restarts).toBe(1);
    bound = 2 ** 40;
    held.resolve();
    expect(await inCompany).toMatchObject({ type: "parsed" });
    expect(lane.stats().restarts).toBe(1);
  });

  test("for which the kernel kills a process in its group is its document's fault, and no group stays", async () => {
    using dir = tempDir();
    const held = new Map<number, number>();
    let isFull = true;
    const hold = (pid: number, bytes: number) => {
      held.set(pid, bytes);
      return { wasExhausted: () => isFull, remove: () => void held.delete(pid) };
    };
    {
      const bounds = { withoutNetwork: [], memoryGroups: { hold } };
      await using lane = laneOf({ bounds, memoryBytes: 2 ** 40 });
      await lane.warm();
      const [pid] = lane.pids();
      expect([...held]).toEqual([[pid as number, 2 ** 40 + 512 * MB]]);
      const parsing = lane.parse(sourceOf(dir, SLOW), STRATEGY, () => undefined, NEVER);
      process.kill(pid as number, "SIGKILL");
      const message = "The file could not be parsed because it is too large.";
      expect(await parsing).toEqual({ type: "failed", error: { code: "invalid_file", message } });
      expect(lane.stats().restarts).toBe(1);
      isFull = false;
      const next = sourceOf(dir, "short", "b.txt");
      expect(await lane.parse(next, STRATEGY, () => undefined, NEVER)).toMatchObject({ type: "parsed" });
      expect(held.size).toBe(1);
    }
    expect(held.size).toBe(0);
  });

  test("that this process takes is no fault of a document", async () => {
    using dir = tempDir();
    await using lane = laneOf({ memoryBytes: 200 * MB });
    const kept: Uint8Array[] = [];
    const grow = () => void kept.push(new Uint8Array(300 * MB).fill(1));
    expect(await lane.parse(sourceOf(dir, "short"), STRATEGY, grow, NEVER)).toMatchObject({ type: "parsed" });
    expect(kept).toHaveLength(1);
  });
});

describe("a process that the system kills", () => {
  const killed = async (lane: ParseLane) => {
    const [pid] = await waitFor("its process", () => (lane.pids().length > 0 ? lane.pids() : undefined));
    process.kill(pid as number, "SIGKILL");
  };

  test("once is another's fault: the document is parsed by the next", async () => {
    using dir = tempDir();
    await using lane = laneOf();
    await lane.warm();
    const parsing = lane.parse(sourceOf(dir, SLOW), STRATEGY, () => undefined, NEVER);
    await killed(lane);
    expect(await parsing).toMatchObject({ type: "parsed" });
    expect(lane.stats().restarts).toBe(1);
  });

  test("twice is the document's, which is too large", async () => {
    using dir = tempDir();
    await using lane = laneOf();
    await lane.warm();
    const [first] = lane.pids();
    const parsing = lane.parse(sourceOf(dir, SLOW), STRATEGY, () => undefined, NEVER);
    await killed(lane);
    await waitFor("the next process", () => lane.pids().find((pid) => pid !== first));
    await killed(lane);
    const message = "The file could not be parsed because it is too large.";
    expect(await parsing).toEqual({ type: "failed", error: { code: "invalid_file", message } });
    expect(await lane.parse(sourceOf(dir, "short", "b.txt"), STRATEGY, () => undefined, NEVER)).toMatchObject({
      type: "parsed",
    });
  });

  test("is not waited for by a document that is cancelled meanwhile", async () => {
    using dir = tempDir();
    await using lane = laneOf();
    await lane.warm();
    const stop = new AbortController();
    const parsing = lane.parse(sourceOf(dir, SLOW), STRATEGY, () => undefined, stop.signal);
    await killed(lane);
    await waitFor("it has lost its worker", () => (lane.stats().restarts >= 1 ? true : undefined));
    stop.abort();
    expect(await parsing).toEqual({ type: "interrupted" });
  });
});

describe("tenants take turns", () => {
  const ofTenant = (source: ParseSource, tenantId: string): ParseSource => ({ ...source, tenantId });

  test("a document comes at once, however many slow ones of another tenant there are", async () => {
    using dir = tempDir();
    await using lane = laneOf();
    await lane.warm();
    const held = Promise.withResolvers<void>();
    // Of more chunks than are given on at once: of a shorter one the place is free when its chunks are given on.
    const long = "Nothing much. ".repeat(40 * STRATEGY.maxTokens);
    const slow = [1, 2, 3].map((n) =>
      lane.parse(ofTenant(sourceOf(dir, long, `${n}.txt`), "a"), STRATEGY, () => held.promise, NEVER),
    );
    const quick = ofTenant(sourceOf(dir, "quick", "quick.txt"), "b");
    expect(await lane.parse(quick, STRATEGY, () => undefined, NEVER)).toMatchObject({ type: "parsed" });
    expect(lane.stats()).toMatchObject({ size: 1, waiting: 2 });
    held.resolve();
    expect((await Promise.all(slow)).map(({ type }) => type)).toEqual(["parsed", "parsed", "parsed"]);
  });

  test("the next document is read while the last chunks of one are given on", async () => {
    using dir = tempDir();
    await using lane = laneOf();
    await lane.warm();
    const held = Promise.withResolvers<void>();
    const writing = lane.parse(sourceOf(dir, "short"), STRATEGY, () => held.promise, NEVER);
    const next = lane.parse(sourceOf(dir, "next", "next.txt"), STRATEGY, () => undefined, NEVER);
    expect(await next).toMatchObject({ type: "parsed" });
    held.resolve();
    expect(await writing).toMatchObject({ type: "parsed" });
  });

  test("a place that was given with a job's turn is the document's, and is given back", async () => {
    using dir = tempDir();
    await using lane = laneOf();
    const turn = lane.tryTurn("a") ?? undefined;
    expect(lane.tryTurn("a")).toBeNull();
    const free = Promise.withResolvers<void>();
    lane.onFree(free.resolve);
    const source = ofTenant(sourceOf(dir, "short"), "a");
    expect(await lane.parse(source, { ...STRATEGY, turn }, () => undefined, NEVER)).toMatchObject({ type: "parsed" });
    await free.promise;
    expect(lane.tryTurn("a")).not.toBeNull();
  });
});

test("a process knows no secret of this one, and has no open file of it", async () => {
  using dir = tempDir();
  process.env["LECTERN_API_KEY"] = "sk-secret";
  try {
    await using lane = laneOf();
    const mine = openSync(sourceOf(dir, "mine").path, "r");
    await lane.warm();
    closeSync(mine);
    const [pid] = lane.pids();
    if (process.platform !== "linux") return;
    expect(readFileSync(`/proc/${pid}/environ`, "utf8")).not.toContain("LECTERN");
    expect(readlinkSync(`/proc/${pid}/cwd`)).toBe("/");
    const files = readdirSync(`/proc/${pid}/fd`).map((fd) => readlinkSync(`/proc/${pid}/fd/${fd}`));
    expect(files.filter((file) => file.startsWith(dir.path))).toEqual([]);
    // The channel to this process is the one socket.
    expect(files.filter((file) => file.startsWith("socket:"))).toHaveLength(1);
    expect(Number(readFileSync(`/proc/${pid}/oom_score_adj`, "utf8"))).toBeGreaterThanOrEqual(500);
  } finally {
    delete process.env["LECTERN_API_KEY"];
  }
});
