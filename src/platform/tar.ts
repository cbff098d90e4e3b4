/**
 * The tar format (POSIX ustar), as much as a backup and a release need: short names, streamed both ways; what is read are
 * plain files. Any `tar` reads what is written here. Sizes above 8 GiB are written in GNU's base-256 form.
 */
export interface TarEntry {
  name: string;
  bytes: number;
}

/** What a header may say besides; a plain file of its owner (root) alone unless it does. */
export interface TarHeader extends TarEntry {
  type?: "file" | "link" | "folder";
  mode?: number;
  /** Number of the user and of the group. */
  owner?: number;
  /** Of a symbolic link. */
  target?: string;
}

const BLOCK = 512;
const PLAIN_FILE = "0".charCodeAt(0);
const TYPE_FLAGS = { file: "0", link: "2", folder: "5" } as const;
const NAME_BYTES = 100;
const PREFIX_BYTES = 155;
const OCTAL_LIMIT = 8 ** 11;

/** The block before a file's content. `mtime`: Unix seconds. */
export function tarHeader(entry: TarHeader, mtime: number): Uint8Array {
  const header = new Uint8Array(BLOCK);
  const text = (at: number, value: string) => header.set(new TextEncoder().encode(value), at);
  const { prefix, name } = splitName(entry.name);
  text(0, name);
  text(345, prefix);
  const octal = (value: number) => `${value.toString(8).padStart(7, "0")}\0`;
  text(100, octal(entry.mode ?? 0o600));
  text(108, octal(entry.owner ?? 0));
  text(116, octal(entry.owner ?? 0));
  if (entry.bytes < OCTAL_LIMIT) text(124, `${entry.bytes.toString(8).padStart(11, "0")}\0`);
  else {
    const view = new DataView(header.buffer);
    header[124] = 0x80;
    view.setBigUint64(128, BigInt(entry.bytes));
  }
  text(136, `${Math.trunc(mtime).toString(8).padStart(11, "0")}\0`);
  text(148, "        ");
  text(156, TYPE_FLAGS[entry.type ?? "file"]);
  text(157, entry.target ?? "");
  text(257, "ustar\0");
  text(263, "00");
  const sum = header.reduce((total, byte) => total + byte, 0);
  text(148, `${sum.toString(8).padStart(6, "0")}\0 `);
  return header;
}

/** A long name is cut at a slash into the two fields that ustar has for it. */
function splitName(full: string): { prefix: string; name: string } {
  const bytes = (text: string) => new TextEncoder().encode(text).byteLength;
  if (bytes(full) <= NAME_BYTES) return { prefix: "", name: full };
  for (let at = full.indexOf("/"); at > 0; at = full.indexOf("/", at + 1)) {
    const [prefix, name] = [full.slice(0, at), full.slice(at + 1)];
    if (bytes(prefix) <= PREFIX_BYTES && bytes(name) <= NAME_BYTES) return { prefix, name };
  }
  throw new RangeError(`the name ${full} is too long for tar`);
}

/** Zeros that fill a file's last block. */
export function tarPadding(bytes: number): Uint8Array {
  return new Uint8Array((BLOCK - (bytes % BLOCK)) % BLOCK);
}

/** The two empty blocks after the last file. */
export const TAR_END = new Uint8Array(2 * BLOCK);

export class TarError extends Error {
  override name = "TarError";
}

/**
 * Reads an archive from a stream. Each entry's content must be read to its end before the next entry.
 * Throws TarError where the stream is not a whole archive.
 */
export async function* readTar(
  stream: AsyncIterable<Uint8Array>,
): AsyncGenerator<TarEntry & { content: AsyncGenerator<Uint8Array> }> {
  const source = new ByteSource(stream);
  for (;;) {
    const header = await source.exactly(BLOCK);
    if (header.every((byte) => byte === 0)) return;
    const entry = parseHeader(header);
    yield { ...entry, content: source.upTo(entry.bytes) };
    await source.exactly(tarPadding(entry.bytes).byteLength);
  }
}

function parseHeader(header: Uint8Array): TarEntry {
  const text = (at: number, length: number) =>
    new TextDecoder()
      .decode(header.subarray(at, at + length))
      .replace(/\0.*$/s, "")
      .trim();
  const sum = header.reduce((total, byte, at) => total + (at >= 148 && at < 156 ? 0x20 : byte), 0);
  if (Number.parseInt(text(148, 8), 8) !== sum) throw new TarError("a file header is damaged");
  const type = header[156] ?? 0;
  if (type !== 0 && type !== PLAIN_FILE) throw new TarError("it holds something that is not a plain file");
  const large = (header[124] ?? 0) >= 0x80;
  const bytes = large
    ? Number(new DataView(header.buffer, header.byteOffset).getBigUint64(128))
    : Number.parseInt(text(124, 12), 8);
  if (!Number.isSafeInteger(bytes) || bytes < 0) throw new TarError("a file header is damaged");
  const prefix = text(345, PREFIX_BYTES);
  return { name: (prefix === "" ? "" : `${prefix}/`) + text(0, NAME_BYTES), bytes };
}

class ByteSource {
  readonly #chunks: AsyncIterator<Uint8Array>;
  #rest: Uint8Array = new Uint8Array();

  constructor(stream: AsyncIterable<Uint8Array>) {
    this.#chunks = stream[Symbol.asyncIterator]();
  }

  async exactly(count: number): Promise<Uint8Array> {
    const bytes = new Uint8Array(count);
    let filled = 0;
    for await (const piece of this.upTo(count)) {
      bytes.set(piece, filled);
      filled += piece.byteLength;
    }
    return bytes;
  }

  async *upTo(count: number): AsyncGenerator<Uint8Array> {
    let left = count;
    while (left > 0) {
      if (this.#rest.byteLength === 0) {
        const next = await this.#chunks.next();
        if (next.done === true) throw new TarError("the archive ends too early");
        this.#rest = next.value;
      }
      const piece = this.#rest.subarray(0, left);
      this.#rest = this.#rest.subarray(piece.byteLength);
      left -= piece.byteLength;
      if (piece.byteLength > 0) yield piece;
    }
  }
}
