/** What `ingest` and `sync` say: for people, or as JSON lines (`--json`), or failures only (`--quiet`). */
import type { NamedFile } from "./ingest-file.ts";
import type { IngestOptions } from "./ingest-options.ts";
import type { FileName } from "./names.ts";
import { createProgress } from "./progress.ts";
import type { Outcome, Progress } from "./progress.ts";
import { formatBytes, formatDuration, printable } from "./terminal.ts";
import type { Terminal } from "./terminal.ts";

export const EXIT = { done: 0, failed: 1, interrupted: 130 } as const;

/** What a dry run found out about a file. */
export type Intent = "would_index" | "would_replace" | "would_move" | "unchanged" | "would_remove";

interface FileLine {
  name: FileName;
  status: Outcome["kind"] | "removed" | Intent;
  bytes?: number;
  fileId?: string | undefined;
  from?: string;
  error?: string;
}

export class IngestReport {
  readonly #terminal: Terminal;
  readonly #options: IngestOptions;
  readonly #files: readonly NamedFile[];
  readonly #progress: Progress;
  readonly #startedMs = performance.now();
  readonly #intents = new Map<Intent, number>();
  #removed = 0;

  constructor(terminal: Terminal, options: IngestOptions, files: readonly NamedFile[]) {
    this.#terminal = terminal;
    this.#options = options;
    this.#files = files;
    const isSilent = options.quiet || options.dryRun;
    const shown = isSilent ? { ...terminal, err: () => {}, errIsTerminal: false } : terminal;
    const bytes = files.reduce((sum, file) => sum + file.bytes, 0);
    this.#progress = createProgress(shown, { files: files.length, bytes }, () => performance.now());
  }

  advance(file: NamedFile, share: number): void {
    this.#progress.advance({ key: file.name.path, bytes: file.bytes }, share);
  }

  settle(file: NamedFile, outcome: Outcome): void {
    this.#progress.settle({ key: file.name.path, bytes: file.bytes }, outcome);
    const { kind: status, fileId } = outcome;
    const more =
      outcome.kind === "failed" ? { error: outcome.reason } : outcome.kind === "moved" ? { from: outcome.from } : {};
    this.#line({ name: file.name, status, bytes: file.bytes, fileId, ...more });
  }

  /** Of a dry run. */
  intend(name: FileName, status: Intent, bytes?: number): void {
    this.#intents.set(status, (this.#intents.get(status) ?? 0) + 1);
    this.#line({ name, status, ...(bytes !== undefined && { bytes }) });
    const { json, quiet } = this.#options;
    if (!json && !quiet && status !== "unchanged")
      this.#terminal.out(`${status.replace("_", " ")} ${printable(name.path)}\n`);
  }

  removed(name: FileName, fileId: string): void {
    this.#removed += 1;
    this.#line({ name, status: "removed", fileId });
    if (!this.#options.quiet && !this.#options.json) this.#terminal.err(`removed ${printable(name.path)}\n`);
  }

  /** Ends the moving line. */
  finish(): void {
    this.#progress.finish();
  }

  /** The closing lines; the exit status. */
  close(storeId: string | null): number {
    const { counts, failures } = this.#progress;
    const done = counts.indexed + counts.unchanged + counts.moved + counts.failed;
    const rest = this.#options.dryRun ? 0 : this.#files.length - done;
    if (failures.length > 0) {
      this.#terminal.err(`${failures.length} failed:\n`);
      for (const { key, reason } of failures) this.#terminal.err(`  ${printable(key)}: ${printable(reason)}\n`);
    }
    if (this.#options.json) this.#jsonSummary(storeId, rest);
    else if (!this.#options.quiet) this.#terminal.out(this.#summary(storeId, rest));
    if (rest > 0) this.#terminal.err("Interrupted; the same command goes on from here.\n");
    return rest > 0 ? EXIT.interrupted : counts.failed > 0 ? EXIT.failed : EXIT.done;
  }

  #summary(storeId: string | null, rest: number): string {
    const where = `in store ${printable(this.#options.store)}${storeId === null ? "" : ` ${storeId}`}`;
    if (this.#options.dryRun) {
      const { would_index, would_replace, would_move, unchanged, would_remove } = this.#intended();
      const moves = would_move > 0 ? `, ${would_move} to move` : "";
      const removal = this.#options.prune ? `, ${would_remove} to remove` : "";
      return `${would_index} to index, ${would_replace} to replace, ${unchanged} unchanged${moves}${removal} ${where}; nothing was changed\n`;
    }
    const { indexed, unchanged, moved, failed, bytes } = this.#progress.counts;
    const seconds = (performance.now() - this.#startedMs) / 1000;
    return (
      `${indexed} indexed, ${unchanged} unchanged, ${failed} failed` +
      `${moved > 0 ? `, ${moved} moved` : ""}${this.#removed > 0 ? `, ${this.#removed} removed` : ""}${rest > 0 ? `, ${rest} not reached` : ""} ` +
      `(${formatBytes(bytes)} in ${formatDuration(seconds)}) ${where}\n`
    );
  }

  #jsonSummary(storeId: string | null, rest: number): void {
    const { counts } = this.#progress;
    const done = {
      indexed: counts.indexed,
      unchanged: counts.unchanged,
      moved: counts.moved,
      failed: counts.failed,
      removed: this.#removed,
    };
    this.#json({
      object: `${this.#options.verb}.summary`,
      store_id: storeId,
      dry_run: this.#options.dryRun,
      ...(this.#options.dryRun ? this.#intended() : { ...done, not_reached: rest }),
      bytes: this.#files.reduce((sum, file) => sum + file.bytes, 0),
      seconds: Math.round(performance.now() - this.#startedMs) / 1000,
    });
  }

  #intended(): Record<Intent, number> {
    const of = (kind: Intent) => this.#intents.get(kind) ?? 0;
    return {
      would_index: of("would_index"),
      would_replace: of("would_replace"),
      would_move: of("would_move"),
      unchanged: of("unchanged"),
      would_remove: of("would_remove"),
    };
  }

  #line({ name, status, bytes, fileId, from, error }: FileLine): void {
    if (!this.#options.json) return;
    this.#json({
      object: `${this.#options.verb}.file`,
      path: name.path,
      path_root: name.root,
      status,
      ...(fileId !== undefined && { file_id: fileId }),
      ...(bytes !== undefined && { bytes }),
      ...(from !== undefined && { from }),
      ...(error !== undefined && { error }),
    });
  }

  #json(value: object): void {
    this.#terminal.out(`${JSON.stringify(value)}\n`);
  }
}
