/**
 * The graph of one index generation on disk: a directory of immutable part files and a manifest that is written last.
 *
 *   <directory>/part-<serial>.hnsw   the graph, labels 0 … n-1
 *   <directory>/part-<serial>.ids    for each label the chunk id, as a 64-bit float
 *   <directory>/manifest.json        identity, the list of parts with sizes and checksums, and its own checksum
 *
 * What the manifest does not name does not exist. A directory without a whole manifest of the wanted identity is
 * rubbish: the graph is a cache, it is built again from SQLite. Serial numbers are never used again, so that a new
 * part never replaces a file somebody is reading.
 */
import { closeSync, existsSync, fsyncSync, mkdirSync, openSync, readdirSync, readFileSync, renameSync } from "node:fs";
import { rmSync, statSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { DamagedFileError, flush, type FileSeal } from "./part-file.ts";

/** Everything that makes two graphs different things; compared as a whole. */
export type GenerationIdentity = Readonly<Record<string, string | number | boolean | null>>;

export type PartEntry = {
  readonly serial: number;
  readonly vectors: number;
  readonly graph: FileSeal;
  readonly ids: FileSeal;
};

export type Manifest = { readonly identity: GenerationIdentity; readonly parts: readonly PartEntry[] };

/** Raised with every change of the files' layout. */
const FORMAT = 1;
const MANIFEST = "manifest.json";
const RETIRED = ".deleted";

export function graphPath(directory: string, serial: number): string {
  return join(directory, `part-${serial}.hnsw`);
}

export function idsPath(directory: string, serial: number): string {
  return join(directory, `part-${serial}.ids`);
}

/** A serial number that no part in the directory has, finished or not. */
export function nextSerial(directory: string): number {
  const names = existsSync(directory) ? readdirSync(directory) : [];
  return names.reduce((next, name) => Math.max(next, Number(/^part-(\d+)\./.exec(name)?.[1] ?? 0) + 1), 1);
}

/** Writes the manifest: from now on these parts, and no others, are the graph. Removes files it does not name. */
export function publishManifest(directory: string, manifest: Manifest): void {
  mkdirSync(directory, { recursive: true });
  flushDirectory(directory); // the parts' own names
  const body = { format: FORMAT, identity: sorted(manifest.identity), parts: manifest.parts };
  const temporary = join(directory, `${MANIFEST}.tmp`);
  writeFileSync(temporary, JSON.stringify({ ...body, sha256: sha256(JSON.stringify(body)) }));
  flush(temporary);
  renameSync(temporary, join(directory, MANIFEST));
  flushDirectory(directory);
  flushDirectory(dirname(directory));
  removeUnnamed(directory, manifest.parts);
}

/** The manifest, if there is a whole one of this identity; otherwise why not. Files are not looked at. */
export function readManifest(
  directory: string,
  identity: GenerationIdentity,
):
  | { readonly ok: true; readonly manifest: Manifest }
  | { readonly ok: false; readonly reason: "missing" | "damaged" | "other-identity" } {
  let text: string;
  try {
    text = readFileSync(join(directory, MANIFEST), "utf8");
  } catch {
    return { ok: false, reason: "missing" };
  }
  try {
    const { sha256: checksum, ...body } = JSON.parse(text) as Manifest & { format: number; sha256: string };
    if (sha256(JSON.stringify(body)) !== checksum) return { ok: false, reason: "damaged" };
    const same = body.format === FORMAT && JSON.stringify(sorted(identity)) === JSON.stringify(body.identity);
    return same ? { ok: true, manifest: body } : { ok: false, reason: "other-identity" };
  } catch {
    return { ok: false, reason: "damaged" };
  }
}

/** The parts that a whole manifest names, whatever its identity; null where there is none or it is damaged. */
export function openManifest(directory: string): readonly PartEntry[] | null {
  try {
    const { sha256: checksum, ...body } = JSON.parse(readFileSync(join(directory, MANIFEST), "utf8")) as Manifest & {
      sha256: string;
    };
    return sha256(JSON.stringify(body)) === checksum ? body.parts : null;
  } catch {
    return null;
  }
}

/** Removes a graph: renamed first, so that a crash in between leaves nothing that looks alive. */
export function retireDirectory(directory: string): void {
  if (!existsSync(directory)) return;
  const gone = `${directory}-${Date.now().toString(36)}${RETIRED}`;
  renameSync(directory, gone);
  rmSync(gone, { recursive: true, force: true });
}

/**
 * Removes what crashes left behind under `parent`, whose entries are generations' directories and single files: half-removed ones, those
 * that `isWanted` does not know, and unfinished files. Called while nobody builds. Answers how many things were removed.
 */
export function cleanLeftovers(parent: string, isWanted: (name: string) => boolean): number {
  if (!existsSync(parent)) return 0;
  let removed = 0;
  for (const name of readdirSync(parent)) {
    const directory = join(parent, name);
    if (name.endsWith(RETIRED) || !isWanted(name)) {
      rmSync(directory, { recursive: true, force: true });
      removed++;
      continue;
    }
    if (statSync(directory).isDirectory()) removed += removeUnnamed(directory, namedParts(directory));
  }
  return removed;
}

function namedParts(directory: string): readonly PartEntry[] {
  try {
    return (JSON.parse(readFileSync(join(directory, MANIFEST), "utf8")) as Manifest).parts;
  } catch {
    return [];
  }
}

function removeUnnamed(directory: string, parts: readonly PartEntry[]): number {
  const named = new Set([MANIFEST, ...parts.flatMap(({ serial }) => [`part-${serial}.hnsw`, `part-${serial}.ids`])]);
  const others = readdirSync(directory).filter((name) => !named.has(name));
  for (const name of others) rmSync(join(directory, name), { recursive: true, force: true });
  return others.length;
}

/** Makes the names in a directory durable. */
export function flushDirectory(directory: string): void {
  const handle = openSync(directory, "r");
  try {
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
}

/** Writes a file of chunk ids, durable, and reads it back. Throws DamagedFileError, or what the disk says. */
export function writeIds(path: string, ids: Float64Array): FileSeal {
  const bytes = new Uint8Array(ids.buffer, ids.byteOffset, ids.byteLength);
  writeFileSync(path, bytes);
  flush(path);
  const sealed = new Bun.CryptoHasher("sha256").update(bytes).digest("hex");
  if (new Bun.CryptoHasher("sha256").update(readFileSync(path)).digest("hex") !== sealed) {
    throw new DamagedFileError("a file of chunk ids was not written whole");
  }
  return { bytes: bytes.byteLength, sha256: sealed };
}

function sha256(text: string): string {
  return new Bun.CryptoHasher("sha256").update(text).digest("hex");
}

function sorted(identity: GenerationIdentity): GenerationIdentity {
  return Object.fromEntries(Object.entries(identity).sort(([a], [b]) => (a < b ? -1 : 1)));
}
