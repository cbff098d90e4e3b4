import { describe, expect, test } from "bun:test";
import type { Reranked } from "../embed/reranker.ts";
import { WorkerCallError } from "../platform/worker-pool.ts";
import type { RerankersOptions, RerankUse } from "./rerankers.ts";
import { Rerankers } from "./rerankers.ts";

const { signal: never } = new AbortController();
const ask = (documents: string[], tenant = "a", signal = never) => ({ tenant, query: "query", documents, signal });

/** A lane of one model "good", whose answers come when `answer` says so. */
function lane() {
  const calls: { documents: readonly string[]; answer: PromiseWithResolvers<Reranked> }[] = [];
  const opened: string[] = [];
  const closed: string[] = [];
  const uses: RerankUse[] = [];
  const lanes: RerankersOptions["lanes"] = {
    loadReranker: (key, path) => {
      opened.push(key);
      const info = { id: key, revision: key.split("@")[1] ?? "", maxTokens: 512, location: "local" as const };
      return Promise.resolve(
        path === "broken" ? { ok: false as const, problems: ["no graph"] } : { ok: true as const, info },
      );
    },
    unloadReranker: (key) => Promise.resolve(void closed.push(key)),
    rerank: ({ documents }) => {
      const answer = Promise.withResolvers<Reranked>();
      calls.push({ documents, answer });
      return answer.promise;
    },
  };
  /** Answers every call, those to come included: a document's score is its length. */
  const answerAll = async (): Promise<void> => {
    for (let i = 0; i < calls.length; i++) {
      const { documents, answer } = calls[i] ?? expect.unreachable();
      answer.resolve({ scores: Float64Array.from(documents, ({ length }) => length), tokens: documents.length });
      for (let turn = 0; turn < 10; turn++) await Promise.resolve();
    }
  };
  return {
    calls,
    answerAll,
    opened,
    closed,
    uses,
    rerankers: new Rerankers({ lanes, onUse: (use) => uses.push(use) }),
  };
}

const ANSWER: Reranked = { scores: Float64Array.of(0.5), tokens: 9 };

describe("rerankers", () => {
  test("are opened once a revision; the one before is closed", async () => {
    const { rerankers, opened, closed } = lane();
    expect(await rerankers.open("good", "r1", "path")).toEqual([]);
    expect(await rerankers.open("good", "r1", "path")).toEqual([]);
    expect(await rerankers.open("good", "r2", "path")).toEqual([]);
    expect([opened, closed]).toEqual([["good@r1", "good@r2"], ["good@r1"]]);
    expect(rerankers.info("good")).toEqual({ id: "good", revision: "r2", maxTokens: 512, location: "local" });
    expect(await rerankers.open("bad", "r1", "broken")).toEqual(["no graph"]);
    expect([rerankers.ids(), rerankers.info("bad")]).toEqual([["good"], null]);
    rerankers.forget("good");
    expect([rerankers.ids(), closed]).toEqual([[], ["good@r1", "good@r2"]]);
  });

  test("score, and say what they did", async () => {
    const { rerankers, calls, uses } = lane();
    await rerankers.open("good", "r1", "path");
    const result = rerankers.rerank("good", ask(["a document"]));
    calls[0]?.answer.resolve(ANSWER);
    expect(await result).toEqual({ ok: true, ...ANSWER });
    expect(uses).toEqual([{ model: "good", documents: 1, tokens: 9, seconds: expect.any(Number), ok: true }]);
    expect(await rerankers.rerank("good", ask([]))).toMatchObject({ ok: true, tokens: 0 });
    expect(await rerankers.rerank("gone", ask(["x"]))).toMatchObject({ ok: false, reason: "unavailable" });
    expect(calls).toHaveLength(1);
  });

  const failures: [what: string, error: Error, reason: string][] = [
    ["a graph that fails", new Error("the graph failed"), "rejected"],
    ["a worker that ends", new WorkerCallError("crashed", "a worker ended"), "rejected"],
    ["a client that went away", new WorkerCallError("aborted", "cancelled"), "aborted"],
    ["a server that stops", new WorkerCallError("closed", "stopping"), "aborted"],
  ];
  test.each(failures)("answer %s with a failure", async (_, error, reason) => {
    const { rerankers, calls, uses } = lane();
    await rerankers.open("good", "r1", "path");
    const result = rerankers.rerank("good", ask(["x"]));
    calls[0]?.answer.reject(error);
    expect(await result).toMatchObject({ ok: false, reason });
    expect(uses.map((use) => use.ok)).toEqual([false]);
  });

  test("refuse what does not fit beside what a tenant has waiting, but take one that is larger alone", async () => {
    const { rerankers, calls, answerAll } = lane();
    await rerankers.open("good", "r1", "path");
    const large = ["x", "x".repeat(9_000_000)];
    const first = rerankers.rerank("good", ask(large));
    expect(calls).toHaveLength(1);
    const second = await rerankers.rerank("good", ask(["small"]));
    expect(second).toMatchObject({ ok: false, reason: "overloaded", retryAfterMs: expect.any(Number) });
    const other = rerankers.rerank("good", ask(["small"], "b"));
    await answerAll();
    expect([await first, await other]).toMatchObject([{ ok: true }, { ok: true }]);
    const third = rerankers.rerank("good", ask(["small"]));
    await answerAll();
    expect(await third).toMatchObject({ ok: true });
  });

  test("read a request in short calls, documents of about the same length together, and put the scores in order", async () => {
    const { rerankers, calls, answerAll } = lane();
    await rerankers.open("good", "r1", "path");
    const lengths = [3000, 10, 9000, 20, 4000];
    const result = rerankers.rerank("good", ask(lengths.map((length) => "x".repeat(length))));
    await answerAll();
    expect(calls.map(({ documents }) => documents.map(({ length }) => length))).toEqual([[10, 20, 3000, 4000], [9000]]);
    expect(await result).toEqual({ ok: true, scores: Float64Array.from(lengths), tokens: 5 });
    // A long query counts in every pair.
    const before = calls.length;
    const asked = { ...ask(new Array<string>(100).fill("x")), query: "q".repeat(60_000) };
    void rerankers.rerank("good", asked);
    await answerAll();
    expect(calls.length - before).toBeGreaterThan(12);
  });

  test("let tenants take turns, whichever of them each asks, and drop what nobody waits for", async () => {
    const { rerankers, calls, answerAll } = lane();
    await rerankers.open("good", "r1", "path");
    await rerankers.open("better", "r1", "path");
    const gone = new AbortController();
    const large = new Array<string>(50).fill("x".repeat(7000));
    void rerankers.rerank("good", ask(large));
    const aborted = rerankers.rerank("better", ask(large, "b", gone.signal));
    const small = rerankers.rerank("better", ask(["small"], "c"));
    gone.abort();
    expect(await aborted).toMatchObject({ ok: false, reason: "aborted" });
    await answerAll();
    expect(await small).toMatchObject({ ok: true });
    expect(calls.findIndex(({ documents }) => documents[0] === "small")).toBeLessThanOrEqual(2);
    expect(calls).toHaveLength(51);
  });
});
