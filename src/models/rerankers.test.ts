import { describe, expect, test } from "bun:test";
import type { Reranked } from "../embed/reranker.ts";
import { WorkerCallError } from "../platform/worker-pool.ts";
import type { RerankersOptions, RerankUse } from "./rerankers.ts";
import { Rerankers } from "./rerankers.ts";

const { signal } = new AbortController();

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
    rerank: (_key, _path, _query, documents) => {
      const answer = Promise.withResolvers<Reranked>();
      calls.push({ documents, answer });
      return answer.promise;
    },
  };
  return { calls, opened, closed, uses, rerankers: new Rerankers({ lanes, onUse: (use) => uses.push(use) }) };
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
    const result = rerankers.rerank("good", "query", ["a document"], signal);
    calls[0]?.answer.resolve(ANSWER);
    expect(await result).toEqual({ ok: true, ...ANSWER });
    expect(uses).toEqual([{ model: "good", documents: 1, tokens: 9, seconds: expect.any(Number), ok: true }]);
    expect(await rerankers.rerank("good", "query", [], signal)).toMatchObject({ ok: true, tokens: 0 });
    expect(await rerankers.rerank("gone", "query", ["x"], signal)).toMatchObject({ ok: false, reason: "unavailable" });
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
    const result = rerankers.rerank("good", "query", ["x"], signal);
    calls[0]?.answer.reject(error);
    expect(await result).toMatchObject({ ok: false, reason });
    expect(uses.map((use) => use.ok)).toEqual([false]);
  });

  test("refuse what does not fit beside what waits, but take one that is larger alone", async () => {
    const { rerankers, calls } = lane();
    await rerankers.open("good", "r1", "path");
    const large = ["x".repeat(9_000_000)];
    const first = rerankers.rerank("good", "q", large, signal);
    expect(calls).toHaveLength(1);
    const second = await rerankers.rerank("good", "q", ["small"], signal);
    expect(second).toMatchObject({ ok: false, reason: "overloaded", retryAfterMs: expect.any(Number) });
    calls[0]?.answer.resolve(ANSWER);
    await first;
    const third = rerankers.rerank("good", "q", ["small"], signal);
    calls[1]?.answer.resolve(ANSWER);
    expect(await third).toMatchObject({ ok: true });
  });
});
