import { describe, expect, test } from "bun:test";

import type { SlowDocument } from "../../test/fixtures/parse/slow-documents.ts";
import { SLOW_DOCUMENTS } from "../../test/fixtures/parse/slow-documents.ts";
import { parseDocument } from "../parse/parse.ts";
import { chunkDocument } from "./chunk.ts";

/** Doubled three times, a document may cost 2.8 times as much each time: twice is right, its square would be four. */
const GROWTH = 8;
const MAX_RATIO = 2.8 ** 3;
/** Milliseconds of the processor below which nothing can be told, and those in which each of these is done. */
const LEAST_MS = 40;
const TRIES = 3;
const ROUNDS = 4;

/** Share of the counts in the list with which all of them take less than a minute. */
const SCALE = 0.04;

function cpuMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

async function costOf({ make, filename }: SlowDocument, count: number): Promise<number> {
  const content = make(count);
  const bytes = typeof content === "string" ? new TextEncoder().encode(content) : content;
  const before = cpuMs();
  const result = await parseDocument({ bytes, filename, contentType: null });
  if (result.ok) chunkDocument(result.document, { maxTokens: 800, overlapTokens: 400 });
  return cpuMs() - before;
}

async function leastOf(document: SlowDocument, count: number): Promise<number> {
  let least = Infinity;
  for (let i = 0; i < TRIES && least > LEAST_MS; i++) least = Math.min(least, await costOf(document, count));
  return least;
}

describe("a document costs no more than its size, whatever it repeats", () => {
  test.each(SLOW_DOCUMENTS.map((document) => [document.name, document] as const))(
    "%s",
    async (_name, document) => {
      const count = Math.max(20, Math.ceil(document.count * SCALE));
      let [small, large] = [Infinity, Infinity];
      let ratio = Infinity;
      // Others on the machine only ever add to a measure, so that a document that once passes has passed.
      for (let round = 0; round < ROUNDS && ratio > MAX_RATIO; round++) {
        large = Math.min(large, await leastOf(document, count * GROWTH));
        if (large <= LEAST_MS) return;
        small = Math.min(small, await leastOf(document, count));
        ratio = large / Math.max(small, LEAST_MS / MAX_RATIO);
      }
      expect(ratio).toBeLessThan(MAX_RATIO);
    },
    60_000,
  );
});
