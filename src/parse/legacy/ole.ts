import { invalidFile } from "../document.ts";

/**
 * Compound files (OLE 2): the container of Word, Excel and PowerPoint before 2007 and of Outlook
 * messages. Chains are followed with a bound, so a looping file ends.
 */
const END_OF_CHAIN = 0xfffffffe;
const FREE = 0xffffffff;

export interface OleEntry {
  name: string;
  /** Path of names from the root, joined with "/". */
  path: string;
  isStorage: boolean;
  start: number;
  size: number;
}

export class OleFile {
  /** By path in lower case, since names differ in case only between writers. */
  readonly entries = new Map<string, OleEntry>();
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #sectorSize: number;
  readonly #miniSize: number;
  readonly #miniCutoff: number;
  readonly #fat: Uint32Array;
  readonly #miniFat: Uint32Array;
  #miniStream: Uint8Array = new Uint8Array();

  /** @throws ParseError where the structure does not hold together. */
  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    try {
      const view = this.#view;
      this.#sectorSize = 1 << Math.min(16, view.getUint16(30, true));
      this.#miniSize = 1 << Math.min(16, view.getUint16(32, true));
      this.#miniCutoff = view.getUint32(56, true);
      if (this.#sectorSize < 128 || this.#miniSize < 8) throw invalidFile(DAMAGED);
      this.#fat = this.#readFat();
      this.#miniFat = toWords(this.#chain(view.getUint32(60, true), Infinity));
      this.#readDirectory(this.#chain(view.getUint32(48, true), Infinity));
    } catch (cause) {
      if (cause instanceof RangeError) throw invalidFile(DAMAGED);
      throw cause;
    }
  }

  has(path: string): boolean {
    return this.entries.has(path.toLowerCase());
  }

  /** Bytes of a stream; null where there is none of that path. What lies beyond the end of a cut file is missing from them. */
  read(path: string): Uint8Array | null {
    const entry = this.entries.get(path.toLowerCase());
    if (entry === undefined || entry.isStorage) return null;
    if (entry.size >= this.#miniCutoff) return this.#chain(entry.start, entry.size);
    const out = new Uint8Array(entry.size);
    let length = 0;
    let sector = entry.start;
    while (sector < this.#miniFat.length && length < entry.size) {
      const from = sector * this.#miniSize;
      const part = this.#miniStream.subarray(from, Math.min(from + this.#miniSize, from + entry.size - length));
      if (part.length === 0) break;
      out.set(part, length);
      length += part.length;
      sector = this.#miniFat[sector]!;
    }
    return out.subarray(0, length);
  }

  #sector(index: number): Uint8Array {
    const from = (index + 1) * this.#sectorSize;
    return this.#bytes.subarray(from, from + this.#sectorSize);
  }

  #chain(start: number, size: number): Uint8Array {
    const most = Math.min(size, this.#bytes.length);
    const parts: Uint8Array[] = [];
    let length = 0;
    for (let sector = start; sector < this.#fat.length && length < most; sector = this.#fat[sector]!) {
      const part = this.#sector(sector);
      if (part.length === 0) break;
      parts.push(part);
      length += part.length;
    }
    const out = new Uint8Array(length);
    let at = 0;
    for (const part of parts) {
      out.set(part, at);
      at += part.length;
    }
    return Number.isFinite(size) ? out.subarray(0, size) : out;
  }

  #readFat(): Uint32Array {
    const view = this.#view;
    const sectors: number[] = [];
    for (let i = 0; i < 109; i++) sectors.push(view.getUint32(76 + i * 4, true));
    const perSector = this.#sectorSize / 4 - 1;
    const most = Math.ceil(this.#bytes.length / this.#sectorSize);
    let next = view.getUint32(68, true);
    for (let hops = 0; next < most && hops < most; hops++) {
      const words = toWords(this.#sector(next));
      for (const word of words.subarray(0, perSector)) sectors.push(word);
      next = words[perSector] ?? END_OF_CHAIN;
    }
    const used = sectors.filter((sector) => sector < most && sector !== FREE).slice(0, most);
    const fat = new Uint32Array(used.length * (this.#sectorSize / 4)).fill(FREE);
    used.forEach((sector, i) => fat.set(toWords(this.#sector(sector)), i * (this.#sectorSize / 4)));
    return fat;
  }

  #readDirectory(bytes: Uint8Array): void {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const count = Math.floor(bytes.length / 128);
    const field = (id: number, at: number): number => view.getUint32(id * 128 + at, true);
    const seen = new Set<number>();
    // Siblings form a tree; order does not matter here, so a plain stack walks it.
    const open: [id: number, parent: string][] = [];
    const root = { start: field(0, 116), size: field(0, 120) };
    this.#miniStream = this.#chain(root.start, root.size);
    open.push([field(0, 76), ""]);
    while (open.length > 0) {
      const [id, parent] = open.pop()!;
      if (id >= count || seen.has(id)) continue;
      seen.add(id);
      const nameLength = Math.min(64, Math.max(0, view.getUint16(id * 128 + 64, true) - 2));
      const name = new TextDecoder("utf-16le").decode(bytes.subarray(id * 128, id * 128 + nameLength));
      const isStorage = view.getUint8(id * 128 + 66) === 1;
      const path = parent === "" ? name : `${parent}/${name}`;
      this.entries.set(path.toLowerCase(), { name, path, isStorage, start: field(id, 116), size: field(id, 120) });
      open.push([field(id, 68), parent], [field(id, 72), parent]);
      if (isStorage) open.push([field(id, 76), path]);
    }
  }
}

const DAMAGED = "The file is damaged or cut off: its parts cannot be found.";

function toWords(bytes: Uint8Array): Uint32Array {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const out = new Uint32Array(bytes.length >> 2);
  for (let i = 0; i < out.length; i++) out[i] = view.getUint32(i * 4, true);
  return out;
}
