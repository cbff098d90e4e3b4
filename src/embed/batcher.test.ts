import { describe, expect, test } from "bun:test";
import type { Batch, BatcherOptions, EmbedAsk } from "./batcher.ts";
import { EmbedBatcher } from "./batcher.ts";
import type { EmbeddedText, EmbedKind, EmbedResult, ModelInfo } from "./provider.ts";
import { embedFailure } from "./provider.ts";

const model: ModelInfo = {
  id: "m",
  revision: "r",
  dimensions: 1,
  defaultDimensions: 1,
  matryoshka: null,
  matryoshkaExact: false,
  maxTokens: 512,
  windowTokens: null,
  location: "local",
  queryPrefix: "",
  passagePrefix: "",
  unrelatedCosine: 0,
};
const never = new AbortController().signal;
/** What a tenant asks: queries are those of searches. */
const ask = (kind: EmbedKind, signal = never, tenant = "a"): EmbedAsk => ({
  kind,
  tenant,
  isSearch: kind === "query",
  signal,
});
const vectorOf = (text: string): EmbeddedText => ({ vectors: Float32Array.of(Number(text)), windows: 1, tokens: 1 });
const done = (batch: Batch): EmbedResult => ({ ok: true, texts: batch.texts.map(vectorOf) });
const values = (result: EmbedResult) => (result.ok ? result.texts.map((text) => text.vectors[0]) : result.reason);

/** A batcher whose batches wait until the test lets them go. */
function held(options: Partial<BatcherOptions> = {}) {
  const started: { batch: Batch; finish: (result?: EmbedResult) => Promise<void> }[] = [];
  const batcher = new EmbedBatcher({
    model,
    passageSlots: 1,
    querySlots: 0,
    run: (batch) =>
      new Promise((resolve) => {
        const finish = async (result: EmbedResult = done(batch)): Promise<void> => {
          resolve(result);
          for (let i = 0; i < 10; i++) await Promise.resolve();
        };
        started.push({ batch, finish });
      }),
    ...options,
  });
  const texts = () => started.map(({ batch }) => batch.texts.join(""));
  return { batcher, started, texts };
}

describe("results", () => {
  test("come in the order of the texts, however they were cut into batches", async () => {
    const seen: number[] = [];
    const run = async (batch: Batch): Promise<EmbedResult> => {
      seen.push(batch.texts.length);
      return done(batch);
    };
    const batcher = new EmbedBatcher({ model, run, passageSlots: 3, querySlots: 1, batchTexts: 4 });
    const texts = Array.from({ length: 30 }, (_, i) => String(i));
    expect(values(await batcher.embed(texts, ask("passage")))).toEqual(texts.map(Number));
    expect(Math.max(...seen)).toBe(4);
    expect(values(await batcher.embed([], ask("passage")))).toEqual([]);
    expect(batcher.stats()).toEqual({ waitingTexts: 0, waitingChars: 0, runningBatches: 0, overloaded: 0 });
  });

  test("what fits into a batch may be counted by another measure, and a text that never fits goes alone", async () => {
    const newBatch = () => {
      let sum = 0;
      return (text: string) => (sum += Number(text)) <= 10;
    };
    const { batcher, started, texts } = held({ newBatch, passageSlots: 9 });
    void batcher.embed(["4", "6", "1", "99", "9", "2"], ask("passage"));
    expect(texts()).toEqual(["46", "1", "99", "9", "2"]);
    await Promise.all(started.map(({ finish }) => finish()));
  });

  test("small requests share a batch, a text above the bound of a batch goes alone", async () => {
    const { batcher, started, texts } = held({ batchChars: 3 });
    const results = ["0", "1", "2", "3", "44444", "5"].map((text) => batcher.embed([text], ask("passage")));
    for (let i = 0; i < started.length; i++) await started[i]?.finish();
    expect(texts()).toEqual(["0", "123", "44444", "5"]);
    expect((await Promise.all(results)).map(values)).toEqual([[0], [1], [2], [3], [44444], [5]]);
  });
});

