/** Backups as somebody hostile would write them: right in form, with whatever content. */
const BLOCK = 512;

/** A backup's files by name, without its lists. */
export function members(tar: Uint8Array): Map<string, Uint8Array> {
  const files = new Map<string, Uint8Array>();
  const field = (at: number, length: number) =>
    new TextDecoder().decode(tar.subarray(at, at + length)).replace(/\0.*$/s, "");
  for (let at = 0; at + BLOCK <= tar.byteLength && tar[at] !== 0;) {
    const prefix = field(at + 345, 155);
    const name = (prefix === "" ? "" : `${prefix}/`) + field(at, 100);
    const bytes = Number.parseInt(field(at + 124, 12), 8);
    if (!/^(lectern-backup|checksums)\.json$/.test(name)) files.set(name, tar.slice(at + BLOCK, at + BLOCK + bytes));
    at += BLOCK + Math.ceil(bytes / BLOCK) * BLOCK;
  }
  return files;
}

export interface Oddity {
  created_at?: number;
  lectern?: string;
  /** Of every file; "0" is a plain one, "2" a symbolic link. */
  type?: string;
  /** What the manifest's header says of its length. */
  manifestBytes?: number;
}

/** A whole archive with right checksums. */
export function archive(files: ReadonlyMap<string, Uint8Array>, odd: Oddity = {}): Uint8Array {
  const { created_at = 1_700_000_000, lectern = "0.1.0", type = "0", manifestBytes } = odd;
  const sums = [...files].map(([name, bytes]) => [name, new Bun.CryptoHasher("sha256").update(bytes).digest("hex")]);
  const list = (value: unknown) => new TextEncoder().encode(JSON.stringify(value));
  const manifest = list({ format: 1, lectern, created_at, files: files.size });
  return Buffer.concat([
    header("lectern-backup.json", manifestBytes ?? manifest.byteLength, "0"),
    padded(manifest),
    ...[...files].flatMap(([name, bytes]) => [header(name, bytes.byteLength, type), padded(bytes)]),
    ...[list(Object.fromEntries(sums))].flatMap((bytes) => [
      header("checksums.json", bytes.byteLength, "0"),
      padded(bytes),
    ]),
    new Uint8Array(2 * BLOCK),
  ]);
}

function padded(bytes: Uint8Array): Uint8Array {
  const whole = new Uint8Array(Math.ceil(bytes.byteLength / BLOCK) * BLOCK);
  whole.set(bytes);
  return whole;
}

function header(name: string, bytes: number, type: string): Uint8Array {
  const block = new Uint8Array(BLOCK);
  const text = (at: number, value: string) => block.set(new TextEncoder().encode(value), at);
  text(0, name);
  text(100, "0000600\0");
  text(124, `${bytes.toString(8).padStart(11, "0")}\0`);
  text(148, "        ");
  text(156, type);
  text(257, "ustar\0");
  const sum = block.reduce((total, byte) => total + byte, 0);
  text(148, `${sum.toString(8).padStart(6, "0")}\0 `);
  return block;
}
