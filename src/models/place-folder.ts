import { existsSync, readFileSync, renameSync } from "node:fs";
import { basename, dirname, extname, join } from "node:path";
import { type ModelOverrides, overridesFile } from "../embed/local/model-folder.ts";
import { makeDirectory, replaceFile, syncPath, syncTree } from "../platform/replace-file.ts";

/** What putting a model's folder into the data directory takes, by the verb and by the server. */

/** Weights of other runtimes: never read, and often larger than all the rest. */
const LEFT_OUT = new Set([".bin", ".safetensors", ".h5", ".msgpack", ".pt", ".pth", ".ot", ".gguf", ".tflite"]);

/** Graphs and their weights, of which one is run: `model.onnx`, `model.onnx_data`, `model.onnx.data`. */
const GRAPH_FILE = /\.onnx(?:[._]data.*)?$/;

/** Folder of a step after pooling, such as `2_Dense`: its weights are read. */
const MODULE_FOLDER = /^\d+_/;

/** Whether a file of a model's folder is needed; `read`: those that are read, by their paths in the folder. */
export function isPartOfModel(name: string, read: readonly string[]): boolean {
  if (basename(name).startsWith(".")) return false;
  if (GRAPH_FILE.test(name)) return read.includes(name);
  return !LEFT_OUT.has(extname(name).toLowerCase()) || MODULE_FOLDER.test(basename(dirname(name)));
}

/** Adds to what the folder's `lectern.json` says. Throws where that holds no JSON object. */
export function writeOverrides(directory: string, overrides: ModelOverrides): void {
  if (Object.keys(overrides).length === 0) return;
  const path = join(directory, "lectern.json");
  const own: unknown = existsSync(path) ? JSON.parse(readFileSync(path, "utf8")) : {};
  if (typeof own !== "object" || own === null) throw new Error("lectern.json holds no JSON object");
  replaceFile(path, `${JSON.stringify({ ...own, ...overridesFile(overrides) }, null, 2)}\n`);
}

/** Puts a folder that is whole, and on the same disk, in its place in one step. */
export function moveIntoPlace(partial: string, target: string): void {
  syncTree(partial);
  makeDirectory(dirname(target));
  renameSync(partial, target);
  syncPath(dirname(target));
}
