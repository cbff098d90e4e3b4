import { inflateRawSync } from "node:zlib";

import { invalidFile } from "./document.ts";
import type { ParseLimits } from "./limits.ts";

/**
 * ZIP archives, read from their central directory. Everything is bounded before it is allocated:
 * entries, inflated bytes of all members together, and the ratio of one member. Overlapping members
 * gain nothing, since each costs the same budget.
 */
export interface ZipEntry {
  name: string;
  size: number;
  packedSize: number;
  method: number;
  encrypted: boolean;
  headerOffset: number;
}

const DAMAGED = "The file is damaged or cut off: it cannot be unpacked.";
const TOO_LARGE = "The file unpacks to more data than this server accepts.";
const RATIO_FREE_BYTES = 1024 * 1024;
/** Above what zlib takes for a length. */
const MAX_MEMBER = 0x7fffffff;

export class ZipArchive {
  readonly entries: Map<string, ZipEntry>;
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #limits: ParseLimits;
  /** Bytes that may still be unpacked, here and in the archives inside. */
  readonly #budget: { left: number };
  /** Entries by their names as packages compare them; made when a name is not found as it is written. */
  #folded: Map<string, ZipEntry> | null = null;

  /** @throws ParseError where there is no sound central directory. */
  constructor(bytes: Uint8Array, limits: ParseLimits, budget = { left: limits.maxInflatedBytes }) {
    this.#budget = budget;
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#limits = limits;
    try {
      this.entries = this.#readDirectory();
    } catch (cause) {
      if (cause instanceof RangeError) throw invalidFile(DAMAGED);
      throw cause;
    }
  }

  /** Whether there is a member of exactly this name. */
  has(name: string): boolean {
    return this.entries.has(name);
  }

