/** Outlines of a TrueType font: enough of the format to draw the pages that OCR is tried on. */
import { readFileSync } from "node:fs";

/** A closed outline as points in font units, y upwards. */
export type Contour = readonly (readonly [x: number, y: number])[];

export interface Glyph {
  contours: readonly Contour[];
  advance: number;
}

const MAX_DEPTH = 4;
/** Straight pieces that a curve is drawn with. */
const PIECES = 6;

export class Font {
  readonly unitsPerEm: number;
  readonly #view: DataView;
  readonly #tables = new Map<string, number>();
  readonly #glyphs = new Map<string, Glyph>();
  readonly #cmap: (code: number) => number;

  constructor(path: string) {
    const bytes = readFileSync(path);
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    for (let i = 0; i < this.#view.getUint16(4); i++) {
      const at = 12 + 16 * i;
      this.#tables.set(bytes.toString("latin1", at, at + 4), this.#view.getUint32(at + 8));
    }
    this.unitsPerEm = this.#view.getUint16(this.#at("head") + 18);
    this.#cmap = this.#readCmap();
  }

  glyph(character: string): Glyph {
    let glyph = this.#glyphs.get(character);
    if (glyph === undefined) {
      const index = this.#cmap(character.codePointAt(0) ?? 0);
      const metrics = this.#view.getUint16(this.#at("hhea") + 34);
      const advance = this.#view.getUint16(this.#at("hmtx") + 4 * Math.min(index, metrics - 1));
      glyph = { contours: this.#contours(index, 0), advance };
      this.#glyphs.set(character, glyph);
    }
    return glyph;
  }

  #at(table: string): number {
    const at = this.#tables.get(table);
    if (at === undefined) throw new Error(`the font has no table ${table}`);
    return at;
  }

  /** Format 4: the characters of the basic plane. */
  #readCmap(): (code: number) => number {
    const view = this.#view;
    const cmap = this.#at("cmap");
    for (let i = 0; i < view.getUint16(cmap + 2); i++) {
      const at = cmap + view.getUint32(cmap + 4 + 8 * i + 4);
      if (view.getUint16(at) !== 4) continue;
      const segments = view.getUint16(at + 6) / 2;
      return (code) => {
        for (let s = 0; s < segments; s++) {
          if (view.getUint16(at + 14 + 2 * s) < code) continue;
          const start = view.getUint16(at + 16 + 2 * (segments + s));
          if (start > code) return 0;
          const delta = view.getInt16(at + 16 + 2 * (2 * segments + s));
          const place = at + 16 + 2 * (3 * segments + s);
          const offset = view.getUint16(place);
          if (offset === 0) return (code + delta) & 0xffff;
          const index = view.getUint16(place + offset + 2 * (code - start));
          return index === 0 ? 0 : (index + delta) & 0xffff;
        }
        return 0;
      };
    }
    throw new Error("the font has no character map of format 4");
  }

  #contours(index: number, depth: number): Contour[] {
    const view = this.#view;
    const isLong = view.getInt16(this.#at("head") + 50) === 1;
    const loca = (i: number) =>
      isLong ? view.getUint32(this.#at("loca") + 4 * i) : 2 * view.getUint16(this.#at("loca") + 2 * i);
    if (loca(index) === loca(index + 1) || depth > MAX_DEPTH) return [];
    const at = this.#at("glyf") + loca(index);
    const count = view.getInt16(at);
    return count < 0 ? this.#composite(at + 10, depth) : this.#simple(at + 10, count);
  }

  #composite(start: number, depth: number): Contour[] {
    const view = this.#view;
    const out: Contour[] = [];
    let at = start;
    for (let flags = 0x20; (flags & 0x20) !== 0;) {
      flags = view.getUint16(at);
      const index = view.getUint16(at + 2);
      const areWords = (flags & 1) !== 0;
      const dx = areWords ? view.getInt16(at + 4) : view.getInt8(at + 4);
      const dy = areWords ? view.getInt16(at + 6) : view.getInt8(at + 5);
      at += areWords ? 8 : 6;
      at += (flags & 8) !== 0 ? 2 : (flags & 0x40) !== 0 ? 4 : (flags & 0x80) !== 0 ? 8 : 0;
      for (const contour of this.#contours(index, depth + 1)) out.push(contour.map(([x, y]) => [x + dx, y + dy]));
    }
    return out;
  }

  #simple(start: number, count: number): Contour[] {
    const view = this.#view;
    const ends = Array.from({ length: count }, (_, i) => view.getUint16(start + 2 * i));
    const points = (ends.at(-1) ?? -1) + 1;
    let at = start + 2 * count;
    at += 2 + view.getUint16(at);
    const flags: number[] = [];
    while (flags.length < points) {
      const flag = view.getUint8(at++);
      const repeats = (flag & 8) !== 0 ? view.getUint8(at++) : 0;
      for (let i = 0; i <= repeats; i++) flags.push(flag);
    }
    const coordinates = (short: number, same: number): number[] => {
      let value = 0;
      return flags.map((flag) => {
        if ((flag & short) !== 0) value += (flag & same) !== 0 ? view.getUint8(at++) : -view.getUint8(at++);
        else if ((flag & same) === 0) {
          value += view.getInt16(at);
          at += 2;
        }
        return value;
      });
    };
    const xs = coordinates(2, 16);
    const ys = coordinates(4, 32);
    return ends.map((end, i) => {
      const from = i === 0 ? 0 : (ends[i - 1] ?? 0) + 1;
      const indexes = Array.from({ length: end - from + 1 }, (_, k) => from + k);
      return flatten(indexes.map((k) => ({ x: xs[k] ?? 0, y: ys[k] ?? 0, isOn: ((flags[k] ?? 0) & 1) !== 0 })));
    });
  }
}

interface OutlinePoint {
  x: number;
  y: number;
  isOn: boolean;
}

/** Quadratic curves to straight pieces; between two points off the curve lies one on it. */
function flatten(points: readonly OutlinePoint[]): Contour {
  const full: OutlinePoint[] = [];
  points.forEach((point, i) => {
    const before = points.at(i - 1) ?? point;
    if (!point.isOn && !before.isOn)
      full.push({ x: (point.x + before.x) / 2, y: (point.y + before.y) / 2, isOn: true });
    full.push(point);
  });
  const first = full.findIndex((point) => point.isOn);
  if (first < 0) return [];
  const turned = [...full.slice(first), ...full.slice(0, first + 1)];
  const out: [number, number][] = [];
  for (let i = 0; i < turned.length; i++) {
    const point = turned[i]!;
    if (point.isOn) out.push([point.x, point.y]);
    else {
      const from = turned[i - 1]!;
      const to = turned[i + 1] ?? turned[0]!;
      for (let t = 1; t < PIECES; t++) {
        const [a, b] = [1 - t / PIECES, t / PIECES];
        out.push([
          a * a * from.x + 2 * a * b * point.x + b * b * to.x,
          a * a * from.y + 2 * a * b * point.y + b * b * to.y,
        ]);
      }
    }
  }
  return out;
}
