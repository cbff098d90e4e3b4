/** Which files `lectern ingest` takes. */
import { lstatSync, readdirSync, realpathSync, statSync } from "node:fs";
import { basename, dirname, extname, join, relative, resolve, sep } from "node:path";
import { UsageError } from "./terminal.ts";

export interface FoundFile {
  /** Where it is. */
  path: string;
  /** Its name in the store: the path below the folder that all arguments have in common, with / between the parts. */
  key: string;
  bytes: number;
}

export interface Collected {
  files: FoundFile[];
  /** What was left out in folders, by reason. */
  skipped: Map<string, number>;
}

export interface CollectOptions {
  include: readonly string[];
  exclude: readonly string[];
  /** Never entered: the data directory. */
  avoid: string;
}

const SKIPPED_DIRECTORIES = new Set(["node_modules", "__pycache__", "bower_components", "venv"]);

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
 * `UsageError` for a path that does not exist, or when nothing at all was found.
 */
export function collectFiles(paths: readonly string[], options: CollectOptions): Collected {
  const skipped = new Map<string, number>();
  const skip = (reason: string) => void skipped.set(reason, (skipped.get(reason) ?? 0) + 1);
  const include = options.include.map((pattern) => new Bun.Glob(pattern));
  const exclude = options.exclude.map((pattern) => new Bun.Glob(pattern));
  const roots = paths.map((path) => existing(path));
  const base = commonFolder(roots);
  const avoid = resolve(options.avoid);
  const found = new Map<string, FoundFile>();

  const take = (path: string, named: boolean): void => {
    const bytes = statSync(path).size;
    const key = relative(base, path).split(sep).join("/");
    const matches = (globs: Bun.Glob[]) => globs.some((glob) => glob.match(key) || glob.match(basename(path)));
    if (exclude.length > 0 && matches(exclude)) return skip("excluded");
    if (include.length > 0 && !matches(include)) return skip("not included");
    if (!named && bytes === 0) return skip("empty");
    if (!named && WITHOUT_TEXT.has(extname(path).toLowerCase())) return skip("no text by their name");
    found.set(key, { path, key, bytes });
  };
  const walk = (folder: string) => {
    for (const entry of readdirSync(folder, { withFileTypes: true }).toSorted((a, b) => (a.name < b.name ? -1 : 1))) {
      const path = join(folder, entry.name);
      if (entry.name.startsWith(".") || path === avoid) skip("hidden");
      else if (entry.isSymbolicLink()) skip("symbolic links");
      else if (entry.isDirectory()) {
        if (SKIPPED_DIRECTORIES.has(entry.name) || isDataDirectory(path)) skip("generated folders");
        else walk(path);
      } else if (entry.isFile()) take(path, false);
    }
  };
  for (const root of roots) {
    if (statSync(root).isDirectory()) walk(root);
    else take(root, true);
  }
  return { files: [...found.values()], skipped };
}

/** The real place of a path, so that the same file has the same name in the store from wherever it is named. */
function existing(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    throw new UsageError(`${path} does not exist or cannot be read.`);
  }
}

/** The deepest folder that holds every root itself. */
function commonFolder(roots: readonly string[]): string {
  const [first = sep, ...others] = roots.map((root) => dirname(root).split(sep));
  if (typeof first === "string") return first;
  let length = first.length;
  for (const parts of others) while (parts.slice(0, length).join(sep) !== first.slice(0, length).join(sep)) length--;
  return first.slice(0, length).join(sep) || sep;
}

function isDataDirectory(path: string): boolean {
  return lstatSync(join(path, "meta.sqlite"), { throwIfNoEntry: false })?.isFile() === true;
}
