/** Where the files of one model come from: a directory, or files embedded in the executable. */
import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";

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

function listFiles(directory: string): string[] {
  const names: string[] = [];
  const walk = (relative: string, depth: number): void => {
    for (const entry of readdirSync(join(directory, relative), { withFileTypes: true })) {
      if (entry.name.startsWith(".") || names.length >= MAX_FILES) continue;
      const name = relative === "" ? entry.name : `${relative}/${entry.name}`;
      // A model hub's local cache is made of links, so they are followed.
      const stat = entry.isSymbolicLink() ? statSync(join(directory, name), { throwIfNoEntry: false }) : entry;
      if (stat?.isDirectory() && depth < MAX_DEPTH) walk(name, depth + 1);
      else if (stat?.isFile()) names.push(name);
    }
  };
  walk("", 1);
  return names;
}
