import { createWriteStream, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { VerbFailed } from "./terminal.ts";
import type { Terminal } from "./terminal.ts";

export interface InputFile extends Disposable {
  path: string;
  bytes: number;
}

/** Standard input as a file, which can be read as often as it takes; gone at the end of the block. */
export async function inputFile(terminal: Terminal): Promise<InputFile> {
  if (!terminal.input) throw new VerbFailed("There is no standard input.");
  const folder = mkdtempSync(join(tmpdir(), "lectern-input-"));
  const remove = () => rmSync(folder, { recursive: true, force: true });
  const path = join(folder, "input");
  try {
    const target = createWriteStream(path);
    await pipeline(Readable.from(terminal.input()), target, { signal: terminal.signal });
    return { path, bytes: target.bytesWritten, [Symbol.dispose]: remove };
  } catch (error) {
    remove();
    throw error;
  }
}
