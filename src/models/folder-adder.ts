import { existsSync, mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { isCrossEncoderFolder } from "../embed/local/cross-encoder-folder.ts";
import { directoryModelFiles } from "../embed/local/model-files.ts";
import type { ModelOverrides } from "../embed/local/model-folder.ts";
import { messageOf } from "../errors.ts";
import type { TriedFolder } from "../workers/model-trial.ts";
import { addingFolder, readModelDirectory, removeModelFolder } from "./models-dir.ts";
import { isPartOfModel, moveIntoPlace, writeOverrides } from "./place-folder.ts";

export interface FolderAdderOptions {
  /** `<data>/models` */
  directory: string;
  /** What is wrong with a folder when it is run, in a process of its own. */
  run: (folder: TriedFolder) => Promise<string[]>;
}

/** A model's folder that somebody is sending. */
export interface AddedFolder {
  /** Where its files go: on the same disk, out of sight. */
  readonly partial: string;
  /** What is wrong with it; nothing once it is in its place. */
  place(id: string, overrides: ModelOverrides): Promise<string[]>;
  /** Takes it away again after `place`. */
  undo(id: string): void;
  /** Must be called in the end. */
  end(): void;
}

/**
 * Takes model folders in, one at a time: they come from elsewhere, so that each is read and run in a process of its own
 * before this one reads it, and is in its place whole or not at all.
 */
export class FolderAdder {
  readonly #options: FolderAdderOptions;
  #isBusy = false;

  constructor(options: FolderAdderOptions) {
    this.#options = options;
  }

  isTaken(id: string): boolean {
    return existsSync(join(this.#options.directory, id));
  }

  /** Null while another is being added. */
  begin(): AddedFolder | null {
    if (this.#isBusy) return null;
    this.#isBusy = true;
    const { directory, run } = this.#options;
    const partial = addingFolder(directory);
    rmSync(partial, { recursive: true, force: true });
    mkdirSync(partial, { recursive: true, mode: 0o700 });
    return {
      partial,
      async place(id, overrides) {
        const target = join(directory, id);
        const problems = await problemsOf({ id, partial, overrides, run });
        if (problems.length > 0) return problems;
        if (existsSync(target)) return [`there is a model '${id}' by now`];
        moveIntoPlace(partial, target);
        return [];
      },
      undo: (id) => removeModelFolder(id, join(directory, id)),
      end: () => {
        rmSync(partial, { recursive: true, force: true });
        this.#isBusy = false;
      },
    };
  }
}

interface Checked {
  id: string;
  partial: string;
  overrides: ModelOverrides;
  run: FolderAdderOptions["run"];
}

async function problemsOf({ id, partial, overrides, run }: Checked): Promise<string[]> {
  try {
    writeOverrides(partial, overrides);
    const files = directoryModelFiles(partial);
    const kind = (await isCrossEncoderFolder(files)) ? "reranker" : "embedding";
    const wrong = await run({ kind, directory: partial, files: files.names });
    if (wrong.length > 0) return wrong;
    const read = await readModelDirectory(id, partial);
    if (!read.ok) return read.problems;
    // Graphs that are not run, and weights of other runtimes, are not kept.
    for (const name of files.names) if (!isPartOfModel(name, read.files)) rmSync(join(partial, name), { force: true });
    return [];
  } catch (error) {
    return [messageOf(error)];
  }
}
