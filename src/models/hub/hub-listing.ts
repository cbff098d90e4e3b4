/** What a hub says of a model: its commit, its licence, and its files with their sizes and hashes. */
import { type Asked, HubError } from "./hub-failure.ts";
import type { HubAnswer, HubClient } from "./hub-client.ts";
import { fileAddress, type HubName, listingAddress } from "./hub-name.ts";

/** `git-sha1`: of the file as git stores it, with its length before it. */
export interface FileHash {
  kind: "sha256" | "git-sha1";
  hex: string;
}

export interface HubFile {
  name: string;
  /** null where the list does not say. */
  bytes: number | null;
  hash: FileHash | null;
}

/** A file that can be fetched: what comes can be held against it. */
export interface KnownFile extends HubFile {
  bytes: number;
  hash: FileHash;
}

export interface HubListing {
  /** The commit that all files are fetched at, or the revision that was asked for where the hub names none. */
  commit: string;
  licence: string | null;
  isGated: boolean;
  files: readonly HubFile[];
}

const MOST_LISTING_BYTES = 16 * 2 ** 20;
const MOST_FILES = 20_000;
const COMMIT = /^[0-9a-f]{40}(?:[0-9a-f]{24})?$/;
const SHA256 = /^[0-9a-f]{64}$/;
const SHA1 = /^[0-9a-f]{40}$/;

export async function fetchListing(client: HubClient, model: HubName): Promise<HubListing> {
  const asked = client.asked(model, null);
  const url = listingAddress(client.endpoint, model);
  const headers = { accept: "application/json" };
  const text = await client.persist(
    async () => await readText(await client.open({ url, method: "GET", headers, asked }), asked),
    () => 0,
  );
  return readListing(text, model.revision, asked);
}

/**
 * Asks for what the list did not say of a file. Rejects where the hub does not say it either: what cannot be checked is
 * not fetched.
 */
export async function completeFile(client: HubClient, model: HubName, file: HubFile): Promise<KnownFile> {
  if (isKnown(file)) return file;
  const asked = client.asked(model, file.name);
  const url = fileAddress(client.endpoint, model, file.name);
  const { told, headers } = await client.persist(
    async () => await client.open({ url, method: "HEAD", headers: {}, asked }),
    () => 0,
  );
  const bytes = file.bytes ?? wholeNumber(told.get("x-linked-size") ?? headers.get("content-length"));
  const hash = file.hash ?? hashOf(told.get("x-linked-etag") ?? headers.get("etag"));
  if (bytes === null || hash === null) {
    const lacks = bytes === null ? "how large it is" : "no hash that it could be checked against";
    throw new HubError(`${asked.host} does not say ${lacks}: ${file.name} of ${model.name} is not fetched.`);
  }
  return { ...file, bytes, hash };
}

export function isKnown(file: HubFile): file is KnownFile {
  return file.bytes !== null && file.hash !== null;
}

