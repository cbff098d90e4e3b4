import { type Static, type TSchema, Type } from "@sinclair/typebox";
import { Value } from "@sinclair/typebox/value";
import { TAR_END, TarError, readTar, tarHeader, tarPadding } from "./tar.ts";

/**
 * A backup: a tar with `lectern-backup.json` first (what it is), the files, and `checksums.json` last (the sha256 of
 * every file before it). An archive without that last entry, or with a file that differs from it, is not a backup.
 */
export interface BackupFile {
  name: string;
  /** What `read` gives at least; the rest is left out. */
  bytes: number;
  read(): AsyncIterable<Uint8Array>;
}

/** A file of this machine under a name in the archive. */
export function fileForBackup(name: string, path: string, bytes: number): BackupFile {
  return { name, bytes, read: () => Bun.file(path).slice(0, bytes).stream() };
}

/** The last second of the year 9999. */
const LAST_SECOND = 253_402_300_799;

const BackupManifest = Type.Object({
  format: Type.Literal(1),
  /** Version that wrote it. */
  lectern: Type.String({ pattern: "^[0-9A-Za-z.+-]{1,64}$" }),
  /** Unix seconds. */
  created_at: Type.Number({ minimum: 0, maximum: LAST_SECOND }),
  files: Type.Integer({ minimum: 0 }),
});
export type BackupManifest = Static<typeof BackupManifest>;

const Format = Type.Object({ format: Type.Unknown() });
const Checksums = Type.Record(Type.String(), Type.String());

const MANIFEST = "lectern-backup.json";
const CHECKSUMS = "checksums.json";
/** Without it there is nothing to restore. */
const REQUIRED = "meta.sqlite";
const MOST_MANIFEST_BYTES = 1024 * 1024;
/** A name as long as tar has it, a checksum, and what JSON puts around them. */
const CHECKSUM_BYTES = 400;

/** The archive, piece by piece; files are read as they are sent. Throws when a file is not as long as announced. */
export async function* writeBackup(
  manifest: Omit<BackupManifest, "format" | "files">,
  files: readonly BackupFile[],
): AsyncGenerator<Uint8Array> {
  const checksums: Record<string, string> = {};
  const about: BackupManifest = { format: 1, ...manifest, files: files.length };
  const inline = function* (name: string, value: unknown): Generator<Uint8Array> {
    const bytes = new TextEncoder().encode(JSON.stringify(value));
    yield tarHeader({ name, bytes: bytes.byteLength }, manifest.created_at);
    yield bytes;
    yield tarPadding(bytes.byteLength);
  };
  yield* inline(MANIFEST, about);
  for (const file of files) {
    yield tarHeader(file, manifest.created_at);
    const hash = new Bun.CryptoHasher("sha256");
    let sent = 0;
    for await (const piece of file.read()) {
      hash.update(piece);
      sent += piece.byteLength;
      yield piece;
    }
    if (sent !== file.bytes) throw new Error(`${file.name} has ${sent} bytes, not ${file.bytes}`);
    yield tarPadding(file.bytes);
    checksums[file.name] = hash.digest("hex");
  }
  yield* inline(CHECKSUMS, checksums);
  yield TAR_END;
}

/**
 * Reads a whole backup and checks every byte of it; `onFile` may keep the content. Throws TarError with the reason where
 * it is damaged, cut off, of another format, or holds a name that does not belong into a backup.
 */
export async function readBackup(
  stream: AsyncIterable<Uint8Array>,
  onFile: (name: string, content: AsyncIterable<Uint8Array>) => Promise<void>,
): Promise<BackupManifest> {
  const seen = new Map<string, string>();
  const folders = new Set<string>();
  let manifest: BackupManifest | null = null;
  let checksums: Map<string, string> | null = null;
  for await (const { name, bytes, content } of readTar(stream)) {
    if (checksums !== null) throw new TarError("something follows the checksums");
    if (manifest === null) {
      if (name !== MANIFEST) throw new TarError("this is not a backup of Lectern");
      manifest = readManifest(await collect(content, bytes, MOST_MANIFEST_BYTES));
    } else if (name === CHECKSUMS) {
      const most = MOST_MANIFEST_BYTES + seen.size * CHECKSUM_BYTES;
      checksums = new Map(Object.entries(parse(Checksums, await collect(content, bytes, most))));
    } else {
      refuseName(name, seen, folders);
      const hash = new Bun.CryptoHasher("sha256");
      const hashed = async function* () {
        for await (const piece of content) {
          hash.update(piece);
          yield piece;
        }
      };
      await onFile(name, hashed());
      seen.set(name, hash.digest("hex"));
    }
  }
  if (manifest === null || checksums === null) throw new TarError("the backup ends too early");
  for (const name of new Set([...seen.keys(), ...checksums.keys()]))
    if (seen.get(name) !== checksums.get(name)) throw new TarError(`${quoted(name)} is damaged`);
  if (seen.size !== manifest.files) throw new TarError("files are missing");
  if (!seen.has(REQUIRED)) throw new TarError(`there is no ${REQUIRED} in it`);
  return manifest;
}

/** A file's name must be one that a backup writes, there once, and no folder of another's. */
function refuseName(name: string, seen: ReadonlyMap<string, string>, folders: Set<string>): void {
  if (!isBackupName(name)) throw new TarError(`the name ${quoted(name)} does not belong into a backup`);
  if (seen.has(name)) throw new TarError(`${quoted(name)} is in it twice`);
  const parts = name.split("/");
  const above = parts.slice(1).map((_, i) => parts.slice(0, i + 1).join("/"));
  const clash = folders.has(name) ? name : above.find((folder) => seen.has(folder));
  if (clash !== undefined) throw new TarError(`${quoted(clash)} is both a file and a folder`);
  for (const folder of above) folders.add(folder);
}

/** A name of the archive as it may be printed. */
function quoted(name: string): string {
  return JSON.stringify(name.slice(0, 100).replace(/\p{Cc}/gu, " "));
}

/** Only what a backup writes: never an absolute path, never a way out of the directory. */
function isBackupName(name: string): boolean {
  return (
    name === "meta.sqlite" ||
    name === "models.toml" ||
    /^ocr\/[A-Za-z][A-Za-z0-9_]{1,39}\.traineddata$/.test(name) ||
    /^blobs\/[0-9a-f]{2}\/[A-Za-z0-9_-]{1,128}$/.test(name) ||
    /^models(?:\/(?!\.{1,2}(?:\/|$))[A-Za-z0-9._-]+)+$/.test(name)
  );
}

async function collect(content: AsyncIterable<Uint8Array>, bytes: number, most: number): Promise<string> {
  if (bytes > most) throw new TarError("its list of contents is too large");
  const pieces: Uint8Array[] = [];
  for await (const piece of content) pieces.push(piece);
  return Buffer.concat(pieces).toString("utf8");
}

function readManifest(text: string): BackupManifest {
  const { format } = parse(Format, text);
  if (format !== 1)
    throw new TarError(`the backup has format ${JSON.stringify(format)?.slice(0, 20)}; this Lectern reads format 1`);
  return parse(BackupManifest, text);
}

function parse<S extends TSchema>(schema: S, text: string): Static<S> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    value = undefined;
  }
  if (!Value.Check(schema, value)) throw new TarError("the backup is damaged");
  return value;
}
