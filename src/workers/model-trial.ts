import { statSync } from "node:fs";
import { join } from "node:path";
import { messageOf } from "../errors.ts";
import type { Natives } from "../platform/native.ts";
import type { ProcessBounds } from "../platform/process-bounds.ts";
import { createWorkerPool, WorkerCallError } from "../platform/worker-pool.ts";
import { processes } from "../platform/worker-process.ts";
import type { NativeMethods } from "./protocol.ts";

/**
 * The first run of a model's graph, in a process of its own with a bound on its time and its memory: a graph is a
 * program, and one that never ends would hold the lane that queries use.
 */
export interface TrialOptions {
  natives: Natives;
  bounds: ProcessBounds;
  deadlineMs?: number | undefined;
  memoryBytes?: number | undefined;
}

export interface TriedFolder {
  kind: "embedding" | "reranker";
  directory: string;
  /** Those that are read, by their paths in the folder. */
  files: readonly string[];
}

const DEADLINE_MS = 60_000;
/** A plain sentence needs little; opening a graph may take its weights several times over. */
const BASE_BYTES = 2 ** 30;
const TIMES_ITS_FILES = 4;
const MIB = 2 ** 20;

/** What is wrong with it; nothing when it gives vectors, or scores, for a plain sentence. */
export async function tryModel(folder: TriedFolder, options: TrialOptions): Promise<string[]> {
  const { natives, bounds, deadlineMs = DEADLINE_MS, memoryBytes = memoryFor(folder) } = options;
  await using pool = createWorkerPool<NativeMethods>({
    start: processes({ entry: "native", bounds, memoryBytes: () => memoryBytes }),
    size: 1,
    terminable: true,
    init: { natives, threads: 1, nice: 0 },
    name: "trial",
  });
  const key = "trial";
  try {
    const loaded =
      folder.kind === "reranker"
        ? await pool.call("loadReranker", { key, path: folder.directory }, { deadlineMs })
        : await pool.call("load", { key, source: { type: "directory", path: folder.directory } }, { deadlineMs });
    return loaded.ok ? [] : [...loaded.problems];
  } catch (error) {
    return [problemOf(error, deadlineMs, memoryBytes)];
  }
}

function problemOf(error: unknown, deadlineMs: number, memoryBytes: number): string {
  if (!(error instanceof WorkerCallError)) return `it does not run: ${messageOf(error)}`;
  switch (error.reason) {
    case "deadline":
      return `it gives no answer for a plain sentence within ${Math.round(deadlineMs / 1000)} seconds`;
    case "memory":
    case "killed":
      return `it takes more than ${Math.round(memoryBytes / MIB)} MiB of memory for a plain sentence`;
    case "crashed":
    case "aborted":
    case "closed":
      return "the process that ran it ended";
  }
}

function memoryFor({ directory, files }: TriedFolder): number {
  const sizes = files.map((name) => statSync(join(directory, name), { throwIfNoEntry: false })?.size ?? 0);
  return BASE_BYTES + TIMES_ITS_FILES * sizes.reduce((sum, size) => sum + size, 0);
}
