/** What the server takes of the machine, every few seconds: from /proc, its data directory, its database and its own metrics. */
import { Database } from "bun:sqlite";
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { memoryOf } from "../helpers/process-memory.ts";
import type { House } from "./house.ts";
import { type Ledger, quantile } from "./ledger.ts";

/** In the order of table and plots. */
export const SERIES = {
  rss: "resident memory, MiB",
  anon: "anonymous memory, MiB",
  heap: "objects of the serving thread, MiB",
  heapBeside: "buffers and texts of those objects, MiB",
  heapTaken: "memory taken for those objects, MiB",
  children: "resident memory of its children, MiB",
  handles: "open files and connections",
  threads: "threads",
  processes: "processes",
  wal: "write-ahead log, MiB",
  database: "database, MiB",
  temporary: "temporary files",
  files: "files in the data directory",
  indexes: "open indexes",
  indexBytes: "memory of open indexes, MiB",
  strayIndexes: "open indexes beyond the generations that there are",
  generations: "index generations in the database",
  answers: "answers stored",
  deletions: "records of deletions",
  stall: "longest stall of the event loop, ms",
  library: "files of the lasting stores",
  search: "search, p50 ms",
  searchTail: "search, p95 ms",
  upload: "upload, p50 ms",
  all: "all requests, p95 ms",
  rate: "requests a second",
} as const;
export type SeriesName = keyof typeof SERIES;

export type Sample = Record<SeriesName, number> & {
  /** Seconds since the start of the soak. */
  at: number;
  /** Which start of the server it was. */
  life: number;
};

const MIB = 2 ** 20;

export class Sampler {
  readonly samples: Sample[] = [];
  /** Taken while nothing is asked and the garbage is collected. */
  readonly rests: Sample[] = [];
  readonly #house: House;
  readonly #ledger: Ledger;
  readonly #librarySize: () => number;
  readonly #startedMs = performance.now();
  #lastMs = performance.now();

  constructor(house: House, ledger: Ledger, librarySize: () => number) {
    this.#house = house;
    this.#ledger = ledger;
    this.#librarySize = librarySize;
  }

  /** Null where the server was just down. */
  async take(): Promise<Sample | null> {
    return await this.#into(this.samples);
  }

  async takeAtRest(): Promise<Sample | null> {
    return await this.#into(this.rests);
  }

  async #into(samples: Sample[]): Promise<Sample | null> {
    try {
      const sample = await this.#look();
      samples.push(sample);
      return sample;
    } catch {
      return null;
    }
  }

  async #look(): Promise<Sample> {
    const { pid, dataDir } = this.#house.server;
    const response = await this.#house.server.fetch("/metrics", { signal: AbortSignal.timeout(30_000) });
    const metrics = await response.text();
    const metric = (name: string, labels = "[^}]*") =>
      Number(new RegExp(`^${name}(?:\\{${labels}\\})? (\\S+)$`, "m").exec(metrics)?.[1] ?? "NaN");
    const heap = (part: string) => metric("lectern_heap_bytes", `part="${part}"`) / MIB;
    const own = memoryOf(pid);
    const children = descendants(pid);
    const now = performance.now();
    const times = this.#ledger.takeTimes();
    const of = (name: string) => times.get(name) ?? [];
    const all = [...times.values()].flat();
    const search = of("POST /v1/vector_stores/{vector_store_id}/search");
    const indexes = metric("lectern_indexes_open");
    const rows = rowsIn(dataDir);
    const sample: Sample = {
      at: (now - this.#startedMs) / 1000,
      life: this.#house.startMs.length,
      rss: own.residentBytes / MIB,
      anon: own.privateBytes / MIB,
      heap: heap("used"),
      heapBeside: heap("beside"),
      heapTaken: heap("taken"),
      children: children.reduce((sum, child) => sum + residentOf(child), 0) / MIB,
      handles: readdirSync(`/proc/${pid}/fd`).length,
      threads: readdirSync(`/proc/${pid}/task`).length,
      processes: 1 + children.length,
      wal: sizeOf(join(dataDir, "meta.sqlite-wal")) / MIB,
      database: sizeOf(join(dataDir, "meta.sqlite")) / MIB,
      temporary: countFiles(join(dataDir, "tmp")),
      files: countFiles(dataDir),
      indexes,
      strayIndexes: Math.max(0, indexes - rows.generations),
      indexBytes: metric("lectern_index_bytes") / MIB,
      ...rows,
      stall: metric("lectern_event_loop_stall_seconds") * 1000,
      library: this.#librarySize(),
      search: quantile(search, 0.5),
      searchTail: quantile(search, 0.95),
      upload: quantile(of("POST /v1/files"), 0.5),
      all: quantile(all, 0.95),
      rate: all.length / ((now - this.#lastMs) / 1000),
    };
    this.#lastMs = now;
    return sample;
  }
}

/** What of the database is to be looked at beside what grows in memory: how much there is of what. */
function rowsIn(dataDir: string): Record<"generations" | "answers" | "deletions", number> {
  using db = new Database(join(dataDir, "meta.sqlite"), { readonly: true });
  const rows = (of: string) => db.query<{ n: number }, []>(`SELECT count(*) AS n FROM ${of}`).get()?.n ?? 0;
  return {
    generations: rows("generation WHERE state <> 'retired'"),
    answers: rows("response"),
    deletions: rows("deletion"),
  };
}

/** Processes that it started, and theirs. */
function descendants(pid: number): number[] {
  const found: number[] = [];
  for (const task of readdirSync(`/proc/${pid}/task`)) {
    const path = `/proc/${pid}/task/${task}/children`;
    if (!existsSync(path)) continue;
    for (const child of readFileSync(path, "utf8").split(" ").filter(Boolean).map(Number))
      found.push(child, ...safely(() => descendants(child), []));
  }
  return found;
}

const residentOf = (pid: number) => safely(() => memoryOf(pid).residentBytes, 0);
const sizeOf = (path: string) => safely(() => statSync(path).size, 0);
const countFiles = (path: string) =>
  safely(() => readdirSync(path, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile()).length, 0);

/** What ends meanwhile counts as nothing. */
function safely<T>(look: () => T, otherwise: T): T {
  try {
    return look();
  } catch {
    return otherwise;
  }
}
