/**
 * The pieces of a unigram vocabulary as a trie over UTF-16 units, in a few arrays of numbers: 150,000 pieces take 6 MB,
 * where objects and maps of them take 120. The children of a node stand side by side, sorted by their units, in the order
 * of their parents; so the end of a node's children is where those of the next begin.
 */

/** Beside a bundled model's tokenizer.json in the executable, which has no vocabulary there. */
export const PIECES_FILE = "tokenizer.pieces";

export interface UnigramPieces {
  trie: PieceTrie;
  /** By id: the logarithm of a piece's frequency; 64 bits wide, because sums of equal cuts are compared. */
  scores: Float64Array;
  /** By id: {@link INNER} and {@link ENDER}. */
  flags: Uint8Array;
}

/** A piece that goes on with the word of the piece before it. */
export const INNER = 1;
/** A mark that ends a sentence. */
export const ENDER = 2;

/** What there is of a node that stands for no piece. */
export const NO_PIECE = -1;
const ROOT = 0;

export class PieceTrie {
  /** Of each node, and of one after the last. */
  readonly firstChild: Int32Array;
  /** Id of the piece that ends here, or NO_PIECE. */
  readonly ids: Int32Array;
  /** Unit that leads to the node. */
  readonly units: Uint16Array;
  /** Unit -> child of the root, of which there are thousands; 0 where there is none. */
  readonly #first = new Int32Array(65_536);

  constructor(firstChild: Int32Array, ids: Int32Array, units: Uint16Array) {
    this.firstChild = firstChild;
    this.ids = ids;
    this.units = units;
    const end = firstChild[1] ?? 0;
    for (let node = firstChild[ROOT] ?? 0; node < end; node++) this.#first[units[node] as number] = node;
  }

  /** @param pieces by id, all different and none empty */
  static of(pieces: readonly string[]): PieceTrie {
    const order = Int32Array.from(pieces, (_, id) => id).sort((a, b) => compare(pieces[a] ?? "", pieces[b] ?? ""));
    const at = (i: number) => pieces[order[i] as number] as string;
    const nodes = new NodeList();
    // Node by node in breadth: the sorted pieces that go through it, `from` to `to`, and how many units they share.
    nodes.push(0, NO_PIECE, 0, pieces.length);
    let depth = 0;
    for (let begin = 0, end = 1; begin < end; depth++) {
      for (let node = begin; node < end; node++) {
        let from = nodes.from[node] as number;
        const to = nodes.to[node] as number;
        nodes.firstChild[node] = nodes.count;
        // The shortest is sorted first; it is the node's own.
        if (from < to && at(from).length === depth) nodes.ids[node] = order[from++] as number;
        while (from < to) {
          const unit = at(from).charCodeAt(depth);
          let next = from + 1;
          while (next < to && at(next).charCodeAt(depth) === unit) next++;
          nodes.push(unit, NO_PIECE, from, next);
          from = next;
        }
      }
      begin = end;
      end = nodes.count;
    }
    nodes.firstChild[nodes.count] = nodes.count;
    return new PieceTrie(Int32Array.from(nodes.firstChild), Int32Array.from(nodes.ids), Uint16Array.from(nodes.units));
  }

  /** The node below `node` (0: the root) that a unit leads to, or 0. */
  child(node: number, unit: number): number {
    if (node === ROOT) return this.#first[unit] as number;
    const { firstChild, units } = this;
    let low = firstChild[node] as number;
    let high = firstChild[node + 1] as number;
    while (low < high) {
      const middle = (low + high) >> 1;
      const found = units[middle] as number;
      if (found === unit) return middle;
      if (found < unit) low = middle + 1;
      else high = middle;
    }
    return 0;
  }

  /** The id of a whole piece; undefined where it is none. */
  idOf(piece: string): number | undefined {
    let node = ROOT;
    for (let i = 0; i < piece.length; i++) {
      node = this.child(node, piece.charCodeAt(i));
      if (node === 0) return undefined;
    }
    const id = this.ids[node] as number;
    return id === NO_PIECE ? undefined : id;
  }
}

class NodeList {
  readonly firstChild: number[] = [];
  readonly ids: number[] = [];
  readonly units: number[] = [];
  readonly from: number[] = [];
  readonly to: number[] = [];

  get count(): number {
    return this.ids.length;
  }

  push(unit: number, id: number, from: number, to: number): void {
    this.units.push(unit);
    this.ids.push(id);
    this.from.push(from);
    this.to.push(to);
  }
}

/** By UTF-16 units. */
function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

const MAGIC = 0x4c50_5431;
const HEADER_BYTES = 16;

/** The arrays one after another, the widest first: read back without a copy of them. This machine's byte order. */
export function piecesToBytes({ trie, scores, flags }: UnigramPieces): Uint8Array {
  const parts = [scores, trie.firstChild, trie.ids, trie.units, flags];
  const bytes = new Uint8Array(HEADER_BYTES + parts.reduce((sum, part) => sum + part.byteLength, 0));
  new Uint32Array(bytes.buffer, 0, 3).set([MAGIC, scores.length, trie.ids.length]);
  let at = HEADER_BYTES;
  for (const part of parts) {
    bytes.set(new Uint8Array(part.buffer, part.byteOffset, part.byteLength), at);
    at += part.byteLength;
  }
  return bytes;
}

/** Throws where the bytes are not those of {@link piecesToBytes}. */
export function piecesFromBytes(bytes: Uint8Array): UnigramPieces {
  const whole = bytes.byteOffset % 8 === 0 ? bytes : bytes.slice();
  const { buffer, byteOffset } = whole;
  const [magic, pieces = 0, nodes = 0] = whole.byteLength < HEADER_BYTES ? [] : new Uint32Array(buffer, byteOffset, 3);
  const expected = HEADER_BYTES + pieces * 9 + (nodes + 1) * 4 + nodes * 6;
  if (magic !== MAGIC || whole.byteLength !== expected) throw new Error("the file of pieces is damaged");
  let at = byteOffset + HEADER_BYTES;
  const take = (size: number) => (at += size) - size;
  const scores = new Float64Array(buffer, take(pieces * 8), pieces);
  const firstChild = new Int32Array(buffer, take((nodes + 1) * 4), nodes + 1);
  const ids = new Int32Array(buffer, take(nodes * 4), nodes);
  const units = new Uint16Array(buffer, take(nodes * 2), nodes);
  const flags = new Uint8Array(buffer, take(pieces), pieces);
  return { trie: new PieceTrie(firstChild, ids, units), scores, flags };
}