  /** The member of this name; where there is none, one whose name is the same but for its case or its escapes. */
  find(name: string): ZipEntry | null {
    const exact = this.entries.get(name);
    if (exact !== undefined || name === "") return exact ?? null;
    if (this.#folded === null) {
      this.#folded = new Map();
      for (const entry of this.entries.values()) {
        const folded = foldedName(entry.name);
        if (!this.#folded.has(folded)) this.#folded.set(folded, entry);
      }
    }
    return this.#folded.get(foldedName(name)) ?? null;
  }

  /** Bytes of a member that find() finds; null where there is none. */
  read(name: string): Uint8Array | null {
    const entry = this.find(name);
    return entry === null ? null : this.readEntry(entry);
  }

  /** An archive that is packed in this one; what it unpacks to counts here. */
  inner(bytes: Uint8Array): ZipArchive {
    return new ZipArchive(bytes, this.#limits, this.#budget);
  }

  readEntry(entry: ZipEntry): Uint8Array {
    if (entry.encrypted)
      throw invalidFile("The archive is encrypted and needs a password. Upload a copy without a password.");
    let packed: Uint8Array;
    try {
      const at = entry.headerOffset;
      if (this.#view.getUint32(at, true) !== 0x04034b50) throw invalidFile(DAMAGED);
      const start = at + 30 + this.#view.getUint16(at + 26, true) + this.#view.getUint16(at + 28, true);
      if (start + entry.packedSize > this.#bytes.length) throw invalidFile(DAMAGED);
      packed = this.#bytes.subarray(start, start + entry.packedSize);
    } catch (cause) {
      if (cause instanceof RangeError) throw invalidFile(DAMAGED);
      throw cause;
    }
    if (entry.method === 0) {
      this.#budget.left -= packed.length;
      if (this.#budget.left < 0) throw invalidFile(TOO_LARGE);
      return packed;
    }
    if (entry.method !== 8) throw invalidFile("The archive uses a kind of compression that is not supported.");
    return this.#inflate(packed);
  }

  #inflate(packed: Uint8Array): Uint8Array {
    const { left } = this.#budget;
    const most = Math.max(RATIO_FREE_BYTES, packed.length * this.#limits.maxInflateRatio);
    try {
      // The declared size may lie; zlib stops by itself at the bound.
      const out = inflateRawSync(packed, { maxOutputLength: Math.max(1, Math.min(left, most, MAX_MEMBER)) });
      this.#budget.left -= out.length;
      return out;
    } catch (cause) {
      const code = cause instanceof Error && "code" in cause ? cause.code : "";
      throw invalidFile(code === "ERR_BUFFER_TOO_LARGE" ? TOO_LARGE : DAMAGED);
    }
  }

  #readDirectory(): Map<string, ZipEntry> {
    const view = this.#view;
    const end = this.#findEnd();
    let count = view.getUint16(end + 10, true);
    let at = view.getUint32(end + 16, true);
    if (at === 0xffffffff || count === 0xffff) {
      const locator = end - 20;
      if (locator >= 0 && view.getUint32(locator, true) === 0x07064b50) {
        const end64 = Number(view.getBigUint64(locator + 8, true));
        count = Number(view.getBigUint64(end64 + 32, true));
        at = Number(view.getBigUint64(end64 + 48, true));
      }
    }
    if (count > this.#limits.maxArchiveEntries)
      throw invalidFile("The archive holds more files than this server accepts.");
    const entries = new Map<string, ZipEntry>();
    for (let i = 0; i < count; i++) {
      if (view.getUint32(at, true) !== 0x02014b50) throw invalidFile(DAMAGED);
      const nameLength = view.getUint16(at + 28, true);
      const extraLength = view.getUint16(at + 30, true);
      const flags = view.getUint16(at + 8, true);
      const name = entryName(this.#bytes.subarray(at + 46, at + 46 + nameLength), flags);
      const entry: ZipEntry = {
        name,
        method: view.getUint16(at + 10, true),
        packedSize: view.getUint32(at + 20, true),
        size: view.getUint32(at + 24, true),
        encrypted: (flags & 1) !== 0,
        headerOffset: view.getUint32(at + 42, true),
      };
      this.#readZip64(entry, at + 46 + nameLength, extraLength);
      // Of members with one name the first counts, as for most readers.
      if (!entries.has(name)) entries.set(name, entry);
      at += 46 + nameLength + extraLength + view.getUint16(at + 32, true);
    }
    return entries;
  }

  #readZip64(entry: ZipEntry, start: number, length: number): void {
    const view = this.#view;
    for (let at = start; at + 4 <= start + length; at += 4 + view.getUint16(at + 2, true)) {
      if (view.getUint16(at, true) !== 1) continue;
      let field = at + 4;
      for (const key of ["size", "packedSize", "headerOffset"] as const) {
        if (entry[key] !== 0xffffffff) continue;
        entry[key] = Number(view.getBigUint64(field, true));
        field += 8;
      }
      return;
    }
  }

  #findEnd(): number {
    const lowest = Math.max(0, this.#bytes.length - 65_557);
    for (let at = this.#bytes.length - 22; at >= lowest; at--) {
      if (this.#bytes[at] === 0x50 && this.#view.getUint32(at, true) === 0x06054b50) return at;
    }
    throw invalidFile(DAMAGED);
  }
}

/** Packages compare names without regard to case and escapes; some programs write them with a slash at the front. */
function foldedName(name: string): string {
  let plain = name;
  try {
    plain = decodeURIComponent(name);
  } catch {
    // A percent sign that escapes nothing.
  }
  return plain.replace(/^\/+/, "").toLowerCase();
}

const STRICT_UTF8 = new TextDecoder("utf-8", { fatal: true });

function entryName(bytes: Uint8Array, flags: number): string {
  try {
    return STRICT_UTF8.decode(bytes).replace(/\\/g, "/");
  } catch {
    return Buffer.from(bytes)
      .toString((flags & 0x800) !== 0 ? "utf8" : "latin1")
      .replace(/\\/g, "/");
  }
}
