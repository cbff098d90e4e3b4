/**
 * A disk of which only what was synced is sure. It takes the records one after the other; at any point it can be asked for
 * what a power cut might leave: each change since the last sync of its file may be there or not, whole or in part, in any
 * combination, and the same holds for each name since the last sync of its folder. That is more than real file systems do,
 * and all that POSIX promises.
 */
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { SeededRandom } from "../helpers/random.ts";
import type { DiskRecord } from "./record.ts";

type Change = { type: "data"; offset: number; data: Uint8Array } | { type: "length"; length: number; isLeast: boolean };

class FileNode {
  bytes: Uint8Array;
  pending: Change[] = [];

  constructor(bytes: Uint8Array = new Uint8Array()) {
    this.bytes = bytes;
  }
}

class FolderNode {
  /** As programs see it. */
  readonly now = new Map<string, Entry>();
  readonly durable = new Map<string, Entry>();
  pending: { name: string; target: Entry | null }[] = [];

  set(name: string, target: Entry | null): void {
    if (target === null) this.now.delete(name);
    else this.now.set(name, target);
    this.pending.push({ name, target });
  }
}

type Entry = FileNode | FolderNode;

/** What becomes of changes that were not synced. */
export const CUTS = [
  /** The strictest: nothing of them. */
  "all lost",
  /** As a killed process leaves it. */
  "all kept",
  "some lost",
  /** In each file, those up to some point. */
  "first kept",
  "names without data",
  "data without names",
  /** As `some lost`, and sectors of 512 bytes, or pages of 4096, are missing inside. */
  "torn",
] as const;
export type Cut = (typeof CUTS)[number];

/** Caches of the machine's own, and what no power cut can concern. */
export const LEFT_OUT = /^data\/(native|models|lock|lock-journal)(\/|$)|-shm$|\/reserve-[^/]*$/;

export class Disk {
  readonly #root = new FolderNode();

  /** Everything below `path` is there, and durable. */
  static from(path: string): Disk {
    const disk = new Disk();
    disk.#load(path, "", disk.#root);
    return disk;
  }

  #load(path: string, below: string, folder: FolderNode): void {
    for (const name of readdirSync(path)) {
      const inner = join(below, name);
      if (LEFT_OUT.test(inner)) continue;
      const isFolder = statSync(join(path, name)).isDirectory();
      const entry = isFolder ? new FolderNode() : new FileNode(new Uint8Array(readFileSync(join(path, name))));
      folder.now.set(name, entry);
      folder.durable.set(name, entry);
      if (entry instanceof FolderNode) this.#load(join(path, name), inner, entry);
    }
  }

  /** False where it changes nothing that is looked at. */
  apply(record: DiskRecord): boolean {
    const { kind, path, other, offset, data } = record;
    if (LEFT_OUT.test(path)) return false;
    if (path === "data" && kind !== "S") return false;
    const { folder, name, entry } = this.#find(path);
    switch (kind) {
      case "C":
        folder.set(name, new FileNode());
        return true;
      case "M":
        folder.set(name, new FolderNode());
        return true;
      case "U":
        folder.set(name, null);
        return true;
      case "R": {
        const to = this.#find(other);
        if (entry === null) throw new Error(`${path} is renamed and was never there`);
        to.folder.set(to.name, entry);
        folder.set(name, null);
        return true;
      }
      case "S":
        if (entry === null) throw new Error(`${path} is synced and was never there`);
        return settle(entry);
      case "F":
        // The system has thrown away what it could not write; programs still see it, and later syncs succeed.
        if (entry !== null) entry.pending = [];
        return true;
      case "W":
        if (offset < 0) throw new Error(`where ${path} was written is not known`);
        fileOf(entry, path).pending.push({ type: "data", offset, data });
        return true;
      case "T":
      case "A":
        fileOf(entry, path).pending.push({ type: "length", length: offset, isLeast: kind === "A" });
        return true;
      case "L":
        throw new Error(`${path} is a link, which is nowhere made`);
    }
  }

  #find(path: string): { folder: FolderNode; name: string; entry: Entry | null } {
    const parts = path.split("/").filter((part) => part !== "");
    const name = parts.pop() ?? "";
    let folder = this.#root;
    for (const part of parts) {
      const next = folder.now.get(part);
      if (!(next instanceof FolderNode)) throw new Error(`${path} lies in no folder`);
      folder = next;
    }
    return { folder, name, entry: name === "" ? folder : (folder.now.get(name) ?? null) };
  }

  /** Writes what a power cut of this kind may leave to a folder, which must be empty; answers a digest of it. */
  cut(target: string, kind: Cut, random: SeededRandom): string {
    let digest = 0n;
    const odds = random.pick([0.1, 0.5, 0.9]);
    const files = new Map<FileNode, Uint8Array>();
    const contentOf = (file: FileNode): Uint8Array => {
      // The same under each of its names.
      let bytes = files.get(file);
      if (bytes === undefined) files.set(file, (bytes = afterCut(file, kind, odds, random)));
      return bytes;
    };
    const keeps = namesKept(kind, odds, random);
    const write = (folder: FolderNode, path: string): void => {
      const entries = new Map(folder.durable);
      for (const { name, target: entry } of folder.pending) {
        if (!keeps()) continue;
        if (entry === null) entries.delete(name);
        else entries.set(name, entry);
      }
      for (const [name, entry] of entries) {
        const inner = join(path, name);
        if (entry instanceof FileNode) {
          const bytes = contentOf(entry);
          writeFileSync(inner, bytes);
          digest ^= Bun.hash.xxHash64(bytes, Bun.hash.xxHash64(inner.slice(target.length)));
        } else {
          mkdirSync(inner, { recursive: true });
          write(entry, inner);
        }
      }
    };
    write(this.#root, target);
    return digest.toString(36);
  }
}

