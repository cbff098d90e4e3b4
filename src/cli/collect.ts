/** Which files `lectern ingest` and `lectern sync` take. */
import { lstatSync, readdirSync, realpathSync, statSync } from "node:fs";
import type { Dirent } from "node:fs";
import { basename, dirname, extname, join, relative, resolve, sep } from "node:path";
import { VerbFailed } from "./terminal.ts";
import { normalized } from "../stream-safe.ts";

export interface FoundFile {
  /** Where it is. */
  path: string;
  /** The path below the folder that all arguments have in common, with / between the parts. */
  key: string;
  bytes: number;
  /** Changes whenever the file is written, replaced or moved. */
  stamp: string;
  /** The real place of the argument by which it was found. */
  argument: string;
}

export interface Collected {
  files: FoundFile[];
  /** What was left out in folders, by reason. */
  skipped: Map<string, number>;
  /** The folder that all arguments have in common. */
  base: string;
  /** Folders that were named, and those that were read below them. */
  folders: { named: string[]; read: string[] };
  /** Every file that stands there, taken or not, in NFC. */
  seen: Set<string>;
  /** Folders and files that this user may not read. */
  unreadable: string[];
}

export interface CollectOptions {
  include: readonly string[];
  exclude: readonly string[];
  /** Never entered: the data directory. */
  avoid: string;
}

const SKIPPED_DIRECTORIES = new Set(["node_modules", "__pycache__", "bower_components", "venv"]);

/** What editors, browsers and copying programs write beside a file while it is not yet what it will be. */
const TEMPORARY =
  /~$|^#.*#$|^~\$|^4913$|\.(tmp|temp|part|partial|crdownload|download|swp|swo|swx)$|___jb_(tmp|old)___$/i;

/** Names of files that hold no text; the server would refuse each of them, one by one. */
const WITHOUT_TEXT = new Set(
  `7z a aac ai aiff apk avi avif bin blend bmp br bz2 class cur dat db deb dll dmg dylib eot exe flac flv gif gz ico icns
  iso jar jpeg jpg ko lib lz4 m4a m4v mkv mo mov mp3 mp4 mpeg mpg msi node npy npz o obj ogg onnx opus otf parquet pack pkl
  png psd pt pyc pyd rar rlib rpm safetensors so sqlite sqlite3 tar tgz tif tiff ttf wasm wav webm webp whl wma wmv woff
  woff2 xz zip zst`
    .split(/\s+/)
    .map((extension) => `.${extension}`),
);

/**
 * Files under the given paths, folders walked in name order; symbolic links below a folder are not followed. Throws
 * `VerbFailed` for a path that does not exist.
 */
export function collectFiles(paths: readonly string[], options: CollectOptions): Collected {
  const roots = paths.map((path) => realPlace(path));
  const walk = new Walk(commonFolder(roots), options);
  for (const root of roots) walk.start(root);
  return walk.collected;
}

class Walk {
  readonly collected: Collected;
  readonly #include: Bun.Glob[];
  readonly #exclude: Bun.Glob[];
  readonly #avoid: string;
  readonly #taken = new Set<string>();

  constructor(base: string, options: CollectOptions) {
    this.#include = options.include.map((pattern) => new Bun.Glob(pattern));
    this.#exclude = options.exclude.map((pattern) => new Bun.Glob(pattern));
    this.#avoid = resolve(options.avoid);
    const folders = { named: [], read: [] };
    this.collected = { files: [], skipped: new Map(), base, folders, seen: new Set(), unreadable: [] };
  }

  start(argument: string): void {
    if (!statSync(argument).isDirectory()) return this.#take(argument, argument);
    this.collected.folders.named.push(argument);
    this.#folder(argument, argument);
  }

  #folder(folder: string, argument: string): void {
    for (const entry of this.#entries(folder)) {
      const path = join(folder, entry.name);
      if (entry.isFile()) this.collected.seen.add(normalized(path, "NFC"));
      if (entry.name.startsWith(".") || path === this.#avoid) this.#skip("hidden");
      else if (entry.isFile() && TEMPORARY.test(entry.name)) this.#skip("temporary");
      else if (entry.isSymbolicLink()) this.#skip("symbolic links");
      else if (entry.isDirectory()) {
        if (SKIPPED_DIRECTORIES.has(entry.name) || isDataDirectory(path)) this.#skip("generated folders");
        else this.#folder(path, argument);
      } else if (entry.isFile()) this.#take(path, argument);
    }
  }

  #entries(folder: string): Dirent[] {
    this.collected.folders.read.push(folder);
    try {
      const entries = readdirSync(folder, { withFileTypes: true });
      return entries.toSorted((a, b) => (a.name < b.name ? -1 : 1));
    } catch {
      this.#unreadable(folder);
      return [];
    }
  }

  #take(path: string, argument: string): void {
    const stat = statSync(path, { throwIfNoEntry: false });
    // A name that is no UTF-8 cannot be opened by what was read of it.
    if (stat === undefined) return this.#unreadable(path);
    const { base } = this.collected;
    const key = relative(base, path).split(sep).join("/");
    const isNamed = path === argument;
    if (this.#exclude.length > 0 && matches(this.#exclude, key)) return this.#skip("excluded");
    if (this.#include.length > 0 && !matches(this.#include, key)) return this.#skip("not included");
    if (!isNamed && stat.size === 0) return this.#skip("empty");
    if (!isNamed && WITHOUT_TEXT.has(extname(path).toLowerCase())) return this.#skip("no text by their name");
    if (this.#taken.has(path)) return;
    this.#taken.add(path);
    const stamp = `${stat.ino} ${stat.size} ${stat.mtimeMs} ${stat.ctimeMs}`;
    this.collected.files.push({ path, key, bytes: stat.size, stamp, argument });
  }

  #unreadable(path: string): void {
    this.collected.unreadable.push(path);
    this.#skip("unreadable");
  }

  #skip(reason: string): void {
    const { skipped } = this.collected;
    skipped.set(reason, (skipped.get(reason) ?? 0) + 1);
  }
}

/** Whether what stands there is left out whatever else: `path` is below a folder that is taken. */
export function isLeftOut(path: string): boolean {
  const parts = path.split(sep);
  const inside = parts.some((part) => part.startsWith(".") || SKIPPED_DIRECTORIES.has(part));
  return inside || TEMPORARY.test(parts.at(-1) ?? "");
}

function matches(globs: readonly Bun.Glob[], key: string): boolean {
  return globs.some((glob) => glob.match(key) || glob.match(basename(key)));
}

/** The real place of a path, so that the same file has the same name in the store from wherever it is named. */
export function realPlace(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    throw new VerbFailed(`${path} does not exist or cannot be read.`);
  }
}

/** The deepest folder that holds every root itself. */
function commonFolder(roots: readonly string[]): string {
  const [first, ...others] = roots.map((root) => dirname(root).split(sep));
  if (first === undefined) return sep;
  let length = first.length;
  for (const parts of others) while (parts.slice(0, length).join(sep) !== first.slice(0, length).join(sep)) length--;
  return first.slice(0, length).join(sep) || sep;
}

function isDataDirectory(path: string): boolean {
  return lstatSync(join(path, "meta.sqlite"), { throwIfNoEntry: false })?.isFile() === true;
}
