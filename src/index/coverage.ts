/**
 * How much of what is rare in a question a chunk has, to the letter.
 *
 * A BM25 score says how much better a chunk is than the others for this question; it does not say whether the chunk is the
 * one meant. That the only file with `ORA-00942` has the code that was asked for is evidence by itself, whatever the
 * vectors think of a code. So each unit of the question (a word, a compound, a number in groups) weighs by its rarity,
 * those that nothing here has included, and a chunk has it when it has the whole of it, or all of its parts. Beginnings of
 * words and parts of a code prove nothing.
 *
 * The evidence rises from nothing to one with the share of the weight that is covered, and with the rarity of the rarest
 * unit covered: all words of a common question in one chunk are no evidence.
 */
import type { Bitset } from "./bitset.ts";
import type { QueryTerm } from "./query-term.ts";

/** Shares of the weight at which the evidence begins, and is whole. */
const COVERED = { from: 0.6, whole: 0.8 } as const;
/** The same of rarity; 1 is that of a word which one chunk has. */
const RARE = { from: 0.8, whole: 1 } as const;
/** What of its weight an ordinary word keeps that no chunk has. */
const ORDINARY = { missing: 0.08 } as const;
/** A longer question is none for a code or a name. */
const MOST_UNITS = 24;
/** Units that are looked for at once: bits of a number. The lightest of more are not. */
const MOST_PIECES = 31;
/** A unit that weighs less of the question is left out on both sides. */
const LEAST_SHARE = 0.04;
/** Postings looked at for a question, the rarest words first: a word that needs more is too common to matter much. */
const MOST_POSTINGS = 50_000;
/** Sums of the same weights in another order. */
const ROUNDING = 1e-9;
/** With fewer files it says nothing in how many of them a word stands. */
const LEAST_FILES = 8;

/** What is known of a term in the index. */
export interface TermFacts {
  /** Chunks that have it. */
  count: number;
  /** Only some of those that have it are known here. */
  isPartial: boolean;
  /** Its weight in this question, by its rarity. */
  weight: number;
  /** Until `visit` answers false; with a step, of a longer list only about every so many of them. */
  forEachChunk(visit: (ordinal: number) => boolean, step?: number): void;
}

/** A term of the question, and what the index knows of it. */
export interface AskedTerm {
  readonly wanted: QueryTerm;
}

/** What is known of the index without looking for a term. */
export interface IndexFacts {
  chunks: number;
  files: number;
  fileOf(ordinal: number): number;
  /** By ordinal; zeros, and left so. */
  marks: Int32Array;
  /** Whose evidence is asked for; null: everybody's. What is rare is rare among all. */
  allowed: Pick<Bitset, "has"> | null;
  /** The weight of a word that this many of so many have. */
  rarity(having: number, of: number): number;
}

export interface CoverageIndex<Asked extends AskedTerm> extends IndexFacts {
  /** Null for a term that no chunk could have. */
  facts(term: Asked): TermFacts | null;
}

/** Evidence in 0 … 1 by chunk; chunks that are not in it have none. */
export type Evidence = ReadonlyMap<number, number>;

const NONE: Evidence = new Map();

interface Piece {
  /** Forms of which one suffices; none where no chunk has one. */
  terms: TermFacts[];
  /** Weight where no chunk has one. */
  missing: number;
}

interface Unit {
  isOrdinary: boolean;
  whole: Piece;
  parts: Map<number, Piece>;
}

interface Weighed {
  weight: number;
  rarity: number;
  /** Null: it cannot be proved, or is too light to matter. */
  whole: Piece | null;
  parts: Piece[];
}

