import { embedFailure } from "../../embed/provider.ts";
import type { RankerCatalog } from "../../models/ranker-catalog.ts";

/** Two rerankers for tests: one finds short texts relevant, the other texts with many words of the query. */
export const SHORT = "short-first";
export const OVERLAP = "acme/overlap";

export interface TestRankers extends RankerCatalog {
  preferred: string | null;
  candidates: number;
  /** Rerankers that are there. */
  present: string[];
  /** While set, all of them fail like this. */
  failure: "overloaded" | "unavailable" | "rejected" | null;
  /** What was read, in order. */
  read: { model: string; query: string; documents: string[] }[];
  /** Runs while a reranker reads. */
  meanwhile: () => unknown;
}

export function testRankers(): TestRankers {
  const rankers: TestRankers = {
    preferred: null,
    candidates: 50,
    present: [SHORT, OVERLAP],
    failure: null,
    read: [],
    meanwhile: () => {},
    installed: () => rankers.present,
    names: () => [...rankers.present, "lectern-rank"],
    choose(name) {
      if (rankers.present.includes(name)) return { ok: true, model: name };
      if (name === "lectern-rank") return { ok: true, model: null };
      if (name === "broken")
        return { ok: false, reason: "unavailable", message: "The reranker 'broken' cannot be used." };
      return { ok: false, reason: "unknown", message: `there is no reranker '${name}'` };
    },
    chooseHosted: (name) => (name === "rerank-v3.5" ? { ok: true, model: null } : rankers.choose(name)),
    async rerank(model, { query, documents }) {
      rankers.read.push({ model, query, documents: [...documents] });
      await rankers.meanwhile();
      if (rankers.failure !== null) return Promise.resolve(embedFailure(rankers.failure, "for a test", 2000));
      const scores = Float64Array.from(documents, (text) => (model === SHORT ? short(text) : overlap(query, text)));
      return Promise.resolve({ ok: true, scores, tokens: documents.length });
    },
  };
  return rankers;
}

function short(text: string): number {
  return 1 / (1 + text.length);
}

export function overlap(query: string, text: string): number {
  const words = (of: string) => new Set(of.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? []);
  const [asked, found] = [words(query), words(text)];
  return asked.size === 0 ? 0 : [...asked].filter((word) => found.has(word)).length / asked.size;
}
