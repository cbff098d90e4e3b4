import { expect, test } from "bun:test";
import type { StoreFileRow } from "../../storage/store-files.ts";
import type { StoreRow } from "../../storage/stores.ts";
import type { Progress } from "../attaching/schema.ts";
import { FilesProgress, type Source } from "./progress.ts";

/** A store of files of which a test says how far they are. */
class Files {
  readonly progress = new Map<number, Progress>();
  readonly rows: StoreFileRow[] = [];
  nowMs = 0;

  add(bytes: number, status: StoreFileRow["status"] = "in_progress"): number {
    const seq = this.rows.length + 1;
    this.rows.push({ seq, file_id: `file-${seq}`, status, n_chunks: 0, file_bytes: bytes } as StoreFileRow);
    return seq;
  }

  end(seq: number): void {
    const row = this.rows[seq - 1];
    if (row !== undefined) this.rows[seq - 1] = { ...row, status: "completed" };
  }

  follow(forgetsEnded: boolean): () => Promise<number | null> {
    const left = () => this.rows.filter(({ status }) => status === "in_progress");
    const counts = () => ({
      in_progress: left().length,
      completed: this.rows.length - left().length,
      failed: 0,
      cancelled: 0,
      total: this.rows.length,
    });
    const source: Source = {
      storeId: "vs_1",
      batchId: forgetsEnded ? null : "vsfb_1",
      forgetsEnded,
      tellsCounts: false,
      counts: () => Promise.resolve(counts()),
      all: () => Promise.resolve(forgetsEnded ? left() : this.rows),
      inProgress: () => Promise.resolve(left().map(({ seq }) => seq)),
      rows: (seqs) => Promise.resolve(this.rows.filter(({ seq }) => seqs.includes(seq))),
      progress: { fresh: () => Promise.resolve(), get: (seq) => this.progress.get(seq) ?? null },
    };
    const files = new FilesProgress(source, () => this.nowMs);
    return async () => {
      await files.look({ n_in_progress: left().length } as StoreRow);
      return files.lastData(0).eta_seconds;
    };
  }
}

test.each([true, false])("one large file tells the time left as it is embedded (a store: %p)", async (forgetsEnded) => {
  const files = new Files();
  for (let i = 0; i < 50; i++) files.add(1000, "completed");
  const large = files.add(1_000_000);
  files.progress.set(large, { stage: "embed", done: 500, total: 1000 });
  const eta = files.follow(forgetsEnded);
  // Neither what had ended before nor what it had done before says how fast it is now.
  expect(await eta()).toBeNull();
  files.nowMs = 1000;
  expect(await eta()).toBeNull();
  files.progress.set(large, { stage: "embed", done: 600, total: 1000 });
  expect(await eta()).toBe(4);
  files.end(large);
  expect(await eta()).toBe(0);
});

test("files count by their size", async () => {
  const files = new Files();
  const [small] = [files.add(1000), files.add(9000)];
  const eta = files.follow(true);
  await eta();
  files.nowMs = 1000;
  files.end(small);
  expect(await eta()).toBe(9);
});