export function evidenceOf<Asked extends AskedTerm>(query: readonly Asked[], index: CoverageIndex<Asked>): Evidence {
  const units = unitsOf(query, index);
  if (units.length === 0 || units.length > MOST_UNITS || index.chunks === 0) return NONE;
  const weighed = units.map((unit) => weigh(unit, index));
  const total = weighed.reduce((sum, { weight }) => sum + weight, 0);
  const counting = weighed.filter(({ weight }) => weight >= total * LEAST_SHARE);
  const relevant = counting.reduce((sum, { weight }) => sum + weight, 0);
  const provable = counting.filter((unit) => unit.whole !== null || unit.parts.length > 0);
  const most = provable.reduce((sum, { weight }) => sum + weight, 0);
  if (relevant === 0 || most < relevant * COVERED.from) return NONE;
  const anchors = new Set(provable.filter(({ rarity }) => rarity > RARE.from));
  if (anchors.size === 0) return NONE;
  const masks = masksOf(provable, { anchors, least: relevant * COVERED.from }, index);
  const evidence = new Map<number, number>();
  masks.chunks.forEach((ordinal, chunk) => {
    let covered = 0;
    let rarity = 0;
    provable.forEach((unit, i) => {
      if (!masks.has(chunk, i)) return;
      covered += unit.weight;
      rarity = Math.max(rarity, unit.rarity);
    });
    const value = ramp(covered / relevant, COVERED) * ramp(rarity, RARE);
    if (value > 0) evidence.set(ordinal, value);
  });
  return evidence;
}

function unitsOf<Asked extends AskedTerm>(query: readonly Asked[], index: CoverageIndex<Asked>): Unit[] {
  const units: Unit[] = [];
  const newPiece = (): Piece => ({ terms: [], missing: 0 });
  for (const asked of query) {
    const term = asked.wanted;
    const proofs = term.proves ?? [];
    const facts = proofs.length === 0 ? null : index.facts(asked);
    if (facts === null) continue;
    for (const { unit: number, part } of proofs) {
      const unit = (units[number] ??= { isOrdinary: false, whole: newPiece(), parts: new Map() });
      let piece = unit.whole;
      if (part > 0) {
        piece = unit.parts.get(part) ?? newPiece();
        unit.parts.set(part, piece);
      }
      if (part === 0 && term.isOrdinary === true) unit.isOrdinary = true;
      if (facts.count > 0) piece.terms.push(facts);
      else if (term.instead === undefined) piece.missing = Math.max(piece.missing, facts.weight);
    }
  }
  return units.filter((unit) => unit !== undefined);
}

/** By the most common of its forms: who has another has this one too. */
function weightOf({ terms, missing }: Piece): number {
  return terms.length === 0 ? missing : Math.min(...terms.map(({ weight }) => weight));
}

function weigh({ isOrdinary, whole, parts }: Unit, index: IndexFacts): Weighed {
  const pieces = [...parts.values()];
  const isProvableByParts = pieces.length > 0 && pieces.every(({ terms }) => terms.length > 0);
  const isProvable = whole.terms.length > 0;
  const heaviest = Math.max(0, ...pieces.map(weightOf));
  const missing = Math.max(whole.missing, heaviest) * (isOrdinary ? ORDINARY.missing : 1);
  const weight = isProvable ? weightOf(whole) : isProvableByParts ? heaviest : missing;
  const proving = isProvable ? whole.terms : isProvableByParts ? rarestOf(pieces).terms : [];
  return {
    weight,
    // An ordinary word is never rare enough to count.
    rarity: isOrdinary ? 0 : rarityOf(proving, weight, index),
    whole: isProvable ? whole : null,
    parts: isProvableByParts ? pieces : [],
  };
}

function rarestOf(pieces: readonly Piece[]): Piece {
  return pieces.reduce((rarest, piece) => (weightOf(piece) > weightOf(rarest) ? piece : rarest));
}

/** By chunks, or, where few files have it, by files: a name may stand in every chunk of the one file about it. */
function rarityOf(terms: readonly TermFacts[], weight: number, index: IndexFacts): number {
  if (terms.length === 0) return 0;
  const byChunks = Math.min(1, weight / index.rarity(1, index.chunks));
  if (byChunks >= RARE.whole || index.files < LEAST_FILES) return byChunks;
  const count = Math.max(...terms.map((term) => term.count));
  // What learned weights took from the word, they take here too.
  const kept = weight / index.rarity(count, index.chunks);
  if (kept <= RARE.from) return byChunks;
  // In more files than about so many it is not rare by them either: rarities are logarithms.
  const most = Math.ceil(1.5 * index.files ** (1 - RARE.from));
  // Here and there first: neighbours in a list are of one file.
  const step = Math.floor(count / (2 * most));
  if (step > 1 && filesOf(terms, index, { most, step }) === null) return byChunks;
  const files = filesOf(terms, index, { most, step: 1 });
  if (files === null) return byChunks;
  return Math.max(byChunks, Math.min(1, kept * (index.rarity(files, index.files) / index.rarity(1, index.files))));
}

