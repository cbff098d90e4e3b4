/**
 * Other spellings of numbers: a chunk that says `1.299,00`, `10mm` or `DE89 3704 0044` is found by `1299`, `10 mm` and
 * `DE8937040044`, and the other way round. Digits are 0–9 here (see `asciiDigits`).
 */

/** A number of several groups in a text, with the ways to write it in one. */
export interface NumberSpan {
  readonly start: number;
  readonly end: number;
  readonly spellings: readonly string[];
}

// Without lookbehind, here and below: such patterns are interpreted, ten times slower.
/** An account (two letters and two digits first), or groups of digits with one separator between two of them. */
const SPAN =
  /[A-Za-z]{2}\d{2}(?: [A-Za-z0-9]{4}){2,7}(?: [A-Za-z0-9]{1,3})?(?![\p{L}\p{N}])|\+?\(?\d+(?:(?:\)? ?[/-] ?|[ .,'’]|\) ?| \()\(?\d+)+(?![\d])/uy;
/** Where one may begin. None begins within a run of digits at whose start none does: the run is looked at once. */
const SPAN_START = /[A-Za-z]{2}(?=\d{2} )|\+?\(?\d+/g;
const MAY_HOLD_SPAN = /\d[ .,'’/()-]{1,3}[\dA-Za-z]/;
/** What comes before belongs to the same number. */
const GLUED = /[\d.,]/;
const IBAN = /^[A-Za-z]{2}\d{2} /;
/** `1,234,567.89`, `1.234,5`, `45 300`, `45'300`, and lakhs: `12,34,567`. */
const THOUSANDS = /^(\d{1,3}(?:([.,'’ ])\d{3})(?:\2\d{3})*|\d{1,2}(?:,\d{2})+,\d{3})(?:(?!\2)[.,](\d+))?$/;
const DECIMAL_COMMA = /^(\d+),(\d+)$/;
const DAY_FIRST = /^(\d{1,2})[./-](\d{1,2})[./-](\d{4})$/;
const YEAR_FIRST = /^(\d{4})[./](\d{1,2})[./](\d{1,2})$/;
/**
 * The address of a network card, or the fingerprint of a key, in pairs: who writes it without colons finds it. Since
 * version 3 of the analyzer.
 */
const PAIRS = /[0-9A-Fa-f]{2}(?::[0-9A-Fa-f]{2}){5,31}(?![\p{L}\p{N}:])/gu;
const BESIDE_PAIRS = /[\p{L}\p{N}:]/u;
/** Digits of a telephone, card or account number that is written in groups, and how many groups it may have. */
const JOINED_DIGITS = { least: 7, most: 24, groups: 9 } as const;

/** `original` is the text in the digits that it was written in. */
export function numberSpans(text: string, original = text): NumberSpan[] {
  const pairs = text.includes(":") ? pairSpans(text) : [];
  const grouped = groupSpans(text, original);
  if (pairs.length === 0) return grouped;
  const outside = grouped.filter(({ start, end }) => !pairs.some((pair) => start < pair.end && pair.start < end));
  return [...pairs, ...outside].sort((a, b) => a.start - b.start);
}

function pairSpans(text: string): NumberSpan[] {
  return [...text.matchAll(PAIRS)].flatMap(({ 0: raw, index: start }) => {
    if (start > 0 && BESIDE_PAIRS.test(text[start - 1] ?? "")) return [];
    return [{ start, end: start + raw.length, spellings: [raw.replaceAll(":", "").toLowerCase()] }];
  });
}

function groupSpans(text: string, original: string): NumberSpan[] {
  if (!MAY_HOLD_SPAN.test(text)) return [];
  const spans: NumberSpan[] = [];
  SPAN_START.lastIndex = 0;
  for (let start = SPAN_START.exec(text); start !== null; start = SPAN_START.exec(text)) {
    SPAN.lastIndex = start.index;
    const match = SPAN.exec(text);
    if (match === null) continue;
    const [raw] = match;
    SPAN_START.lastIndex = match.index + raw.length;
    if (match.index > 0 && GLUED.test(text[match.index - 1] ?? "")) continue;
    const spellings = new Set<string>();
    if (IBAN.test(raw)) spellings.add(raw.replaceAll(" ", "").toLowerCase());
    else addSpellings(raw, spellings);
    if (raw !== original.slice(match.index, match.index + raw.length)) spellings.add(raw);
    if (spellings.size > 0)
      spans.push({ start: match.index, end: match.index + raw.length, spellings: [...spellings] });
  }
  return spans;
}

function addSpellings(raw: string, into: Set<string>): void {
  if (addNumber(raw, into) || addDate(raw, into)) return;
  if (!/[ /()]/.test(raw)) return;
  // A row of a table, or one number in groups: as the one and as the other.
  if (raw.includes(" ")) for (const piece of raw.split(" ")) if (!addNumber(piece, into)) addDate(piece, into);
  const groups = raw.split(/\D+/).filter((group) => group !== "");
  const digits = groups.join("");
  if (groups.length > JOINED_DIGITS.groups || digits.length < JOINED_DIGITS.least || digits.length > JOINED_DIGITS.most)
    return;
  into.add(digits);
  // The zero that is not dialled from abroad: +49 (0)30.
  if (raw.includes("(0)")) into.add(raw.replace("(0)", "").replace(/\D+/g, ""));
}

function addNumber(raw: string, into: Set<string>): boolean {
  const [, whole, , decimals] = THOUSANDS.exec(raw) ?? [];
  const [, before = whole, after = decimals] = DECIMAL_COMMA.exec(raw) ?? [];
  // Where one separator can mean either, as in 1,299, it is both.
  for (const [integer, fraction] of [
    [whole, decimals],
    [before, after],
  ]) {
    if (integer === undefined) continue;
    const digits = integer.replace(/\D/g, "");
    const isWhole = fraction === undefined || /^0+$/.test(fraction);
    into.add(isWhole ? digits : `${digits}.${fraction}`);
    if (isWhole && fraction !== undefined) into.add(`${digits}.${fraction}`);
  }
  return whole !== undefined || before !== undefined;
}

function addDate(raw: string, into: Set<string>): boolean {
  const [, day, month, year] = DAY_FIRST.exec(raw) ?? [];
  const [, otherYear, otherMonth, otherDay] = YEAR_FIRST.exec(raw) ?? [];
  const dates = [
    dateOf(year, month, day),
    // With slashes the month may come first.
    raw.includes("/") ? dateOf(year, day, month) : null,
    dateOf(otherYear, otherMonth, otherDay),
  ];
  for (const date of dates) if (date !== null) into.add(date);
  return dates.some((date) => date !== null);
}

/** As `2024-03-15` is without its joints. */
function dateOf(year: string | undefined, month: string | undefined, day: string | undefined): string | null {
  if (year === undefined || month === undefined || day === undefined) return null;
  if (Number(month) < 1 || Number(month) > 12 || Number(day) < 1 || Number(day) > 31) return null;
  return year + month.padStart(2, "0") + day.padStart(2, "0");
}

// Neither of the two begins again at each digit of a long row of them.
const POINTED = /\d+(?:\.\d+)*/g;
const ISO_DATE = /(?:^|\D)(\d{4})-(\d{2})-(\d{2})(?!\d)/g;
const HEXADECIMAL = /^0x([0-9a-f]{4,})$/i;

/** Numbers inside a compound: the version in `log4j-core-2.17.1.jar`, both addresses of a range, a date with its time. */
export function numbersInside(compound: string): { number: string; isWhole: boolean }[] {
  const found: { number: string; isWhole: boolean }[] = [];
  for (const [pointed] of compound.matchAll(POINTED)) {
    if (pointed === compound || !pointed.includes(".")) continue;
    found.push({ number: pointed, isWhole: true });
    const parts = pointed.split(".");
    if (parts.length > 2) found.push({ number: `${parts[0]}.${parts[1]}`, isWhole: false });
  }
  for (const [, ...parts] of compound.matchAll(ISO_DATE))
    if (parts.join("-") !== compound) found.push({ number: parts.join(""), isWhole: false });
  return found;
}

/** Other ways to write the whole of a compound: `2024-03-15` for `15.03.2024`, 99 for 99.00, a number without its `0x`. */
export function sameNumber(compound: string): string[] {
  const hexadecimal = HEXADECIMAL.exec(compound)?.[1];
  if (hexadecimal !== undefined) return [hexadecimal.toLowerCase()];
  const dates = new Set<string>();
  addDate(compound, dates);
  const [, integer] = /^(\d+)\.00$/.exec(compound) ?? [];
  return integer === undefined ? [...dates] : [integer];
}

/** A word with more changes between letters and digits is a hash or base64, which nobody asks for by its pieces. */
const MOST_SEGMENTS = 4;

/** `AB4711CD` as `AB`, `4711`, `CD`; null where there is nothing to cut. */
export function segmentsOf(word: string): string[] | null {
  if (!/\d/.test(word)) return null;
  const segments = word.match(/\d+|[^\d]+/g) ?? [];
  return segments.length < 2 || segments.length > MOST_SEGMENTS ? null : segments;
}
