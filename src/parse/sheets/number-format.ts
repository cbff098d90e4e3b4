/**
 * Number formats of spreadsheets ("#,##0.00;[Red]-0", "[h]:mm", "00000", `"KW "00`), read into sections of tokens.
 * One language for .xlsx, .xlsb, .xls and Excel 2003 XML.
 */
export type FormatToken =
  | { type: "literal"; text: string }
  /** "0", "#" or "?". */
  | { type: "digit"; text: string }
  | { type: "point" | "comma" | "percent" | "slash" | "general" | "text" }
  /** "E+" shows the sign of a positive exponent. */
  | { type: "exponent"; showsPlus: boolean }
  /** Letters of one kind in a row: "yyyy", "mm"; "n" for minutes. */
  | { type: "date"; letter: DateLetter; count: number }
  /** "[h]": hours that go on counting after 24. */
  | { type: "elapsed"; letter: "h" | "n" | "s"; count: number }
  /** Digits of a second behind its point. */
  | { type: "fraction"; count: number }
  | { type: "ampm" };

export type DateLetter = "y" | "m" | "d" | "h" | "n" | "s" | "b" | "e" | "g";

export interface FormatSection {
  kind: "date" | "number" | "general" | "text";
  tokens: FormatToken[];
  condition: { operator: string; than: number } | null;
  /** The date or time as the reader's own system writes it: "[$-F800]", "[$-F400]". */
  isSystem: boolean;
}

export interface NumberFormat {
  sections: FormatSection[];
  /** Those that numbers choose from. */
  numeric: FormatSection[];
  hasConditions: boolean;
}

/** What is worked out from the tokens of a section, once for all its cells. */
export function planned<Plan extends object>(
  make: (tokens: readonly FormatToken[]) => Plan,
): (section: FormatSection) => Plan {
  const plans = new WeakMap<FormatSection, Plan>();
  return (section) => {
    const known = plans.get(section);
    if (known !== undefined) return known;
    const plan = make(section.tokens);
    plans.set(section, plan);
    return plan;
  };
}

const MAX_CODE = 1000;
const MAX_CACHED = 2000;
const cache = new Map<string, NumberFormat>();

export function numberFormat(code: string): NumberFormat {
  const known = cache.get(code);
  if (known !== undefined) return known;
  const sections = splitSections(code.slice(0, MAX_CODE)).map(readSection);
  const numeric = sections.slice(0, 3).filter((section, i) => section.kind !== "text" || i === 0);
  const format = { sections, numeric, hasConditions: numeric.some((section) => section.condition !== null) };
  if (cache.size >= MAX_CACHED) cache.clear();
  cache.set(code, format);
  return format;
}

/** At semicolons that are neither quoted, escaped nor in brackets. */
function splitSections(code: string): string[] {
  const sections: string[] = [""];
  for (const [part] of code.matchAll(/"[^"]*"?|\\.?|\[[^\]]*\]?|[^"\\[]/gsu)) {
    if (part === ";") sections.push("");
    else sections[sections.length - 1] += part;
  }
  return sections.slice(0, 4);
}

const PARTS =
  /"([^"]*)"?|\\(.?)|[_*]([^])?|\[([^\]]*)\]?|(general|standard)|(am\/pm|a\/p|上午\/下午)|(e[+-])|(y+|m+|d+|h+|s+|b+|e+|g+)|([0#?])|([^])/giu;

function readSection(code: string): FormatSection {
  const section: FormatSection = { kind: "number", tokens: [], condition: null, isSystem: false };
  for (const [, quoted, escaped, , bracket, general, ampm, exponent, letters, digit, other] of code.matchAll(PARTS)) {
    if (quoted !== undefined || escaped !== undefined) literal(section, quoted ?? escaped ?? "");
    else if (bracket !== undefined) readBracket(section, bracket);
    else if (general !== undefined) section.tokens.push({ type: "general" });
    else if (ampm !== undefined) section.tokens.push({ type: "ampm" });
    else if (exponent !== undefined) section.tokens.push({ type: "exponent", showsPlus: exponent.endsWith("+") });
    else if (letters !== undefined)
      section.tokens.push({ type: "date", letter: letters[0]!.toLowerCase() as DateLetter, count: letters.length });
    else if (digit !== undefined) section.tokens.push({ type: "digit", text: digit });
    else if (other !== undefined) section.tokens.push(SIGNS[other] ?? { type: "literal", text: other });
  }
  finishSection(section);
  return section;
}

const SIGNS: Record<string, FormatToken> = {
  ".": { type: "point" },
  ",": { type: "comma" },
  "%": { type: "percent" },
  "/": { type: "slash" },
  "@": { type: "text" },
};

function literal(section: FormatSection, text: string): void {
  if (text !== "") section.tokens.push({ type: "literal", text });
}

