import type { AnalysedBefore } from "../storage/chunk-terms.ts";
import type { GenerationRow } from "../storage/generations.ts";
import type { Storage } from "../storage/storage.ts";
import type { Failpoint } from "../platform/failpoint.ts";
import { ANALYZER_VERSION } from "../index/term-blob.ts";
import type { StoreIndex } from "../index/store-index.ts";
import type { ParseLane } from "../workers/parse-lane.ts";
import { nextTurn } from "../platform/next-turn.ts";
import type { JobHandler, JobOutcome } from "./runner.ts";

/**
 * Brings the keyword terms of a store's chunks to this version's analyzer while searches go on.
 *
 * - A newer analyzer's terms are those of the older one and more. So there is no state in between that answers wrongly:
 *   a chunk is found by what it was found by before, and, once its turn has come, by more.
 * - What is left to do is found in the terms themselves: a process that dies anywhere goes on where it was.
 * - Texts and vectors stay as they are; nothing is parsed or embedded. What the title of a document adds is in the old
 *   terms, which are kept.
 */
export interface ReanalyzeDeps {
  storage: Storage;
  parse: Pick<ParseLane, "upgradeTerms">;
  /** Makes a change to an index of the store that is in memory, or on its way there. */
  apply(storeId: string, generation: number, write: (index: StoreIndex) => void): void;
  failpoint: Failpoint;
}

/** Chunks of one transaction and one call of a worker: some milliseconds each. */
const CHUNKS = 32;
const FILES = 100;
const CRASH_RETRY_MS = 2_000;

/** Subject: a store's id. */
export function createReanalyzeHandler(deps: ReanalyzeDeps): JobHandler {
  return {
    kind: "reanalyze",
    concurrency: 1,
    async run(job, signal) {
      for (let after = 0; ;) {
        const files = await deps.storage.storeFiles.seqsAfter(job.tenant_id, job.subject, after, FILES);
        for (const seq of files) {
          const ended = await reanalyzeFile(deps, job.subject, { tenantId: job.tenant_id, seq }, signal);
          if (ended !== null) return ended;
        }
        const last = files.at(-1);
        if (last === undefined) return { type: "done" };
        after = last;
      }
    },
  };
}

/** Null when the file has nothing left to do. */
async function reanalyzeFile(
  deps: ReanalyzeDeps,
  storeId: string,
  { tenantId, seq }: { tenantId: string; seq: number },
  signal: AbortSignal,
): Promise<JobOutcome | null> {
  const { storage, parse, failpoint } = deps;
  for (;;) {
    if (signal.aborted) return { type: "interrupted" };
    const found = await storage.chunkTerms.analysedBefore(tenantId, seq, ANALYZER_VERSION, CHUNKS + 1);
    if (found.length === 0) return null;
    const before = found.slice(0, CHUNKS);
    const last = found.length > CHUNKS ? null : { tenantId, seq };
    const filename = (await storage.storeFiles.bySeq(tenantId, seq))?.filename ?? "";
    const made = await parse.upgradeTerms(
      tenantId,
      before.map(({ text, heading, terms }) => ({ text, heading: heading ?? [], filename, terms })),
      signal,
    );
    if (made === null) return signal.aborted ? { type: "interrupted" } : { type: "retry", inMs: CRASH_RETRY_MS };
    const after = before.map((chunk, i) => ({ ...chunk, after: made[i] ?? chunk.terms }));
    // A job writes them, which does it again.
    await storage.transaction(async ({ chunkTerms, generations }, tx) => {
      await chunkTerms.replace(
        after.map(({ id, after: terms }) => ({ id, terms })),
        last,
      );
      const all = await generations.ofStore(tenantId, storeId);
      tx.onCommit(() => show(deps, all, seq, after));
    }, "work");
    failpoint("reanalyze:some-written");
    await nextTurn();
  }
}

/** In the turn of the commit, as every write to an index. */
function show(
  { apply }: ReanalyzeDeps,
  generations: readonly GenerationRow[],
  storeFile: number,
  chunks: readonly (AnalysedBefore & { after: Uint8Array })[],
): void {
  for (const generation of generations) {
    const own = chunks.filter(({ chunk_set }) => chunk_set === generation.chunk_set);
    if (generation.state === "retired" || own.length === 0) continue;
    const added = new Map(own.map(({ id, terms, after }) => [id, { before: terms, after }]));
    apply(generation.store_id, generation.id, (index) => index.extendTerms(storeFile, added));
  }
}
