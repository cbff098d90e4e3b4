/** What `sync --watch` says after its first pass: a line for each file, or a JSON line. */
import type { NamedFile } from "./ingest-file.ts";
import type { IngestOptions } from "./ingest-options.ts";
import type { FileName } from "./names.ts";
import { outcomeLine } from "./progress.ts";
import type { Outcome } from "./progress.ts";
import { printable } from "./terminal.ts";
import type { Terminal } from "./terminal.ts";

export class SyncReport {
  readonly #terminal: Terminal;
  readonly #options: IngestOptions;
  readonly #counts = { indexed: 0, unchanged: 0, moved: 0, failed: 0, removed: 0 };

  constructor(terminal: Terminal, options: IngestOptions) {
    this.#terminal = terminal;
    this.#options = options;
  }

  /** The first pass is through; from here on changes are followed. */
  watching(storeId: string, problem: string | null): void {
    if (this.#options.json) this.#json({ object: "sync.watching", store_id: storeId, by: byText(problem), problem });
    else if (!this.#options.quiet) {
      const how =
        problem === null ? "" : `; the system reports no changes (${problem}), so it is looked through again and again`;
      this.#terminal.err(`Watching ${this.#options.paths.join(" ")}${how}. Ctrl-C ends it.\n`);
    }
  }

  settle(file: NamedFile, outcome: Outcome): void {
    this.#counts[outcome.kind] += 1;
    const { json, quiet } = this.#options;
    if (json) {
      const { kind: status, fileId, ...more } = outcome;
      const rest = "reason" in more ? { error: more.reason } : "from" in more ? { from: more.from } : {};
      this.#file(file.name, { status, ...(fileId !== undefined && { file_id: fileId }), bytes: file.bytes, ...rest });
    } else if (outcome.kind === "failed" || (!quiet && outcome.kind !== "unchanged"))
      this.#terminal.err(outcomeLine(file.name.path, outcome));
  }

  removed(name: FileName, fileId: string): void {
    this.#counts.removed += 1;
    if (this.#options.json) this.#file(name, { status: "removed", file_id: fileId });
    else if (!this.#options.quiet) this.#terminal.err(`removed ${printable(name.path)}\n`);
  }

  /** Something that a person has to know, whatever was asked for. */
  say(text: string): void {
    this.#terminal.err(`${printable(text)}\n`);
  }

  close(storeId: string): void {
    const { indexed, moved, removed, failed } = this.#counts;
    if (this.#options.json) this.#json({ object: "sync.stopped", store_id: storeId, ...this.#counts });
    else if (!this.#options.quiet)
      this.#terminal.out(`while watching: ${indexed} indexed, ${moved} moved, ${removed} removed, ${failed} failed\n`);
  }

  #file({ path, root }: FileName, more: object): void {
    this.#json({ object: "sync.file", path, path_root: root, ...more });
  }

  #json(value: object): void {
    this.#terminal.out(`${JSON.stringify(value)}\n`);
  }
}

const byText = (problem: string | null) => (problem === null ? "reports" : "looking");