describe("order", () => {
  test("a query takes the next free place before passages that wait longer", async () => {
    const { batcher, started, texts } = held({ batchTexts: 1 });
    void batcher.embed(["0", "1", "2"], ask("passage"));
    void batcher.embed(["7"], ask("query"));
    for (let i = 0; i < started.length; i++) await started[i]?.finish();
    expect(texts()).toEqual(["0", "7", "1", "2"]);
  });

  test("where queries have a lane they use only that, those that wait as one batch, and passages only the other", async () => {
    const { batcher, started } = held({ batchTexts: 2, querySlots: 1, passageSlots: 2 });
    const lanes = () => started.map(({ batch }) => [batch.texts.join(""), batch.kind, batch.lane]);
    void batcher.embed(["7"], ask("query"));
    void batcher.embed(["8"], ask("query"));
    void batcher.embed(["9"], ask("query"));
    void batcher.embed(["0", "1", "2", "3", "4"], ask("passage"));
    const first = [
      ["7", "query", "query"],
      ["01", "passage", "passage"],
      ["23", "passage", "passage"],
    ];
    expect(lanes()).toEqual(first);
    await started[1]?.finish();
    await started[0]?.finish();
    expect(lanes()).toEqual([...first, ["4", "passage", "passage"], ["89", "query", "query"]]);
  });

  test("a small request does not wait for all of a large one", async () => {
    const { batcher, started, texts } = held({ batchTexts: 1 });
    void batcher.embed(["0", "1", "2", "3"], ask("passage"));
    void batcher.embed(["9"], ask("passage"));
    for (let i = 0; i < started.length; i++) await started[i]?.finish();
    expect(texts().indexOf("9")).toBeLessThanOrEqual(2);
  });
});

describe("tenants", () => {
  const digits = (count: number, digit: string) => new Array<string>(count).fill(digit);

  test("take turns by characters in both queues: a small request waits for a turn, not for all of a large one", async () => {
    for (const kind of ["passage", "query"] as const) {
      const { batcher, started, texts } = held({ batchChars: 8 });
      void batcher.embed(digits(100, "1"), ask(kind));
      void batcher.embed(digits(100, "1"), ask(kind));
      void batcher.embed(["2", "2"], ask(kind, never, "b"));
      void batcher.embed(["33333333"], ask(kind, never, "c"));
      for (let i = 0; i < started.length; i++) await started[i]?.finish();
      expect(texts()[1]).toContain("22");
      expect(texts().indexOf("33333333")).toBeLessThan(6);
    }
  });

  test("share a batch, in which each has its turns", async () => {
    const { batcher, started, texts } = held({ batchChars: 8 });
    void batcher.embed(["0"], ask("passage"));
    for (const [tenant, digit] of ["1", "2", "3"].entries())
      void batcher.embed(digits(8, digit), ask("passage", never, String(tenant)));
    for (let i = 0; i < started.length; i++) await started[i]?.finish();
    expect(texts()).toEqual(["0", "11223311", "22331122", "33112233"]);
  });
});

test("queries that no search waits for run among passages, in batches of their own, as queries", async () => {
  const { batcher, started } = held({ querySlots: 1, passageSlots: 1 });
  const query = { ...ask("query"), isSearch: false };
  void batcher.embed(["0"], ask("passage"));
  void batcher.embed(["1", "2"], query);
  void batcher.embed(["3"], ask("passage"));
  void batcher.embed(["4"], ask("query"));
  for (let i = 0; i < started.length; i++) await started[i]?.finish();
  expect(started.map(({ batch }) => [batch.texts.join(""), batch.kind, batch.lane])).toEqual([
    ["0", "passage", "passage"],
    ["4", "query", "query"],
    ["12", "query", "passage"],
    ["3", "passage", "passage"],
  ]);
});

