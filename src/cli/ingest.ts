/** `lectern ingest`: files and folders, and what left them, into and out of a vector store. */
import { Type } from "@sinclair/typebox";
import { parseArguments } from "./arguments.ts";
import type { Client } from "./client.ts";
import { collectFiles } from "./collect.ts";
import type { Collected } from "./collect.ts";
import { connect, connectIfThere } from "./connect.ts";
import { findStore, STORES, StoreRow } from "./find-store.ts";
import { currentVersion, FileIngest, sha256Of, storedName } from "./ingest-file.ts";
import type { NamedFile } from "./ingest-file.ts";
import { INGEST_FLAGS, readIngestOptions } from "./ingest-options.ts";
import type { IngestOptions } from "./ingest-options.ts";
import { EXIT, IngestReport } from "./ingest-report.ts";
import { inputFile } from "./input-file.ts";
import type { InputFile } from "./input-file.ts";
import { Naming } from "./names.ts";
import { inParallel } from "./parallel.ts";
import { filesThatLeft } from "./prune.ts";
import type { LeftFile } from "./prune.ts";
import { readStoreFiles, StoreFiles } from "./store-files.ts";
import { printable, VerbFailed } from "./terminal.ts";
import type { Terminal } from "./terminal.ts";

const Deleted = Type.Object({ id: Type.String() });

/** Exit status 1 if a file failed, 130 if it was interrupted. */
export async function ingest(argv: readonly string[], terminal: Terminal): Promise<number> {
  const args = parseArguments(argv, INGEST_FLAGS);
  const options = readIngestOptions(args, terminal);
  const collected = collectFiles(options.paths, options);
  const left = [...collected.skipped].map(([reason, count]) => `${count} ${reason}`).join(", ");
  if (left && !options.quiet) terminal.err(`left out: ${left}\n`);
  if (collected.files.length === 0 && options.inputName === null && !options.prune)
    throw new VerbFailed("There is no file to ingest.");

  using input = options.inputName === null ? null : await readInput(terminal);
  if (terminal.signal.aborted) return EXIT.interrupted;
  const work = { options, collected, input, terminal };
  if (options.dryRun) {
    await using connection = await connectIfThere(args, terminal, { mayCreate: false });
    return await new Ingest(work).rehearse(connection?.client ?? null);
  }
  await using connection = await connect(args, terminal, { mayCreate: true });
  return await new Ingest(work).run(connection.client);
}

interface Work {
  options: IngestOptions;
  collected: Collected;
  /** The document from standard input. */
  input: InputFile | null;
  terminal: Terminal;
}

class Ingest {
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

  async run(client: Client): Promise<number> {
    const { store: word, attributes, concurrency: limit } = this.#options;
    const { signal } = this.#terminal;
    const store =
      (await findStore(client, word, signal)) ??
      (await client.send(StoreRow, "POST", STORES, { name: word }));
    const known = await readStoreFiles(client, store.id, signal);
    const files = this.#name(known);
    const report = new IngestReport(this.#terminal, this.#options, files);
    try {
      const onShare = (file: NamedFile, share: number) => report.advance(file, share);
      const one = new FileIngest({ client, storeId: store.id, known, attributes, onShare }, signal);
      await inParallel({ limit, signal }, files, async (file) => {
        const outcome = await one.run(file);
        if (outcome) report.settle(file, outcome);
      });
    } finally {
      report.finish();
    }
    if (this.#options.prune && !signal.aborted) await this.#prune(client, this.#left(known), report);
    return report.close(store.id);
  }

  /** Says what a run would do. Without a server that could have the store, everything is new. */
  async rehearse(client: Client | null): Promise<number> {
    const { signal } = this.#terminal;
    const store = client && (await findStore(client, this.#options.store, signal));
    const known = client && store ? await readStoreFiles(client, store.id, signal) : new StoreFiles();
    const files = this.#name(known);
    const report = new IngestReport(this.#terminal, this.#options, files);
    for (const file of files) {
      if (signal.aborted) return EXIT.interrupted;
      const versions = known.get(storedName(file));
      const isCurrent = versions.length > 0 && currentVersion(versions, await sha256Of(file.path)) !== undefined;
      report.intend(
        file.name,
        isCurrent ? "unchanged" : versions.length > 0 ? "would_replace" : "would_index",
        file.bytes,
      );
    }
    if (this.#options.prune) for (const { name } of this.#left(known)) report.intend(name, "would_remove");
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

  #left(known: StoreFiles): LeftFile[] {
    return filesThatLeft(known, this.#collected, this.#options.root);
  }

  async #prune(client: Client, left: readonly LeftFile[], report: IngestReport): Promise<void> {
    if (left.length === 0) return;
    const { ask } = this.#terminal;
    if (!this.#options.yes) {
      for (const { name } of left) this.#terminal.err(`  ${printable(name.path)}\n`);
      const what = left.length === 1 ? "This document has" : `These ${left.length} documents have`;
      const answer = await ask?.(`${what} left the folder. Take out of the store? [y/N] `);
      if (!/^y(es)?$/i.test(answer?.trim() ?? "")) return this.#terminal.err("Nothing was removed.\n");
    }
    for (const { name, files } of left) {
      for (const { id } of files) {
        if (this.#terminal.signal.aborted) return;
        await client.send(Deleted, "DELETE", `/v1/files/${id}`);
        report.removed(name, id);
      }
    }
  }
}

/** null when it was interrupted. */
async function readInput(terminal: Terminal): Promise<InputFile | null> {
  try {
    return await inputFile(terminal);
  } catch (error) {
    if (terminal.signal.aborted) return null;
    throw error;
  }
}
