/**
 * The only place that loads native code: ONNX Runtime and the addon of src/index/native.
 *
 * - The system's loader wants real files, so the binary's copies are unpacked once into the data directory, under their
 *   hash, and never into /tmp (which may be mounted noexec or read-only).
 * - The main thread calls `unpackNatives` once, before any worker starts; workers are handed the result and only load.
 * - Nothing is loaded that was not hashed at this start: a torn or altered copy is replaced.
 */
import { chmodSync, closeSync, existsSync, fsyncSync, mkdirSync, openSync, readdirSync, readSync } from "node:fs";
import { renameSync, rmSync, statSync, writeSync } from "node:fs";
import { join } from "node:path";
import type * as OnnxruntimeNode from "onnxruntime-node";
import { messageOf } from "../errors.ts";
import type { EmbeddedNative } from "./native-embedded.ts";
import { embeddedNatives } from "./native-embedded.ts";
import type { CpuLevel } from "./cpu.ts";
import { levelsOf } from "./cpu.ts";
import type { VectorAddon } from "./vector-addon.ts";

export type OnnxRuntime = typeof OnnxruntimeNode;

/** Where this process's native files are; plain data, so that a worker can be given it. */
export interface Natives {
  /** The addon of src/index/native. */
  readonly vectors: string;
  /** null in a source checkout, where the package finds its own files. */
  readonly onnxruntime: string | null;
}

/** The server cannot start; `message` is the one line that is shown. */
class NativeStartError extends Error {
  override name = "StartError";
}

const CHUNK_BYTES = 1 << 20;

/**
 * Makes the native files loadable and says where they are. In the compiled binary they are copied to
 * `<dataDirectory>/native/<hash>/`, or reused when every byte is right; copies of other versions are removed. The caller
 * holds the data directory's lock. `level` bounds the instructions of our own addon; by default it
 * uses the best of this processor.
 * Throws a StartError when the directory is full, cannot be written, or holds nothing that may be executed.
 */
export async function unpackNatives(dataDirectory: string, level: CpuLevel | null = null): Promise<Natives> {
  const natives = embeddedNatives.length === 0 ? sourceNatives() : await unpackEmbedded(dataDirectory);
  // Tried here, where it can be told to a person, and because an addon that a worker loads first is not always found.
  useLevel(loadVectors(natives), level);
  return natives;
}

async function unpackEmbedded(dataDirectory: string): Promise<Natives> {
  const parent = join(dataDirectory, "native");
  try {
    return await unpack(embeddedNatives, parent);
  } catch (error) {
    throw new NativeStartError(`cannot unpack native code into ${parent}: ${messageOf(error)}`, { cause: error });
  }
}

/** What each level of processors has for a scan. */
const SIMD_OF: Readonly<Record<CpuLevel, string>> = { "x86-64-v2": "plain", "x86-64-v3": "avx2", arm64: "plain" };

function useLevel(addon: VectorAddon, level: CpuLevel | null): void {
  if (level === null) return;
  if (!levelsOf(process.arch).includes(level) || !addon.levels().includes(SIMD_OF[level]))
    throw new NativeStartError(`there is no native code for ${level} on this processor`);
  addon.useLevel(SIMD_OF[level]);
}

/** ONNX Runtime's module for this thread. Workers pass what the main thread's `unpackNatives` returned. */
export function loadOnnxRuntime(natives: Natives = sourceNatives()): OnnxRuntime {
  if (natives.onnxruntime !== null && Reflect.get(globalThis, ONNXRUNTIME_BINDING) === undefined) {
    Reflect.set(globalThis, ONNXRUNTIME_BINDING, loadAddon(natives.onnxruntime));
  }
  return require("onnxruntime-node") as OnnxRuntime;
}

/** Our own addon, for this thread. */
export function loadVectors(natives: Natives = sourceNatives()): VectorAddon {
  vectorsAddon ??= loadAddon(natives.vectors) as VectorAddon;
  return vectorsAddon;
}

/** The same where it was loaded, or stands ready beside the sources; null elsewhere. */
export function vectorAddon(): VectorAddon | null {
  if (vectorsAddon !== undefined || embeddedNatives.length > 0) return vectorsAddon ?? null;
  const path = join(import.meta.dir, "../../dist/native", vectorsFileName());
  return existsSync(path) ? (vectorsAddon = loadAddon(path) as VectorAddon) : null;
}