/** Conditions, currencies with a locale, elapsed times; colours and scripts of digits are passed over. */
function readBracket(section: FormatSection, bracket: string): void {
  const condition = /^(<=|>=|<>|<|>|=)\s*(-?[\d.]+(?:e[+-]?\d+)?)$/i.exec(bracket);
  const elapsed = /^(h+|m+|s+)$/i.exec(bracket)?.[1]?.toLowerCase();
  if (condition !== null) section.condition = { operator: condition[1]!, than: Number(condition[2]) };
  else if (elapsed !== undefined) {
    const letter = elapsed[0] === "m" ? "n" : (elapsed[0] as "h" | "s");
    section.tokens.push({ type: "elapsed", letter, count: elapsed.length });
  } else if (bracket.startsWith("$")) {
    literal(section, /^\$([^-]*)/.exec(bracket)?.[1] ?? "");
    if (/-f[48]00$/i.test(bracket)) section.isSystem = true;
  }
}

function finishSection(section: FormatSection): void {
  const { tokens } = section;
  const isDate = tokens.some(
    (token) =>
      token.type === "elapsed" || token.type === "ampm" || (token.type === "date" && /[ymdhsnb]/.test(token.letter)),
  );
  if (tokens.some((token) => token.type === "general")) section.kind = "general";
  else if (isDate) section.kind = "date";
  else if (tokens.some((token) => token.type === "text")) section.kind = "text";
  if (section.kind === "date") section.tokens = timeTokens(tokens);
  else section.tokens = tokens.map((token) => (token.type === "date" ? plainLetters(token) : token));
}

/** Letters that mean nothing in a number stand for themselves. */
function plainLetters(token: FormatToken & { type: "date" }): FormatToken {
  return { type: "literal", text: token.letter.repeat(token.count) };
}

/** "m" beside hours or seconds are minutes; zeros behind the point of a second are its fraction. */
function timeTokens(tokens: readonly FormatToken[]): FormatToken[] {
  const out: FormatToken[] = [];
  const clocks = tokens.filter((token) => token.type === "date" || token.type === "elapsed");
  const letterAt = (at: number): string => clocks[at]?.letter ?? "";
  let clock = -1;
  for (let i = 0; i < tokens.length; i++) {
    const token = tokens[i]!;
    if (token.type === "date" || token.type === "elapsed") clock++;
    if (token.type === "date" && token.letter === "m" && token.count <= 2) {
      const isMinute = letterAt(clock - 1) === "h" || letterAt(clock + 1) === "s";
      out.push(isMinute ? { ...token, letter: "n" } : token);
    } else if (token.type === "point") {
      let count = 0;
      while (tokens[i + 1 + count]?.type === "digit") count++;
      i += count;
      out.push(count > 0 && letterAt(clock) === "s" ? { type: "fraction", count } : { type: "literal", text: "." });
    } else out.push(dateLiteral(token));
  }
  return out;
}

function dateLiteral(token: FormatToken): FormatToken {
  if (token.type === "comma") return { type: "literal", text: "," };
  if (token.type === "slash") return { type: "literal", text: "/" };
  if (token.type === "percent") return { type: "literal", text: "%" };
  return token.type === "digit" ? { type: "literal", text: token.text } : token;
}

/** The section for a number, and whether its sign is said by the choice of the section. */
export function sectionFor(format: NumberFormat, value: number): { section: FormatSection | null; unsigned: boolean } {
  const [first, second, third] = format.numeric;
  if (first === undefined) return { section: null, unsigned: false };
  if (format.hasConditions) return conditional(format.numeric, value);
  if (value < 0 && second !== undefined) return { section: second, unsigned: true };
  if (value === 0 && third !== undefined) return { section: third, unsigned: false };
  return { section: first, unsigned: false };
}

function conditional(
  sections: readonly FormatSection[],
  value: number,
): { section: FormatSection | null; unsigned: boolean } {
  for (const [i, section] of sections.entries()) {
    const { condition } = section;
    const isLast = i === sections.length - 1;
    // Without a condition of its own the second of three is for negative numbers.
    const holds = condition === null ? isLast || (i === 1 && value < 0) : meets(value, condition);
    const negativeOnly = condition === null ? !isLast : /^<=?$/.test(condition.operator) && condition.than <= 0;
    if (holds) return { section, unsigned: value < 0 && negativeOnly };
  }
  return { section: null, unsigned: false };
}

function meets(value: number, { operator, than }: { operator: string; than: number }): boolean {
  switch (operator) {
    case "<":
      return value < than;
    case "<=":
      return value <= than;
    case ">":
      return value > than;
    case ">=":
      return value >= than;
    case "=":
      return value === than;
    default:
      return value !== than;
  }
}

/** The section that texts are shown with: the fourth, or the last one that says "@"; null where they stand as they are. */
export function textSection(format: NumberFormat): FormatSection | null {
  const fourth = format.sections[3];
  if (fourth !== undefined) return fourth;
  const last = format.sections.at(-1);
  return last !== undefined && last.tokens.some((token) => token.type === "text") ? last : null;
}
