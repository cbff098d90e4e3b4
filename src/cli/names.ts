/**
 * What a file is called in a store. A name has two parts, both kept as attributes: `path_root`, the folder that the
 * path begins in, and `path`, the way from there with `/` between the parts, in NFC. Two files are the same document
 * exactly if both parts are equal, so two folders may hold the same relative path.
 *
 * A root is known by a digest of its real place, which tells nobody how this machine's folders are called, or by a name
 * that the caller gave it (`--root NAME=DIR`) and that holds wherever the folder stands. Whichever way leads to a file
 * (its folder, a folder above, the file itself), its ancestors are tried against the roots that the store has.
 */
import { dirname, relative, resolve, sep } from "node:path";
import { UsageError } from "./terminal.ts";
import { normalized } from "../stream-safe.ts";

export interface FileName {
  /** null: put in by something that knows no folder, or by a version that kept none. */
  root: string | null;
  path: string;
}

/** What of a store decides names. */
export interface KnownNames {
  has(name: FileName): boolean;
  hasRoot(root: string): boolean;
}

/** `--root`. */
export interface ChosenRoot {
  folder: string;
  /** null: known by its place. */
  name: string | null;
}

/** A file to be named, and the argument by which it was found. */
export interface Place {
  path: string;
  argument: string;
}

export interface Named {
  name: FileName;
  /** The store has it without a root: it is this file, and takes the root on. */
  adopted: boolean;
}

const DIGEST_HEX = 16;
const PLACE = new RegExp(`^folder-[0-9a-f]{${DIGEST_HEX}}$`);

/** How a folder is known by its real place. */
export function folderRoot(folder: string): string {
  const hasher = new Bun.CryptoHasher("sha256");
  return `folder-${hasher
    .update(normalized(folder.split(sep).join("/"), "NFC"))
    .digest("hex")
    .slice(0, DIGEST_HEX)}`;
}

/** Reads `DIR` or `NAME=DIR`; a folder with `=` in its own name is written `./a=b`. `real` resolves a folder. */
export function readRoot(text: string, real: (path: string) => string): ChosenRoot {
  const [, name, folder] = /^([\w.-]+)=(.+)$/s.exec(text) ?? [];
  if (name === undefined || folder === undefined) return { folder: real(text), name: null };
  if (PLACE.test(name)) throw new UsageError(`--root cannot be named ${name}: that is how unnamed folders are known.`);
  return { folder: real(folder), name };
}

/** The normal form of a path in a store. */
export function storePath(path: string): string {
  const parts = normalized(path, "NFC").split("/");
  return parts.filter((part) => part !== "" && part !== ".").join("/");
}

/** Gives files their names. `base` is the folder that all arguments have in common. */
export class Naming {
  readonly #known: KnownNames;
  readonly #base: string;
  readonly #chosen: ChosenRoot | null;
  /** Roots of folders by their place: a folder is asked for with every file below it. */
  readonly #roots = new Map<string, string>();

  constructor(known: KnownNames, base: string, chosen: ChosenRoot | null) {
    this.#known = known;
    this.#base = base;
    this.#chosen = chosen;
  }

  /** Throws `UsageError` for a file outside the folder that `--root` names. */
  name({ path, argument }: Place): Named {
    const chosen = this.#chosen;
    if (chosen !== null && !isWithin(path, chosen.folder))
      throw new UsageError(`${path} is not in ${chosen.folder}, the folder of --root.`);
    if (chosen?.name !== null && chosen !== null)
      return this.#adopting({ root: chosen.name, path: pathFrom(chosen.folder, path) });
    for (const folder of ancestors(path)) {
      const root = this.#root(folder);
      if (!this.#known.hasRoot(root)) continue;
      const name = { root, path: pathFrom(folder, path) };
      if (this.#known.has(name)) return { name, adopted: false };
    }
    const base = chosen?.folder ?? this.#base;
    const first = this.#adopting({ root: this.#root(base), path: pathFrom(base, path) });
    if (first.adopted || chosen !== null) return first;
    const folder = [argument, ...ancestors(argument)].find((one) => this.#known.hasRoot(this.#root(one)));
    if (folder === undefined) return first;
    return { name: { root: this.#root(folder), path: pathFrom(folder, path) }, adopted: false };
  }

  #root(folder: string): string {
    const root = this.#roots.get(folder) ?? folderRoot(folder);
    this.#roots.set(folder, root);
    return root;
  }

  #adopting(name: FileName): Named {
    return { name, adopted: !this.#known.has(name) && this.#known.has({ root: null, path: name.path }) };
  }
}

/** The folders that hold `path`, the nearest first. */
export function ancestors(path: string): string[] {
  const folders: string[] = [];
  for (let at = dirname(path); ; at = dirname(at)) {
    folders.push(at);
    if (at === dirname(at)) return folders;
  }
}

export function isWithin(path: string, folder: string): boolean {
  const way = relative(folder, resolve(path));
  return way === "" || (way !== ".." && !way.startsWith(`..${sep}`));
}

export function pathFrom(folder: string, path: string): string {
  return storePath(relative(folder, path).split(sep).join("/"));
}
