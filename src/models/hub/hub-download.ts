/** One file of a hub: fetched in pieces, gone on with after a break, and kept only if it is what the hub listed. */
import {
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
} from "node:fs";
import { writeFileSync, writeSync } from "node:fs";
import { dirname, join } from "node:path";
import { isDiskFull } from "../../platform/disk-trust.ts";
import { type Asked, HubError } from "./hub-failure.ts";
import type { HubAnswer, HubClient } from "./hub-client.ts";
import { type FileHash, hashOf, isPage, type KnownFile, pageProblem } from "./hub-listing.ts";
import { fileAddress, type HubName } from "./hub-name.ts";
import { PART_SUFFIX, TAG_SUFFIX } from "./staging.ts";

export interface Download {
  /** At the commit that was listed. */
  model: HubName;
  file: KnownFile;
  /** Folder that the file is put below. */
  into: string;
  /** Bytes of the file that are here by now. */
  onBytes(bytes: number): void;
}

/** Resolves when the file is there, whole and checked. Rejects with a HubError; what came by then is kept for the next time. */
export async function downloadFile(client: HubClient, download: Download): Promise<void> {
  const { file, into, onBytes } = download;
  const path = join(into, file.name);
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  if (sizeOf(path) === file.bytes && (await isFile(path, file))) return onBytes(file.bytes);
  rmSync(path, { force: true });
  const parts: Parts = { part: path + PART_SUFFIX, tag: path + TAG_SUFFIX };
  await client.persist(
    async () => await attempt(client, download, parts),
    () => sizeOf(parts.part) ?? 0,
  );
  renameSync(parts.part, path);
  rmSync(parts.tag, { force: true });
  onBytes(file.bytes);
}

interface Parts {
  part: string;
  /** Entity tag of the answer that the part came with. */
  tag: string;
}

async function attempt(client: HubClient, download: Download, parts: Parts): Promise<void> {
  const { file, model, onBytes } = download;
  const asked = client.asked(model, file.name);
  const before = sizeOf(parts.part) ?? 0;
  if (before > file.bytes) forget(parts);
  const isResumed = before > 0 && before <= file.bytes;
  if ((sizeOf(parts.part) ?? -1) < file.bytes) await receive(client, download, parts);
  onBytes(file.bytes);
  if (await isFile(parts.part, file)) return;
  forget(parts);
  const { kind, hex } = file.hash;
  throw new HubError(
    `${file.name} of ${asked.model} is not what ${asked.host} listed (${kind} ${hex.slice(0, 12)}…): it was changed on its way or at the mirror, and is not kept.`,
    // The beginning may be of another time.
    { isPassing: isResumed },
  );
}

async function receive(client: HubClient, download: Download, parts: Parts): Promise<void> {
  const { file, model, onBytes } = download;
  const asked = client.asked(model, file.name);
  const url = fileAddress(client.endpoint, model, file.name);
  const have = sizeOf(parts.part) ?? 0;
  const answer = await client.open({ url, method: "GET", headers: rangeHeaders(have, parts), asked });
  checkTold(answer, download, asked);
  const start = startOf(answer, have, file);
  if (start === null) {
    forget(parts);
    throw new HubError(`${answer.by} does not go on with ${file.name} where it broke off.`, { isPassing: true });
  }
  if (isPage(answer.headers, "") && !/\.html?$/.test(file.name)) throw pageProblem(asked, answer.by);
  const tag = answer.headers.get("etag");
  if (tag === null) rmSync(parts.tag, { force: true });
  else writeFileSync(parts.tag, tag, { mode: 0o600 });
  const output = openPart(parts.part, start);
  let length = start;
  try {
    for await (const piece of answer.pieces()) {
      length += piece.length;
      if (length > file.bytes) break;
      writeAll(output, piece);
      onBytes(length);
    }
    fsyncSync(output);
  } finally {
    closeSync(output);
  }
  if (length > file.bytes) {
    forget(parts);
    throw new HubError(
      `${file.name} of ${asked.model} is larger than the ${file.bytes} bytes that ${asked.host} listed: it is not kept.`,
    );
  }
  if (length < file.bytes) {
    const message = `${file.name} of ${asked.model} broke off after ${length} of ${file.bytes} bytes.`;
    throw new HubError(message, { isPassing: true });
  }
}

function rangeHeaders(have: number, { tag }: Parts): Record<string, string> {
  if (have === 0) return {};
  const known = existsSync(tag) ? readFileSync(tag, "utf8") : "";
  // A weak tag says nothing of bytes; the hash tells in the end.
  const condition: Record<string, string> = known === "" || known.startsWith("W/") ? {} : { "if-range": known };
  return { range: `bytes=${have}-`, ...condition };
}

/** Where the answer's bytes begin in the file: after what is here, or at its start; null where that is neither. */
function startOf({ status, headers }: HubAnswer, have: number, { bytes }: KnownFile): number | null {
  if (status === 200) return 0;
  const range = /^bytes (\d+)-\d+\/(\d+|\*)$/.exec(headers.get("content-range") ?? "");
  if (status !== 206 || range === null || Number(range[1]) !== have) return null;
  return range[2] === "*" || Number(range[2]) === bytes ? have : null;
}

/** What the hub says with the file has to be what it listed. */
function checkTold({ told }: HubAnswer, { model, file }: Download, asked: Asked): void {
  const commit = told.get("x-repo-commit");
  if (commit !== null && /^[0-9a-f]{40}$/.test(model.revision) && commit !== model.revision)
    throw new HubError(`${asked.host} gives ${file.name} of another commit (${commit}) than it listed.`);
  const hash = hashOf(told.get("x-linked-etag"));
  if (hash !== null && hash.kind === file.hash.kind && hash.hex !== file.hash.hex)
    throw new HubError(
      `${asked.host} gives another ${file.name} of ${asked.model} than it listed (${hash.hex.slice(0, 12)}…).`,
    );
}

async function isFile(path: string, { bytes, hash }: KnownFile): Promise<boolean> {
  return sizeOf(path) === bytes && (await hexOf(path, bytes, hash.kind)) === hash.hex;
}

async function hexOf(path: string, bytes: number, kind: FileHash["kind"]): Promise<string> {
  const hasher = new Bun.CryptoHasher(kind === "sha256" ? "sha256" : "sha1");
  if (kind === "git-sha1") hasher.update(`blob ${bytes}\0`);
  for await (const piece of Bun.file(path).stream()) hasher.update(piece);
  return hasher.digest("hex");
}

function openPart(path: string, start: number): number {
  return openSync(path, start === 0 ? "w" : "a", 0o600);
}

function writeAll(file: number, piece: Uint8Array): void {
  try {
    for (let at = 0; at < piece.length;) at += writeSync(file, piece, at);
  } catch (error) {
    const code = error instanceof Error && "code" in error ? String(error.code) : "unknown error";
    const why = isDiskFull(error) ? "the disk is full" : `it cannot be written (${code})`;
    throw new HubError(`${why}: free some space, then the same command goes on from here.`, { cause: error });
  }
}

function forget({ part, tag }: Parts): void {
  rmSync(part, { force: true });
  rmSync(tag, { force: true });
}

function sizeOf(path: string): number | null {
  return statSync(path, { throwIfNoEntry: false })?.size ?? null;
}