function namesKept(kind: Cut, odds: number, random: SeededRandom): () => boolean {
  if (kind === "all kept" || kind === "names without data") return () => true;
  if (kind === "all lost" || kind === "data without names") return () => false;
  return () => random() < odds;
}

function settle(entry: Entry): boolean {
  const changes = entry.pending.length;
  if (entry instanceof FileNode) entry.bytes = withChanges(entry.bytes, entry.pending);
  else
    for (const { name, target } of entry.pending) {
      if (target === null) entry.durable.delete(name);
      else entry.durable.set(name, target);
    }
  entry.pending = [];
  return changes > 0;
}

function fileOf(entry: Entry | null, path: string): FileNode {
  if (entry instanceof FileNode) return entry;
  throw new Error(`${path} is written to and was never there`);
}

/** One after the other, on one copy: there may be thousands, and megabytes. */
function withChanges(bytes: Uint8Array, changes: readonly Change[]): Uint8Array {
  if (changes.length === 0) return bytes;
  let buffer = bytes.slice();
  let { length } = bytes;
  const reach = (end: number) => {
    if (end > buffer.length) {
      const larger = new Uint8Array(Math.max(end, 2 * buffer.length));
      larger.set(buffer.subarray(0, length));
      buffer = larger;
    }
    length = Math.max(length, end);
  };
  for (const change of changes) {
    if (change.type === "data") {
      reach(change.offset + change.data.length);
      buffer.set(change.data, change.offset);
    } else if (change.isLeast || change.length > length) reach(change.length);
    else {
      // What is cut off reads as zeros when the file grows again.
      buffer.fill(0, change.length, length);
      ({ length } = change);
    }
  }
  return buffer.subarray(0, length);
}

function afterCut(file: FileNode, kind: Cut, odds: number, random: SeededRandom): Uint8Array {
  const { pending } = file;
  if (pending.length === 0 || kind === "all lost" || kind === "names without data") return file.bytes;
  const first = random.below(pending.length + 1);
  const grain = random.pick([512, 4096]);
  const kept: Change[] = [];
  for (const [i, change] of pending.entries()) {
    const isKept =
      kind === "all kept" || kind === "data without names" || (kind === "first kept" ? i < first : random() < odds);
    if (!isKept) continue;
    if (kind === "torn" && change.type === "data") kept.push(...pieces(change, grain).filter(() => random() < 0.8));
    else kept.push(change);
  }
  return withChanges(file.bytes, kept);
}

/** A write as its sectors. */
function* pieces(change: { offset: number; data: Uint8Array }, grain: number): Generator<Change> {
  const { offset, data } = change;
  for (let at = 0; at < data.length;) {
    const end = Math.min(data.length, at + grain - ((offset + at) % grain));
    yield { type: "data", offset: offset + at, data: data.subarray(at, end) };
    at = end;
  }
}