/** In how many files the chunks are that have one of the terms; null for more than `most`, or too many to look at. */
function filesOf(
  terms: readonly TermFacts[],
  index: IndexFacts,
  { most, step }: { most: number; step: number },
): number | null {
  if (terms.some(({ isPartial }) => isPartial)) return null;
  // So few that looking through them costs less than a set does.
  const files: number[] = [];
  let looked = 0;
  let last = -1;
  for (const term of terms) {
    term.forEachChunk((ordinal) => {
      const file = index.fileOf(ordinal);
      if (file !== last && !files.includes(file)) files.push(file);
      last = file;
      return files.length <= most && ++looked < MOST_POSTINGS;
    }, step);
  }
  return files.length > most || looked >= MOST_POSTINGS ? null : files.length;
}

interface Wanted {
  /** Only chunks that have one of these count. */
  anchors: ReadonlySet<Weighed>;
  /** And of them only those that have more weight than this. */
  least: number;
}

interface Masks {
  chunks: number[];
  /** Whether a chunk, by its place in `chunks`, has the whole of a unit. */
  has(chunk: number, unit: number): boolean;
}

/** Which units the chunks have that have at least one of the rare ones. */
function masksOf(units: readonly Weighed[], { anchors, least }: Wanted, { marks, allowed }: IndexFacts): Masks {
  const chunks: number[] = [];
  const wholes: number[] = [];
  const parts: number[] = [];
  let bit = 0;
  let left = MOST_POSTINGS;
  /** Answers the bit of the piece, 0 where it cannot be looked for. */
  const look = ({ terms }: Piece, isAnchor: boolean): number => {
    const cost = terms.reduce((sum, { count }) => sum + count, 0);
    if (bit === MOST_PIECES || cost > left) return 0;
    left -= cost;
    const flag = 1 << bit++;
    for (const term of terms) {
      term.forEachChunk((ordinal) => {
        if (marks[ordinal] === 0) {
          if (!isAnchor || allowed?.has(ordinal) === false) return true;
          chunks.push(ordinal);
        }
        marks[ordinal]! |= flag;
        return true;
      });
    }
    return flag;
  };
  const has = (mask: number, unit: number): boolean => {
    const all = parts[unit] ?? 0;
    return (mask & (wholes[unit] ?? 0)) !== 0 || (all !== 0 && (mask & all) === all);
  };
  /** Whether some chunk could still have enough, if it had all units that were not looked for yet. */
  const isOpen = (): boolean => {
    const weightOfChunk = (ordinal: number): number =>
      units.reduce((sum, { weight }, i) => {
        const isLookedFor = wholes[i] !== undefined;
        return isLookedFor && !has(marks[ordinal] ?? 0, i) ? sum : sum + weight;
      }, 0);
    return chunks.some((ordinal) => weightOfChunk(ordinal) > least * (1 - ROUNDING));
  };
  const rarestFirst = units.toSorted((a, b) => Number(anchors.has(b)) - Number(anchors.has(a)) || b.weight - a.weight);
  for (const unit of rarestFirst) {
    // The common words of a question are its long lists.
    if (!anchors.has(unit) && chunks.length * units.length < postingsOf(unit) && !isOpen()) break;
    const place = units.indexOf(unit);
    wholes[place] = unit.whole === null ? 0 : look(unit.whole, anchors.has(unit));
    const flags = unit.parts.map((part) => look(part, anchors.has(unit)));
    parts[place] = flags.includes(0) ? 0 : flags.reduce((all, flag) => all | flag, 0);
  }
  const found = chunks.map((ordinal) => marks[ordinal] ?? 0);
  for (const ordinal of chunks) marks[ordinal] = 0;
  return { chunks, has: (chunk, unit) => has(found[chunk] ?? 0, unit) };
}

function postingsOf({ whole, parts }: Weighed): number {
  const pieces = whole === null ? parts : [whole, ...parts];
  return pieces.reduce((sum, { terms }) => sum + terms.reduce((count, term) => count + term.count, 0), 0);
}

function ramp(value: number, { from, whole }: { from: number; whole: number }): number {
  return Math.min(1, Math.max(0, (value - from) / (whole - from)));
}
