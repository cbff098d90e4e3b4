/** Paragraph properties of old Word files: which style a paragraph has and where table rows end. */

export interface Piece {
  /** First character position, and the same in bytes of the main stream. */
  start: number;
  length: number;
  offset: number;
  width: 1 | 2;
}

export interface ParagraphProperties {
  headingLevel: number;
  isRowEnd: boolean;
}

interface Run {
  end: number;
  properties: ParagraphProperties;
}

const PLAIN: ParagraphProperties = { headingLevel: 0, isRowEnd: false };
const PAGE = 512;
const SPRM_ROW_END = 0x2417;
const SPRM_OUTLINE = 0x2640;
const STYLE_TITLE = 62;

/** Answers for character positions in ascending order of bytes; all plain where the tables are damaged. */
export class DocLayout {
  readonly #pieces: Piece[];
  readonly #starts: number[] = [];
  readonly #runs: Run[] = [];
  readonly #levels: number[];

  constructor(main: Uint8Array, view: DataView, table: Uint8Array, pieces: Piece[]) {
    this.#pieces = pieces;
    this.#levels = [];
    try {
      this.#levels = styleLevels(table.subarray(view.getUint32(0xa2, true)), view.getUint32(0xa6, true));
      this.#readRuns(main, table.subarray(view.getUint32(0x102, true)), view.getUint32(0x106, true));
    } catch (cause) {
      if (!(cause instanceof RangeError)) throw cause;
    }
  }

  at(position: number): ParagraphProperties {
    const piece = this.#pieces[lastAtMost(this.#pieces, position)];
    if (piece === undefined) return PLAIN;
    const byte = piece.offset + (position - piece.start) * piece.width;
    let low = 0;
    let high = this.#starts.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#starts[middle]! <= byte) low = middle + 1;
      else high = middle;
    }
    const run = this.#runs[low - 1];
    return run !== undefined && byte < run.end ? run.properties : PLAIN;
  }

  #readRuns(main: Uint8Array, bins: Uint8Array, length: number): void {
    const view = new DataView(bins.buffer, bins.byteOffset, Math.min(bins.byteLength, length));
    const count = Math.floor((view.byteLength - 4) / 8);
    const found: [number, Run][] = [];
    for (let i = 0; i < count; i++) {
      const page = (view.getUint32(4 * (count + 1) + 4 * i, true) & 0x3fffff) * PAGE;
      if (page + PAGE <= main.length) this.#readPage(main.subarray(page, page + PAGE), found);
    }
    found.sort((a, b) => a[0] - b[0]);
    for (const [start, run] of found) {
      this.#starts.push(start);
      this.#runs.push(run);
    }
  }

  #readPage(page: Uint8Array, found: [number, Run][]): void {
    const view = new DataView(page.buffer, page.byteOffset, PAGE);
    const count = page[PAGE - 1]!;
    if (4 * (count + 1) + 13 * count > PAGE) return;
    for (let i = 0; i < count; i++) {
      let at = page[4 * (count + 1) + 13 * i]! * 2;
      let size = 0;
      if (at > 0 && at < PAGE - 2) {
        const words = page[at++]!;
        size = words === 0 ? page[at++]! * 2 : words * 2 - 1;
      }
      const properties = size < 2 ? PLAIN : this.#properties(page.subarray(at, Math.min(PAGE, at + size)));
      found.push([view.getUint32(4 * i, true), { end: view.getUint32(4 * (i + 1), true), properties }]);
    }
  }

  #properties(bytes: Uint8Array): ParagraphProperties {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    let headingLevel = this.#levels[view.getUint16(0, true)] ?? 0;
    let isRowEnd = false;
    for (let at = 2; at + 3 <= bytes.length;) {
      const code = view.getUint16(at, true);
      if (code === SPRM_ROW_END) isRowEnd = bytes[at + 2] === 1;
      if (code === SPRM_OUTLINE && bytes[at + 2]! < 9) headingLevel = bytes[at + 2]! + 1;
      at += 2 + operandSize(code, bytes, at + 2);
    }
    return { headingLevel, isRowEnd };
  }
}

function operandSize(code: number, bytes: Uint8Array, at: number): number {
  switch (code >> 13) {
    case 0:
    case 1:
      return 1;
    case 2:
    case 4:
    case 5:
      return 2;
    case 3:
      return 4;
    case 7:
      return 3;
    default:
      return code === 0xd608 ? (bytes[at]! | ((bytes[at + 1] ?? 0) << 8)) + 1 : bytes[at]! + 1;
  }
}

/** Heading level by style number: built-in headings have the ids 1 to 9; others inherit. */
function styleLevels(bytes: Uint8Array, length: number): number[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, Math.min(bytes.byteLength, length));
  const bases: number[] = [];
  const ids: number[] = [];
  const count = Math.min(4096, view.getUint16(2, true));
  for (let i = 0, at = 2 + view.getUint16(0, true); i < count && at + 2 <= view.byteLength; i++) {
    const size = view.getUint16(at, true);
    ids.push(size >= 4 ? view.getUint16(at + 2, true) & 0xfff : -1);
    bases.push(size >= 4 ? view.getUint16(at + 4, true) >> 4 : 0xfff);
    at += 2 + size + (size & 1);
  }
  return ids.map((_, style) => {
    for (let hops = 0, current = style; hops < 10 && current < ids.length; hops++, current = bases[current]!) {
      const id = ids[current]!;
      if (id >= 1 && id <= 9) return id;
      if (id === STYLE_TITLE) return 1;
    }
    return 0;
  });
}

function lastAtMost(pieces: Piece[], position: number): number {
  let low = 0;
  let high = pieces.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (pieces[middle]!.start <= position) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}
