/** Where the files of one model come from: a directory, or files embedded in the executable. */
import { readdirSync, realpathSync, statSync } from "node:fs";
import { basename, dirname, join, sep } from "node:path";

export interface ModelFiles {
  /** Relative paths with forward slashes, sorted. */
  readonly names: readonly string[];
  /** The whole file. Throws where there is no such file. */
  bytes(name: string): Promise<Uint8Array>;
  /**
   * Absolute path that native code can open, or null where there is none (embedded files).
   * ONNX graphs with external data can only be loaded through it.
   */
  path(name: string): string | null;
}

/** Anything deeper or more numerous than a model folder is not one. */
const MAX_DEPTH = 3;
const MAX_FILES = 2000;

/** Throws, with a line for the operator, where a link in the folder leads elsewhere. */
export function directoryModelFiles(directory: string): ModelFiles {
  const names = listFiles(directory).sort();
  return {
    names,
    bytes: (name) => Bun.file(join(directory, name)).bytes(),
    path: (name) => join(directory, name),
  };
}

/** `files`: relative name -> path of an embedded file (as `import … with { type: "file" }` gives it). */
export function embeddedModelFiles(files: ReadonlyMap<string, string>): ModelFiles {
  return {
    names: [...files.keys()].sort(),
    bytes: (name) => {
      const path = files.get(name);
      if (path === undefined) throw new Error(`no embedded file ${name}`);
      return Bun.file(path).bytes();
    },
    path: () => null,
  };
}

/** Files held in memory, for models that are made on the spot. */
export function memoryModelFiles(files: Readonly<Record<string, Uint8Array | string>>): ModelFiles {
  return {
    names: Object.keys(files).sort(),
    bytes: async (name) => {
      const content = files[name];
      if (content === undefined) throw new Error(`no file ${name}`);
      return typeof content === "string" ? new TextEncoder().encode(content) : content;
    },
    path: () => null,
  };
}

/**
 * Why a link in a model folder is not followed; null for one that leads to a file of the folder itself, or of the `blobs`
 * of a model hub's cache, whose folders are made of links: `snapshots/<revision>/model.onnx` -> `../../blobs/<hash>`. A
 * folder may come from elsewhere, and a link in it names any file of this machine, whose bytes a model can be made to show.
 */
export function linkProblem(directory: string, name: string): string | null {
  const root = realpathSync(directory);
  const snapshots = dirname(root);
  const allowed = [root, ...(basename(snapshots) === "snapshots" ? [join(dirname(snapshots), "blobs")] : [])];
  let target: string;
  try {
    target = realpathSync(join(directory, name));
  } catch {
    return `the link ${name} leads nowhere`;
  }
  if (!allowed.some((place) => target.startsWith(place + sep)))
    return `the link ${name} leads out of the folder, to ${target}: put the file itself there`;
  return statSync(target).isFile() ? null : `the link ${name} does not lead to a file`;
}

function listFiles(directory: string): string[] {
  const names: string[] = [];
  const walk = (relative: string, depth: number): void => {
    for (const entry of readdirSync(join(directory, relative), { withFileTypes: true })) {
      if (entry.name.startsWith(".") || names.length >= MAX_FILES) continue;
      const name = relative === "" ? entry.name : `${relative}/${entry.name}`;
      if (entry.isSymbolicLink()) {
        const problem = linkProblem(directory, name);
        if (problem !== null) throw new Error(problem);
        names.push(name);
      } else if (entry.isDirectory() && depth < MAX_DEPTH) walk(name, depth + 1);
      else if (entry.isFile()) names.push(name);
    }
  };
  walk("", 1);
  return names;
}
