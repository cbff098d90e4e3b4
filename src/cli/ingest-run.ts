/** A pass over folders: what stands there goes into the store, what left them out of it. For `ingest` and `sync`. */
import type { Client } from "./client.ts";
import type { Collected } from "./collect.ts";
import { findStore, STORES, StoreRow } from "./find-store.ts";
import { FileIngest } from "./ingest-file.ts";
import type { NamedFile } from "./ingest-file.ts";
import type { IngestOptions } from "./ingest-options.ts";
import { EXIT, IngestReport } from "./ingest-report.ts";
import type { InputFile } from "./input-file.ts";
import { Naming } from "./names.ts";
import { isConfirmed } from "./output.ts";
import { inParallel } from "./parallel.ts";
import { intentOf, planOf } from "./plan.ts";
import type { Outcome } from "./progress.ts";
import { filesThatLeft, isEmptied } from "./prune.ts";
import type { LeftFile } from "./prune.ts";
import { readStoreFiles, StoreFiles } from "./store-files.ts";
import { printable, VerbFailed } from "./terminal.ts";
import type { Terminal } from "./terminal.ts";

export interface Work {
  options: IngestOptions;
  collected: Collected;
  /** The document from standard input. */
  input: InputFile | null;
  terminal: Terminal;
}

/** What a pass came to. */
export interface Pass {
  /** Exit status 1 if a file failed, 130 if it was interrupted. */
  status: number;
  storeId: string;
  /** What the store holds now. */
  known: StoreFiles;
  outcomes: ReadonlyMap<NamedFile, Outcome>;
}

export class Ingest {
  readonly #options: IngestOptions;
  readonly #collected: Collected;
  readonly #input: InputFile | null;
  readonly #terminal: Terminal;

  constructor({ options, collected, input, terminal }: Work) {
    this.#options = options;
    this.#collected = collected;
    this.#input = input;
    this.#terminal = terminal;
  }

  async run(client: Client): Promise<Pass> {
    const { store: word, attributes, concurrency: limit } = this.#options;
    const { signal } = this.#terminal;
    const store =
      (await findStore(client, word, signal)) ?? (await client.send(StoreRow, "POST", STORES, { name: word }));
    const known = await readStoreFiles(client, store.id, signal);
    const files = this.#name(known);
    const plan = await planOf({ files, known, left: this.#left(known) });
    const report = new IngestReport(this.#terminal, this.#options, files);
    const outcomes = new Map<NamedFile, Outcome>();
    const onShare = (file: NamedFile, share: number) => report.advance(file, share);
    const one = new FileIngest({ client, storeId: store.id, known, attributes, onShare }, signal);
    const settle = (file: NamedFile, outcome: Outcome | null) => {
      if (outcome === null) return;
      outcomes.set(file, outcome);
      report.settle(file, outcome);
    };
    try {
      await inParallel({ limit, signal }, plan.moves, async ({ file, stored }) =>
        settle(file, await one.move(file, stored)),
      );
      await inParallel({ limit, signal }, plan.files, async (file) => settle(file, await one.run(file)));
    } finally {
      report.finish();
    }
    if (this.#options.prune && !signal.aborted) await this.#prune(one, plan.left, report);
    return { status: report.close(store.id), storeId: store.id, known, outcomes };
  }

  /** Says what a run would do; the exit status. Without a server that could have the store, everything is new. */
  async rehearse(client: Client | null): Promise<number> {
    const { signal } = this.#terminal;
    const store = client && (await findStore(client, this.#options.store, signal));
    const known = client && store ? await readStoreFiles(client, store.id, signal) : new StoreFiles();
    const files = this.#name(known);
    const plan = await planOf({ files, known, left: this.#left(known) });
    const report = new IngestReport(this.#terminal, this.#options, files);
    for (const { file } of plan.moves) report.intend(file.name, "would_move", file.bytes);
    for (const file of plan.files) {
      if (signal.aborted) return EXIT.interrupted;
      report.intend(file.name, await intentOf(file, known), file.bytes);
    }
    if (this.#options.prune) for (const { name } of plan.left) report.intend(name, "would_remove");
    return report.close(store?.id ?? null);
  }

  #name(known: StoreFiles): NamedFile[] {
    const naming = new Naming(known, this.#collected.base, this.#options.root);
    const files: NamedFile[] = this.#collected.files.map((file) => ({ ...file, ...naming.name(file) }));
    const { inputName } = this.#options;
    const input = this.#input;
    if (input && inputName !== null)
      files.push({ path: input.path, bytes: input.bytes, name: { root: null, path: inputName }, adopted: false });
    const elsewhere = files.filter(({ name, adopted }) => !adopted && !known.has(name) && known.hasElsewhere(name));
    if (elsewhere.length > 0 && !this.#options.quiet) {
      this.#terminal.err(
        `${elsewhere.length} new, though another folder put the same paths in, such as ` +
          `${printable(elsewhere[0]?.name.path ?? "")}. For a folder that moves: --root NAME=DIR.\n`,
      );
    }
    return files;
  }

  /** What left the folders, where that matters. */
  #left(known: StoreFiles): LeftFile[] {
    const { prune, findsMoves, takesEmpty, root } = this.#options;
    if (!prune && !findsMoves) return [];
    const left = filesThatLeft(known, this.#collected, root);
    if (prune && !takesEmpty && left.length > 0 && isEmptied(this.#collected)) throw new VerbFailed(emptiedText(left));
    return left;
  }

  async #prune(one: FileIngest, left: readonly LeftFile[], report: IngestReport): Promise<void> {
    if (left.length === 0) return;
    if (!this.#options.yes) {
      for (const { name } of left) this.#terminal.err(`  ${printable(name.path)}\n`);
      const what = left.length === 1 ? "This document has" : `These ${left.length} documents have`;
      if (!(await isConfirmed(this.#terminal, `${what} left the folder. Take out of the store?`)))
        return this.#terminal.err("Nothing was removed.\n");
    }
    for (const { name, files } of left) {
      for (const { id } of files) {
        if (this.#terminal.signal.aborted) return;
        await one.remove(id);
        report.removed(name, id);
      }
    }
  }
}

/** A folder that holds nothing at all is more often a disk that is not there than a wish. */
export function emptiedText(left: readonly LeftFile[]): string {
  return `The folder holds no file at all, and the store ${left.length} from it: nothing was removed. Say --allow-empty if that is meant.`;
}
