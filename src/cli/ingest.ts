/** `lectern ingest`: files and folders, and what left them, into and out of a vector store. */
import { parseArguments } from "./arguments.ts";
import { collectFiles } from "./collect.ts";
import type { Collected } from "./collect.ts";
import { connect, connectIfThere } from "./connect.ts";
import { INGEST_FLAGS, readIngestOptions } from "./ingest-options.ts";
import type { IngestOptions } from "./ingest-options.ts";
import { EXIT } from "./ingest-report.ts";
import { Ingest } from "./ingest-run.ts";
import { inputFile } from "./input-file.ts";
import type { InputFile } from "./input-file.ts";
import { VerbFailed } from "./terminal.ts";
import type { Terminal } from "./terminal.ts";

/** Exit status 1 if a file failed, 130 if it was interrupted. */
export async function ingest(argv: readonly string[], terminal: Terminal): Promise<number> {
  const args = parseArguments(argv, INGEST_FLAGS);
  const options = readIngestOptions(args, terminal);
  const collected = collectAndTell(options, terminal);
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
  return (await new Ingest(work).run(connection.client)).status;
}

/** The files, with a line for the person on what was left out. */
export function collectAndTell(options: IngestOptions, terminal: Terminal): Collected {
  const collected = collectFiles(options.paths, options);
  const left = [...collected.skipped].map(([reason, count]) => `${count} ${reason}`).join(", ");
  if (left && !options.quiet) terminal.err(`left out: ${left}\n`);
  return collected;
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
