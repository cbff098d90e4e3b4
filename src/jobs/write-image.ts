import { existsSync, mkdirSync, readdirSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { messageOf } from "../errors.ts";
import { imageSince } from "../index/image-file.ts";
import type { StoreIndex } from "../index/store-index.ts";
import type { Clock } from "../platform/clock.ts";
import { assertDiskRoom } from "../platform/disk-reserve.ts";
import { pathPart } from "../platform/ids.ts";
import type { Log } from "../platform/log.ts";
import type { GenerationRow } from "../storage/generations.ts";
import type { Storage } from "../storage/storage.ts";
import type { ImageLane } from "../workers/image-lane.ts";
import { imagePath } from "./index-image.ts";
import type { JobHandler, JobOutcome } from "./runner.ts";
import { generationJob, type JobRow } from "../storage/jobs.ts";

export interface WriteImageDeps {
  storage: Storage;
  dataDir: string;
  database: string;
  lane: Pick<ImageLane, "write">;
  clock: Clock;
  log: Log;
  /** The index in memory, for callers that must not wait. */
  peek(storeId: string, generation: number): StoreIndex | null;
  /** Has an index in memory give way to the one of the image. */
  refresh(storeId: string, generation: number): Promise<void>;
  ended(generation: GenerationRow, end: ImageEnd): void;
  /** Chunks from which a store has an image (default: LEAST_IMAGED_CHUNKS). */
  least?: number | undefined;
}

/** How the writing of an image ended. */
export interface ImageEnd {
  outcome: "written" | "failed" | "put-off";
  /** What `StoreIndex.changes` said of that index when it began. */
  before: { index: StoreIndex; changes: number } | null;
  ms: number;
}

/** Smaller stores are read from the database in the time that a person does not notice; nothing is written for fewer changes. */
export const LEAST_IMAGED_CHUNKS = 500;
/** Bytes a chunk that an image may take, amply, beside its vectors. */
const CHUNK_BYTES = 4_096;
/** An index that holds more than this share of its image's bytes in memory gives way to the image. */
const HELD_SHARE = 1 / 8;

/** Subject: a generation's id. */
export function createWriteImageHandler(deps: WriteImageDeps): JobHandler {
  return {
    kind: "write_image",
    concurrency: 1,
    async run(job, signal) {
      const generation = await deps.storage.generations.get(job.tenant_id, Number(job.subject));
      if (generation === null || isWritten(deps.dataDir, generation, job)) return { type: "done" };
      const store = await deps.storage.stores.get(generation.tenant_id, generation.store_id);
      const isWanted =
        generation.state === "live" && store !== null && store.n_chunks >= (deps.least ?? LEAST_IMAGED_CHUNKS);
      if (!isWanted) {
        removeImage(deps.dataDir, generation);
        deps.ended(generation, { outcome: "put-off", before: null, ms: 0 });
        return { type: "done" };
      }
      return await writeImage(deps, { generation, chunks: store.n_chunks }, signal);
    },
  };
}

/**
 * Whether an earlier run of the job, which the end of the process kept from saying so, wrote what was asked for: a start
 * must not begin with doing that again.
 */
function isWritten(dataDir: string, { store_id, id }: GenerationRow, { attempt, payload }: JobRow): boolean {
  const askedMs = attempt > 1 ? Number(payload) : Number.NaN;
  return askedMs > 0 && (imageSince(imagePath(dataDir, store_id, id)) ?? 0) >= askedMs;
}

async function writeImage(
  deps: WriteImageDeps,
  { generation, chunks }: { generation: GenerationRow; chunks: number },
  signal: AbortSignal,
): Promise<JobOutcome> {
  const { dataDir, database, lane, clock, log } = deps;
  const { store_id: store, tenant_id: tenantId, id } = generation;
  const path = imagePath(dataDir, store, id);
  const index = deps.peek(store, id);
  const before = index === null ? null : { index, changes: index.changes };
  const startedAt = performance.now();
  const ended = (outcome: ImageEnd["outcome"]) =>
    deps.ended(generation, { outcome, before, ms: performance.now() - startedAt });
  try {
    mkdirSync(dirname(path), { recursive: true });
    // The old image stays until the new one is whole.
    await assertDiskRoom(dirname(path), chunks * (generation.dimensions + CHUNK_BYTES));
    const written = await lane.write({ database, dataDir, generation, nowMs: clock.nowMs() }, chunks, signal);
    if ((await deps.storage.generations.get(tenantId, id))?.state !== "live") removeImage(dataDir, generation);
    if (!written.ok) {
      ended("put-off");
      return { type: "done" };
    }
    const ms = Math.round(performance.now() - startedAt);
    log.info("index image written", { store, chunks: written.chunks, bytes: written.bytes, ms });
    ended("written");
    const held = deps.peek(store, id);
    if (held !== null && held.scannedBytes > written.bytes * HELD_SHARE) await deps.refresh(store, id);
    return { type: "done" };
  } catch (error) {
    if (signal.aborted) return { type: "interrupted" };
    ended("failed");
    log.warn("an index image could not be written; the next start reads what it lacks from the database", {
      store,
      error: messageOf(error),
    });
    return { type: "done" };
  } finally {
    for (const rest of [".tmp", ".part", ".part.tmp"]) rmSync(path + rest, { force: true });
  }
}

/** Queues the writing of a generation's image; `nowMs`: Unix milliseconds. */
export async function scheduleImage(
  storage: Pick<Storage, "jobs">,
  generation: Pick<GenerationRow, "tenant_id" | "store_id" | "id">,
  nowMs: number,
): Promise<void> {
  await storage.jobs.insert({ ...generationJob("write_image", generation), payload: String(nowMs) });
}

export function removeImage(dataDir: string, { store_id, id }: Pick<GenerationRow, "store_id" | "id">): void {
  rmSync(imagePath(dataDir, store_id, id), { force: true });
}

/** Generations of a store with an image that may hold what was there at this time. */
export function imagesBefore(dataDir: string, storeId: string, ms: number): number[] {
  const directory = join(dataDir, "stores", pathPart(storeId));
  const names = existsSync(directory) ? readdirSync(directory) : [];
  return names.flatMap((name) => {
    const generation = IMAGE_NAME.exec(name)?.[1];
    // One that does not say since when may be anything.
    return generation !== undefined && (imageSince(join(directory, name)) ?? 0) <= ms ? [Number(generation)] : [];
  });
}

const IMAGE_NAME = /^gen-(\d+)\.image$/;