describe("short requests of clients", () => {
  const request = (tenant = "a"): EmbedAsk => ({ ...ask("passage", never, tenant), isRequest: true });
  const run = (started: { batch: Batch }[]) => started.map(({ batch: { texts, lane } }) => [texts.join(""), lane]);

  test("have the lane of queries in turns with searches, and long ones have not", async () => {
    const { batcher, started } = held({ querySlots: 1 });
    void batcher.embed(["0", "1"], ask("passage"));
    void batcher.embed(["2"], request());
    void batcher.embed(["3"], request());
    void batcher.embed(["4"], ask("query"));
    void batcher.embed(["5".repeat(600)], request());
    for (let i = 0; i < started.length; i++) await started[i]?.finish();
    expect(run(started)).toEqual([
      ["01", "passage"],
      ["2", "query"],
      ["5".repeat(600), "passage"],
      ["4", "query"],
      ["3", "query"],
    ]);
  });

  test("wait for one batch of searches, however many come", async () => {
    const { batcher, started, texts } = held({ querySlots: 1, batchTexts: 1 });
    for (const digit of ["0", "1", "2"]) void batcher.embed([digit], ask("query", never, "greedy"));
    void batcher.embed(["8"], request("other"));
    void batcher.embed(["9"], request("other"));
    for (let i = 0; i < started.length; i++) await started[i]?.finish();
    expect(texts()).toEqual(["0", "8", "1", "9", "2"]);
  });

  test("wait among passages where queries have no lane", async () => {
    const { batcher, started } = held();
    void batcher.embed(["0"], ask("passage"));
    void batcher.embed(["1"], request());
    for (let i = 0; i < started.length; i++) await started[i]?.finish();
    expect(run(started)).toEqual([
      ["0", "passage"],
      ["1", "passage"],
    ]);
  });
});

test("batches hold what a lane answers in time", async () => {
  let nowMs = 0;
  const sizes: number[] = [];
  const text = "1".padStart(1000, "0");
  const batcher = new EmbedBatcher({
    model,
    passageSlots: 1,
    querySlots: 1,
    batchMs: { passage: 1000, query: 100 },
    now: () => nowMs,
    run: async (batch) => {
      sizes.push(batch.texts.length);
      nowMs += batch.texts.length * 200;
      return await Promise.resolve(done(batch));
    },
  });
  await batcher.embed(new Array(40).fill(text) as string[], ask("passage"));
  expect(sizes.slice(0, 3)).toEqual([2, 5, 5]);
  sizes.length = 0;
  await batcher.embed(new Array(4).fill(text) as string[], ask("query"));
  expect(sizes).toEqual([1, 1, 1, 1]);
});

describe("bounds", () => {
  test("what does not fit into the queue is overloaded, with a time to come back", async () => {
    const { batcher, started } = held({ maxQueuedChars: 8, batchTexts: 1 });
    const first = batcher.embed(["1", "2", "3"], ask("passage"));
    const refused = await batcher.embed(["456"], ask("passage"));
    expect(refused).toEqual({
      ok: false,
      reason: "overloaded",
      detail: "the queue of model 'm' is full",
      retryAfterMs: 1000,
    });
    const second = batcher.embed(["7"], ask("passage"));
    expect(batcher.stats()).toEqual({ waitingTexts: 3, waitingChars: 3, runningBatches: 1, overloaded: 1 });
    for (let i = 0; i < started.length; i++) await started[i]?.finish();
    expect([values(await first), values(await second)]).toEqual([[1, 2, 3], [7]]);
  });

  test("one tenant fills its share only, and searches have a queue of their own", async () => {
    const { batcher, started } = held({ maxQueuedChars: 8, batchTexts: 1 });
    const own = [batcher.embed(["1", "2", "3", "4", "5"], ask("passage"))];
    expect(values(await batcher.embed(["6"], ask("passage")))).toBe("overloaded");
    own.push(batcher.embed(["6"], ask("passage", never, "b")), batcher.embed(["7"], ask("query")));
    for (let i = 0; i < started.length; i++) await started[i]?.finish();
    expect((await Promise.all(own)).map(values)).toEqual([[1, 2, 3, 4, 5], [6], [7]]);
  });

  test("a request above the whole bound is taken while nothing waits", async () => {
    const { batcher, started } = held({ maxQueuedChars: 4 });
    const result = batcher.embed(["123456"], ask("passage"));
    await started[0]?.finish();
    expect(values(await result)).toEqual([123456]);
  });
});

