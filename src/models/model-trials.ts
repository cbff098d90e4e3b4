import { mkdirSync, readFileSync } from "node:fs";
import { dirname } from "node:path";
import { replaceFile } from "../platform/replace-file.ts";
import type { TriedFolder } from "../workers/model-trial.ts";

/**
 * Which model folders have been tried, and what came of it. A folder is tried once: one that failed stays out until its
 * files are others, or the record is removed.
 */
export interface ModelTrialsOptions {
  /** Where outcomes are kept. No part of a backup: a folder from elsewhere is tried here. */
  path: string;
  run(folder: TriedFolder): Promise<string[]>;
}

/** By revision, which is a hash of the folder's files: what is wrong with it, nothing if it runs. */
type Outcomes = Record<string, string[]>;

export class ModelTrials {
  readonly #options: ModelTrialsOptions;
  readonly #outcomes: Outcomes;
  readonly #running = new Map<string, Promise<string[]>>();

  constructor(options: ModelTrialsOptions) {
    this.#options = options;
    this.#outcomes = readOutcomes(options.path);
  }

  /** What is wrong with it, as far as is known now; null for a folder that is being tried, or was never. */
  known(revision: string): readonly string[] | null {
    return this.#outcomes[revision] ?? null;
  }

  /** Tries it, unless it has been. */
  async outcomeOf(revision: string, folder: TriedFolder): Promise<readonly string[]> {
    const known = this.known(revision) ?? this.#running.get(revision);
    if (known !== undefined) return await known;
    const run = this.#options.run(folder);
    this.#running.set(revision, run);
    try {
      const problems = await run;
      this.#outcomes[revision] = problems;
      mkdirSync(dirname(this.#options.path), { recursive: true, mode: 0o700 });
      replaceFile(this.#options.path, `${JSON.stringify(this.#outcomes, null, 2)}\n`);
      return problems;
    } finally {
      this.#running.delete(revision);
    }
  }
}

function readOutcomes(path: string): Outcomes {
  let read: unknown;
  try {
    read = JSON.parse(readFileSync(path, "utf8"));
  } catch {
    return {};
  }
  if (typeof read !== "object" || read === null) return {};
  const isOutcome = (value: unknown) => Array.isArray(value) && value.every((problem) => typeof problem === "string");
  return Object.fromEntries(Object.entries(read).filter(([, value]) => isOutcome(value)));
}
