/**
 * What has to be done so that a store holds what stands in folders: the one plan of `ingest`, `ingest --prune` and both
 * kinds of `sync`. It reads files only to recognise those that moved.
 */
import { basename, extname } from "node:path";
import { currentVersion, sha256Of, storedName } from "./ingest-file.ts";
import type { NamedFile } from "./ingest-file.ts";
import type { Intent } from "./ingest-report.ts";
import type { LeftFile } from "./prune.ts";
import type { StoreFile, StoreFiles } from "./store-files.ts";

/** A document of the store whose file stands somewhere else now. */
export interface Move {
  file: NamedFile;
  stored: StoreFile;
}

export interface Plan {
  moves: Move[];
  /** To be put in, unless the store holds their bytes under their name. */
  files: NamedFile[];
  /** To be taken out. */
  left: LeftFile[];
}

interface PlanInput {
  files: readonly NamedFile[];
  known: StoreFiles;
  /** Documents whose files are gone from where they were. */
  left: readonly LeftFile[];
}

/**
 * A new file moved if it has the bytes, and the ending, of one that left: what a file is read as goes by its ending. Where
 * several have these bytes, one of the same name is taken first.
 */
export async function planOf({ files, known, left }: PlanInput): Promise<Plan> {
  const gone = new Gone(left);
  const moves: Move[] = [];
  const rest: NamedFile[] = [];
  for (const file of files) {
    const isNew = known.get(storedName(file)).length === 0;
    const stored = isNew && gone.mayHold(file) ? await gone.take(file) : null;
    if (stored === null) rest.push(file);
    else moves.push({ file, stored });
  }
  return { moves, files: rest, left: gone.rest() };
}

/** What a run would do with a file that did not move. */
export async function intentOf(file: NamedFile, known: StoreFiles): Promise<Intent> {
  const versions = known.get(storedName(file));
  if (versions.length === 0) return "would_index";
  return currentVersion(versions, await sha256Of(file.path)) === undefined ? "would_replace" : "unchanged";
}

/** Documents whose files are gone, by what they hold. */
class Gone {
  readonly #left: readonly LeftFile[];
  readonly #bySha = new Map<string, { path: string; stored: StoreFile }[]>();
  /** null: a size is not known, so that every file has to be read. */
  #sizes: Set<number> | null = new Set();
  readonly #taken = new Set<string>();

  constructor(left: readonly LeftFile[]) {
    this.#left = left;
    for (const { name, files } of left) {
      for (const stored of files) {
        const sha256 = stored.attributes?.["sha256"];
        if (stored.status !== "completed" || typeof sha256 !== "string") continue;
        const others = this.#bySha.get(sha256) ?? [];
        others.push({ path: name.path, stored });
        this.#bySha.set(sha256, others);
        if (stored.bytes === undefined) this.#sizes = null;
        else this.#sizes?.add(stored.bytes);
      }
    }
  }

  mayHold({ bytes }: NamedFile): boolean {
    return this.#bySha.size > 0 && (this.#sizes === null || this.#sizes.has(bytes));
  }

  async take({ path, name }: NamedFile): Promise<StoreFile | null> {
    const found = this.#bySha.get(await sha256Of(path).catch(() => "")) ?? [];
    const free = found.filter((one) => !this.#taken.has(one.stored.id) && endingOf(one.path) === endingOf(name.path));
    const best = free.find((one) => basename(one.path) === basename(name.path)) ?? free[0];
    if (best === undefined) return null;
    this.#taken.add(best.stored.id);
    return best.stored;
  }

  rest(): LeftFile[] {
    const rest = this.#left.map(({ name, files }) => ({ name, files: files.filter(({ id }) => !this.#taken.has(id)) }));
    return rest.filter(({ files }) => files.length > 0);
  }
}

const endingOf = (path: string) => extname(path).toLowerCase();