describe("aborting", () => {
  test("a waiting request leaves the queue and its place", async () => {
    const { batcher, started, texts } = held({ batchTexts: 1 });
    const controller = new AbortController();
    void batcher.embed(["0"], ask("passage"));
    const aborted = batcher.embed(["1", "2"], ask("passage", controller.signal));
    const after = batcher.embed(["3"], ask("passage"));
    controller.abort();
    expect(values(await aborted)).toBe("aborted");
    expect(batcher.stats()).toMatchObject({ waitingTexts: 1, waitingChars: 1 });
    for (let i = 0; i < started.length; i++) await started[i]?.finish();
    expect(texts()).toEqual(["0", "3"]);
    expect(values(await after)).toEqual([3]);
  });

  test("a running batch is told when nobody waits for it any more, not before", async () => {
    const { batcher, started } = held();
    const [a, b] = [new AbortController(), new AbortController()];
    void batcher.embed(["0"], ask("passage"));
    const first = batcher.embed(["1"], ask("passage", a.signal));
    const second = batcher.embed(["2"], ask("passage", b.signal));
    await started[0]?.finish();
    expect(started[1]?.batch.texts).toEqual(["1", "2"]);
    a.abort();
    expect(started[1]?.batch.signal.aborted).toBe(false);
    b.abort();
    expect(started[1]?.batch.signal.aborted).toBe(true);
    expect([values(await first), values(await second)]).toEqual(["aborted", "aborted"]);
    expect(values(await batcher.embed(["3"], ask("passage", a.signal)))).toBe("aborted");
  });
});

describe("failures", () => {
  test("of the lane reach every request of the batch, and the next batch still runs", async () => {
    const { batcher, started } = held();
    void batcher.embed(["0"], ask("passage"));
    const results = [batcher.embed(["1"], ask("passage")), batcher.embed(["2"], ask("passage"))];
    await started[0]?.finish();
    await started[1]?.finish(embedFailure("unavailable", "away"));
    expect((await Promise.all(results)).map(values)).toEqual(["unavailable", "unavailable"]);
    const next = batcher.embed(["3"], ask("passage"));
    await started[2]?.finish();
    expect(values(await next)).toEqual([3]);
  });

  test("about one text fail only the request that it belongs to", async () => {
    const run = async (batch: Batch): Promise<EmbedResult> => {
      await Promise.resolve();
      return batch.texts.includes("666") ? embedFailure("too_long", "too long") : done(batch);
    };
    const batcher = new EmbedBatcher({ model, run, passageSlots: 1, querySlots: 0 });
    const results = ["0", "1", "666", "2"].map((text) => batcher.embed([text], ask("passage")));
    expect((await Promise.all(results)).map(values)).toEqual([[0], [1], "too_long", [2]]);
  });

  test("a lane that throws or answers too few texts is a failure, not a hang", async () => {
    const answers: (() => Promise<EmbedResult>)[] = [
      () => Promise.reject(new Error("worker died")),
      () => Promise.resolve({ ok: true, texts: [] }),
    ];
    const batcher = new EmbedBatcher({
      model,
      run: () => answers.shift()?.() ?? Promise.reject(new Error()),
      passageSlots: 1,
      querySlots: 0,
    });
    expect(await batcher.embed(["1"], ask("query"))).toMatchObject({
      ok: false,
      reason: "unavailable",
      detail: "worker died",
    });
    expect(await batcher.embed(["1"], ask("query"))).toMatchObject({ ok: false, reason: "rejected" });
  });
});