/** File name of our own addon, one for all processors of an architecture: it chooses by itself. */
export function vectorsFileName(arch: string = process.arch): string {
  return `lectern-vectors-${arch}.node`;
}

/** The binary's copy of onnxruntime-node takes its binding from here (see src/build/compile.ts). */
const ONNXRUNTIME_BINDING = Symbol.for("lectern.onnxruntime.binding");
const ONNXRUNTIME_FILE = "onnxruntime_binding.node";
let vectorsAddon: VectorAddon | undefined;

function sourceNatives(): Natives {
  if (embeddedNatives.length > 0) throw new Error("native files of a compiled binary must be unpacked first");
  const vectors = join(import.meta.dir, "../../dist/native", vectorsFileName());
  if (!existsSync(vectors)) throw new Error(`native code is not built yet (${vectors}): run "make addon"`);
  return { vectors, onnxruntime: null };
}

function loadAddon(path: string): unknown {
  const module = { exports: {} as unknown };
  try {
    process.dlopen(module, path);
  } catch (error) {
    const reason = messageOf(error);
    const hint = /failed to map segment|not permitted/i.test(reason)
      ? ": the data directory's file system is mounted noexec, choose another with --data"
      : "";
    throw new NativeStartError(`cannot load native code: ${reason}${hint}`, { cause: error });
  }
  return module.exports;
}

/** Exported for its tests: the same as `unpackNatives`, for a given list of files. */
export async function unpack(files: readonly EmbeddedNative[], parent: string): Promise<Natives> {
  const version = new Bun.CryptoHasher("sha256");
  for (const file of files) version.update(`${file.name} ${file.sha256}\n`);
  const name = version.digest("hex").slice(0, 16);
  const directory = join(parent, name);
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  // A directory left by an earlier start may be looser than it should be: what is loaded from here runs as us.
  chmodSync(parent, 0o700);
  chmodSync(directory, 0o700);
  for (const file of files) {
    const target = join(directory, file.name);
    if (!isIntact(target, file)) await copyInto(directory, file);
  }
  removeOthers(directory, new Set(files.map((file) => file.name)));
  removeOthers(parent, new Set([name]));
  return { vectors: join(directory, vectorsFileName()), onnxruntime: join(directory, ONNXRUNTIME_FILE) };
}

/** Hashed in pieces, so that a start does not leave 50 MB of garbage behind. */
function isIntact(path: string, expected: EmbeddedNative): boolean {
  if (statSync(path, { throwIfNoEntry: false })?.size !== expected.bytes) return false;
  const hasher = new Bun.CryptoHasher("sha256");
  const buffer = new Uint8Array(CHUNK_BYTES);
  const fd = openSync(path, "r");
  try {
    for (let count = readSync(fd, buffer); count > 0; count = readSync(fd, buffer)) {
      hasher.update(buffer.subarray(0, count));
    }
  } finally {
    closeSync(fd);
  }
  return hasher.digest("hex") === expected.sha256;
}

/** temp, fsync, rename, fsync of the directory: a crash leaves the old file or the new one, never half of one. */
async function copyInto(directory: string, file: EmbeddedNative): Promise<void> {
  const temporary = join(directory, `${file.name}.tmp`);
  rmSync(temporary, { force: true });
  try {
    await copyAndCheck(file, temporary);
  } catch (error) {
    // On a full disk the half that was written would be in the way of the next try.
    rmSync(temporary, { force: true });
    throw error;
  }
  renameSync(temporary, join(directory, file.name));
  const directoryFd = openSync(directory, "r");
  fsyncSync(directoryFd);
  closeSync(directoryFd);
}

async function copyAndCheck(file: EmbeddedNative, target: string): Promise<void> {
  const hasher = new Bun.CryptoHasher("sha256");
  const fd = openSync(target, "wx", 0o700);
  try {
    for (let at = 0; at < file.bytes; at += CHUNK_BYTES) {
      const piece = await Bun.file(file.path)
        .slice(at, at + CHUNK_BYTES)
        .bytes();
      hasher.update(piece);
      for (let written = 0; written < piece.length;) written += writeSync(fd, piece, written);
    }
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
  if (hasher.digest("hex") !== file.sha256) throw new Error(`the binary's copy of ${file.name} is damaged`);
}

function removeOthers(directory: string, keep: ReadonlySet<string>): void {
  for (const entry of readdirSync(directory)) {
    if (!keep.has(entry)) rmSync(join(directory, entry), { recursive: true, force: true });
  }
}