/** The hash in an entity tag, as the hub makes them of files' hashes. */
export function hashOf(tag: string | null): FileHash | null {
  const hex = tag?.replace(/^W\//, "").replaceAll('"', "").toLowerCase() ?? "";
  if (SHA256.test(hex)) return { kind: "sha256", hex };
  return SHA1.test(hex) ? { kind: "git-sha1", hex } : null;
}

async function readText(answer: HubAnswer, asked: Asked): Promise<string> {
  const parts: Uint8Array[] = [];
  let length = 0;
  for await (const piece of answer.pieces()) {
    length += piece.length;
    if (length > MOST_LISTING_BYTES)
      throw new HubError(`the list of files of ${asked.model} is larger than any is (${MOST_LISTING_BYTES} bytes).`);
    parts.push(piece);
  }
  const text = Buffer.concat(parts).toString("utf8");
  if (isPage(answer.headers, text)) throw pageProblem(asked, answer.by);
  return text;
}

/** Whether an answer is a page for people. */
export function isPage(headers: Headers, start: string): boolean {
  return (headers.get("content-type") ?? "").startsWith("text/html") || /^\s*<(?:!doctype|html)/i.test(start);
}

export function pageProblem(asked: Asked, by: string): HubError {
  return new HubError(
    `${by} answers with a web page where a hub gives ${asked.file ?? "JSON"}: it is no hub, or wants a sign-in first (a proxy's, or the mirror's: --token-file FILE).`,
  );
}

function readListing(text: string, revision: string, asked: Asked): HubListing {
  let read: unknown;
  try {
    read = JSON.parse(text);
  } catch {
    throw new HubError(`${asked.host} answers with something that is no JSON where a hub lists a model's files.`);
  }
  const object = objectOf(read);
  const siblings = object?.["siblings"];
  if (object === null || !Array.isArray(siblings))
    throw new HubError(`${asked.host} lists no files of ${asked.model}: it does not speak the addresses of a hub.`);
  if (siblings.length > MOST_FILES)
    throw new HubError(`${asked.model} has more files (${siblings.length}) than a model.`);
  const files = new Map<string, HubFile>();
  for (const entry of siblings) {
    const file = readFile(objectOf(entry));
    // A name that leads out of a folder, or that no disk takes, is not one that is ever asked for.
    if (file !== null) files.set(file.name, file);
  }
  const sha = object["sha"];
  return {
    commit: typeof sha === "string" && COMMIT.test(sha) ? sha : revision,
    licence: licenceOf(object),
    isGated: object["gated"] !== undefined && object["gated"] !== false && object["gated"] !== null,
    files: [...files.values()].sort((a, b) => (a.name < b.name ? -1 : 1)),
  };
}

function readFile(entry: Record<string, unknown> | null): HubFile | null {
  const name = entry?.["rfilename"];
  if (entry === null || typeof name !== "string" || !isSafeName(name)) return null;
  const lfs = objectOf(entry["lfs"]);
  const sha256 = lfs?.["sha256"] ?? lfs?.["oid"];
  const blob = entry["blobId"] ?? entry["oid"];
  const hex = typeof sha256 === "string" ? sha256.replace(/^sha256:/, "") : null;
  // The git hash of a file that lies elsewhere is one of the note that says where.
  const hash = lfs === null ? (typeof blob === "string" ? hashOf(blob) : null) : hashOf(hex);
  return { name, bytes: wholeNumber(lfs?.["size"] ?? entry["size"]), hash };
}

const PART = /^(?!\.)[\p{L}\p{N}._ ()+,=@-]{1,200}$/u;

function isSafeName(name: string): boolean {
  return name.length <= 500 && name.split("/").every((part) => PART.test(part));
}

function licenceOf(listing: Record<string, unknown>): string | null {
  const card = objectOf(listing["cardData"]);
  const said = card?.["license"];
  const licence = Array.isArray(said) ? said.filter((one) => typeof one === "string").join(", ") : said;
  if (typeof licence === "string" && licence !== "") {
    const [name, link] = [card?.["license_name"], card?.["license_link"]].map((value) =>
      typeof value === "string" && value !== "" ? value : null,
    );
    const more = [name, link].filter((value) => value !== null && value !== undefined);
    return licence === "other" && more.length > 0 ? `other: ${more.join(", ")}` : licence;
  }
  const tags = Array.isArray(listing["tags"]) ? listing["tags"] : [];
  const tag = tags.find((one): one is string => typeof one === "string" && one.startsWith("license:"));
  return tag?.slice("license:".length) ?? null;
}

function wholeNumber(value: unknown): number | null {
  const number = typeof value === "string" && /^\d+$/.test(value) ? Number(value) : value;
  return typeof number === "number" && Number.isSafeInteger(number) && number >= 0 ? number : null;
}

function objectOf(value: unknown): Record<string, unknown> | null {
  return value !== null && typeof value === "object" && !Array.isArray(value)
    ? (value as Record<string, unknown>)
    : null;
}
