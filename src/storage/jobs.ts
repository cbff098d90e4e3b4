import type { GenerationId, JobId, StoreFileSeq, StoreId, TenantId } from "./ids.ts";
import { id, integer, json, nullable, type RowOf, table, text } from "./table.ts";

export type JobKind =
  | "ingest"
  | "purge_file"
  | "purge_store"
  | "build_index"
  | "write_image"
  | "migrate"
  | "catch_up"
  | "retire"
  | "finish_deletion"
  | "evaluate"
  | "reanalyze"
  | "answer"
  | "run";

/** A finished job's row is deleted: what it did is in the rows it changed. */
export const JOB = table("job", {
  id: integer<JobId>(),
  tenant_id: id<TenantId>(),
  kind: text<JobKind>(),
  store_id: nullable(id<StoreId>()),
  /** What it works on, e.g. a `store_file.seq`. */
  subject: text(),
  /** 0 before 1: a single file is not kept waiting by a batch. */
  priority: integer(),
  /** 1 while it is tried for the first time. */
  attempt: integer(),
  due_ms: integer(),
  /** The process run that works on it. */
  lease_owner: nullable(text()),
  /** Until when; past it the job is due again. */
  lease_ms: nullable(integer()),
  /** What else it was told; each kind has its own form. */
  payload: text(),
  created_at: integer(),
  /** How far whoever works on it is; null where that is not said. */
  progress: nullable(json<KeptProgress>()),
});

/** How far the indexing of a file is. */
export interface KeptProgress {
  stage: "queued" | "parse" | "chunk" | "embed" | "index";
  done: number;
  total: number;
  /** Files of the store a second, at the server that says so; null while that cannot be told. */
  pace: number | null;
}

/** Of a file that is being indexed somewhere. */
export interface ToldProgress {
  storeFile: StoreFileSeq;
  storeId: StoreId;
  /** The process run that works on it. */
  owner: string;
  progress: KeptProgress;
}

/** Kept by triggers on `job`. */
export const JOB_COUNT = table("job_count", {
  kind: text<JobKind>(),
  tenant_id: id<TenantId>(),
  waiting: integer(),
  running: integer(),
});

/** A job as whoever works on it sees it. */
export const CLAIMED_JOB = JOB.pick("id", "tenant_id", "kind", "store_id", "subject", "priority", "attempt", "payload");
export type JobRow = RowOf<typeof CLAIMED_JOB>;

export interface NewJob {
  tenantId: TenantId;
  kind: JobKind;
  storeId: StoreId | null;
  /** One job of a kind per subject: a second insert brings the waiting one forward. */
  subject: string;
  priority: 0 | 1;
  dueMs: number;
  payload?: string | undefined;
}

/** A job on a generation of a store, which nobody waits for. */
export function generationJob(
  kind: JobKind,
  { tenant_id: tenantId, store_id: storeId, id }: { tenant_id: TenantId; store_id: StoreId; id: GenerationId },
): NewJob {
  return { tenantId, kind, storeId, subject: String(id), priority: 1, dueMs: 0 };
}

/** Durable work with leases. A job is done exactly when its row is gone. */
export interface JobsTable extends JobLeases {
  insert(job: NewJob): Promise<void>;
  /** The same job for every one of these subjects. */
  insertEach(job: Omit<NewJob, "subject">, subjects: readonly string[]): Promise<void>;
  drop(tenantId: TenantId, kind: JobKind, subject: string): Promise<void>;
  dropEach(tenantId: TenantId, kind: JobKind, subjects: readonly string[]): Promise<void>;
  /** Drops a store's waiting jobs of these kinds; returns how many are running. */
  dropWaiting(tenantId: TenantId, storeId: StoreId, kinds: readonly JobKind[]): Promise<number>;
  /** Files in progress without a job (for the janitor). */
  filesWithoutJob(limit: number): Promise<{ tenant_id: TenantId; store_id: StoreId; seq: StoreFileSeq }[]>;
  /** Writes how far these files are, where they are worked on by `owner`; for those who ask another server. */
  tellProgress(owner: string, files: readonly Omit<ToldProgress, "owner">[]): Promise<void>;
  /** What was told of files that are worked on now, by anybody but `owner`. */
  toldProgress(owner: string): Promise<ToldProgress[]>;
  depth(): Promise<{ kind: JobKind; waiting: number; running: number }[]>;
}

/** Which jobs may be claimed. The last three: where several servers work on the same jobs (shared-leases.ts). */
export interface ClaimOptions {
  /** Jobs of none of these stores. */
  exceptStores?: readonly StoreId[] | undefined;
  /** Runs in the turn of the commit: whoever cancels the job from then on finds it running. */
  onClaimed?: ((job: JobRow) => void) | undefined;
  /** None of these. */
  exceptJobs?: readonly JobId[] | undefined;
  /** While the tenant has fewer of the kind running, wherever that is. */
  limit?: number | null | undefined;
  /** Models that are not here. */
  lacking?: readonly string[] | undefined;
}

/** What the runner does: a job is worked on by whoever leases it. */
export interface JobLeases {
  /** Those of the kinds of which jobs wait, due or not. */
  waitingKinds(kinds: readonly JobKind[]): Promise<JobKind[]>;
  /** Tenants with due work of this kind, those with urgent work first; and how many of theirs are being worked on. */
  dueTenants(kind: JobKind, nowMs: number): Promise<{ tenant_id: TenantId; priority: number; running: number }[]>;
  /** Leases the tenant's next due job to `owner` until `leaseMs`; null when there is none. */
  claim(
    kind: JobKind,
    tenantId: TenantId,
    nowMs: number,
    owner: string,
    leaseMs: number,
    claim?: ClaimOptions,
  ): Promise<JobRow | null>;
  /** Done: the row goes, unless the work was asked for again meanwhile (`insert`); then it is due at once. */
  finish(id: JobId, owner: string): Promise<void>;
  /** To be tried again at `dueMs`. */
  retry(id: JobId, owner: string, dueMs: number): Promise<void>;
  /** Interrupted through no fault of its own (a stop): due at once, the attempt is not counted. */
  giveBack(id: JobId, owner: string): Promise<void>;
  /**
   * Of these, which run: what is leased to `owner` and does not run is due again once its lease has run out. A database that
   * crashed may have forgotten how such a one ended.
   */
  renew(owner: string, ids: readonly JobId[], nowMs: number, leaseMs: number): Promise<void>;
  /** Makes due again what a dead process, or a lease that ran out, still holds. Returns how many. */
  releaseLost(owner: string, nowMs: number): Promise<number>;
  /** Takes the job on this subject from whoever else works on it: what he writes from now on is refused. */
  revoke(kind: JobKind, subject: string, owner: string): Promise<void>;
  /** Takes every job of the store from whoever else works on it. */
  revokeStore(storeId: StoreId, owner: string): Promise<void>;
  /** When the next job of one of these kinds is due that nobody works on; Unix milliseconds, null when there is none. */
  nextDueMs(kinds: readonly JobKind[]): Promise<number | null>;
}
