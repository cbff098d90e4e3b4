import { decimal, generalText, roundedTo } from "./decimal.ts";
import type { FormatSection, FormatToken } from "./number-format.ts";
import { planned } from "./number-format.ts";

/** What a section asks of every number, worked out once. */
interface Plan {
  hasDigits: boolean;
  /** "%" shows hundredths; commas behind the last digit show thousands. */
  factor: number;
  kind: "fixed" | "scientific" | "fraction";
  fixed: FixedPlan;
  /** Most formats: one run of digits between words. */
  simple: SimplePlan | null;
  slash: number;
}

interface SimplePlan {
  prefix: string;
  suffix: string;
  /** Least digits before the point. */
  wholePlaces: number;
  places: number;
  groups: boolean;
}

interface FixedPlan {
  before: readonly FormatToken[];
  after: readonly FormatToken[];
  hasPoint: boolean;
  places: number;
  wholePlaces: number;
  groups: boolean;
}

const planOf = planned(makePlan);

function makePlan(tokens: readonly FormatToken[]): Plan {
  const slash = tokens.findIndex((token) => token.type === "slash");
  const isScientific = tokens.some((token) => token.type === "exponent");
  const isFractional = slash > 0 && isFraction(tokens, slash);
  const kind = isScientific ? "scientific" : isFractional ? "fraction" : "fixed";
  const fixed = fixedPlan(tokens);
  return {
    hasDigits: tokens.some((token) => token.type === "digit"),
    factor: factorOf(tokens),
    kind,
    fixed,
    simple: kind === "fixed" ? simplePlan(fixed) : null,
    slash,
  };
}

/** Null where words stand amid the digits or places may stay empty. */
function simplePlan({ before, after, hasPoint, places, groups }: FixedPlan): SimplePlan | null {
  const first = before.findIndex((token) => token.type === "digit");
  const last = before.findLastIndex((token) => token.type === "digit");
  const whole = before.slice(first, last + 1);
  const behind = before.slice(last + 1);
  if (first < 0 || (hasPoint && behind.some((token) => token.type !== "comma"))) return null;
  if (!whole.every((token) => token.type === "digit" || token.type === "comma")) return null;
  const zeros = whole.filter((token) => token.type === "digit" && token.text === "0").length;
  const firstZero = whole.findIndex((token) => token.type === "digit" && token.text === "0");
  if (zeros === 0 || countDigits(whole.slice(firstZero)) !== zeros) return null;
  const fraction = after.slice(0, places);
  if (places > MAX_FAST_PLACES || !fraction.every((token) => token.type === "digit" && token.text === "0")) return null;
  const rest = hasPoint ? after.slice(places) : behind;
  if (hasPoint && places === 0) return null;
  return {
    prefix: before.slice(0, first).map(plain).join(""),
    suffix: rest.map(plain).join(""),
    wholePlaces: zeros,
    places,
    groups,
  };
}

function fixedPlan(tokens: readonly FormatToken[]): FixedPlan {
  const point = tokens.findIndex((token) => token.type === "point");
  const before = point < 0 ? tokens : tokens.slice(0, point);
  const after = point < 0 ? [] : tokens.slice(point + 1);
  const end = wholeEnd(tokens);
  return {
    before,
    after,
    hasPoint: point >= 0,
    places: Math.min(MAX_PLACES, countDigits(after)),
    wholePlaces: countDigits(before),
    groups: before.slice(0, end).some((token, i) => token.type === "comma" && countDigits(before.slice(0, i)) > 0),
  };
}

function countDigits(tokens: readonly FormatToken[]): number {
  return tokens.filter((token) => token.type === "digit").length;
}

/** A number by a section of a format that shows no date. */
export function numberBySection(value: number, section: FormatSection, unsigned: boolean): string {
  const { tokens } = section;
  if (section.kind === "general") return literals(tokens, generalText(unsigned ? Math.abs(value) : value), "general");
  if (section.kind === "text") return literals(tokens, generalText(value), "text");
  const plan = planOf(section);
  // Words in place of a number: "n/a", "-".
  if (!plan.hasDigits) return tokens.map(plain).join("");
  const size = Math.abs(value) * plan.factor;
  if (plan.simple !== null && size < MAX_FAST) return simpleText(size, plan.simple, value < 0 && !unsigned);
  const shown = magnitudeText(size, tokens, plan);
  const isZero = !/[1-9]/.test(shown.digits);
  return (value < 0 && !unsigned && !isZero ? "-" : "") + shown.text;
}

/** Below these a rounded number and its places fit into a double. */
const MAX_FAST = 1e9;
const MAX_FAST_PLACES = 4;

function simpleText(size: number, plan: SimplePlan, isNegative: boolean): string {
  const rounded = roundedTo(size, plan.places);
  let digits = String(rounded);
  const least = plan.wholePlaces + plan.places;
  if (digits.length < least) digits = digits.padStart(least, "0");
  const cut = digits.length - plan.places;
  let text = plan.places === 0 ? digits : `${digits.slice(0, cut)}.${digits.slice(cut)}`;
  if (plan.groups) for (let i = cut - 3; i > 0; i -= 3) text = `${text.slice(0, i)},${text.slice(i)}`;
  return (isNegative && rounded !== 0 ? "-" : "") + plan.prefix + text + plan.suffix;
}

interface Shown {
  text: string;
  /** The digits alone: whether what is left after rounding is zero. */
  digits: string;
}

function magnitudeText(value: number, tokens: readonly FormatToken[], plan: Plan): Shown {
  if (plan.kind === "scientific") return scientific(value, tokens);
  return plan.kind === "fraction" ? fractional(value, tokens, plan.slash) : fixed(value, plan.fixed);
}

function literals(tokens: readonly FormatToken[], text: string, at: "general" | "text"): string {
  return tokens.map((token) => (token.type === at ? text : plain(token))).join("");
}

function plain(token: FormatToken): string {
  switch (token.type) {
    case "literal":
      return token.text;
    case "percent":
      return "%";
    case "point":
      return ".";
    case "slash":
      return "/";
    default:
      return "";
  }
}

function factorOf(tokens: readonly FormatToken[]): number {
  let factor = 1;
  for (const token of tokens) if (token.type === "percent") factor *= 100;
  const last = tokens.findLastIndex((token) => token.type === "digit");
  for (const end of new Set([wholeEnd(tokens), last + 1]))
    for (let i = end; tokens[i]?.type === "comma"; i++) factor /= 1000;
  return factor;
}

/** Behind the last digit before the point. */
function wholeEnd(tokens: readonly FormatToken[]): number {
  const point = tokens.findIndex((token) => token.type === "point" || token.type === "exponent");
  const limit = point < 0 ? tokens.length : point;
  for (let i = limit - 1; i >= 0; i--) if (tokens[i]?.type === "digit") return i + 1;
  return 0;
}

const MAX_PLACES = 30;

function fixed(value: number, plan: FixedPlan): Shown {
  const { whole, fraction } = decimal(value, plan.places);
  return {
    text: wholeText(whole, plan) + (plan.hasPoint ? fractionText(fraction, plan.after) : ""),
    digits: whole + fraction,
  };
}

/** Digits go into their places from the right; what is left over stands at the first place. */
function wholeText(digits: string, { before, wholePlaces, groups }: FixedPlan): string {
  let left = digits.length;
  let places = wholePlaces;
  let written = 0;
  let out = "";
  for (let i = before.length - 1; i >= 0; i--) {
    const token = before[i]!;
    if (token.type !== "digit") {
      out = plain(token) + out;
      continue;
    }
    places--;
    const count = places === 0 ? left : Math.min(1, left);
    let piece = digits.slice(left - count, left);
    left -= count;
    if (piece === "" && token.text === "0") piece = "0";
    for (let k = piece.length - 1; k >= 0; k--) {
      out = piece[k]! + (groups && written > 0 && written % 3 === 0 ? "," : "") + out;
      written++;
    }
  }
  return out;
}

/** "#" and "?" drop zeros at the end, and the point goes with the last of them only where the format has no other. */
function fractionText(digits: string, tokens: readonly FormatToken[]): string {
  const kinds = tokens.filter((token) => token.type === "digit").map((token) => token.text);
  let keep = digits.length;
  while (keep > 0 && digits[keep - 1] === "0" && kinds[keep - 1] !== "0") keep--;
  let at = 0;
  let out = "";
  for (const token of tokens) {
    if (token.type !== "digit") out += plain(token);
    else if (at < keep) out += digits[at++];
  }
  return keep === 0 && kinds.length > 0 ? out : `.${out}`;
}

function scientific(value: number, tokens: readonly FormatToken[]): Shown {
  const at = tokens.findIndex((token) => token.type === "exponent");
  const mantissa = tokens.slice(0, at);
  const power = tokens.slice(at + 1);
  const point = mantissa.findIndex((token) => token.type === "point");
  const step = Math.max(
    1,
    mantissa.slice(0, point < 0 ? undefined : point).filter((token) => token.type === "digit").length,
  );
  const plan = fixedPlan(mantissa);
  let exponent = value === 0 ? 0 : Math.floor(Math.log10(value) / step) * step;
  let shown = fixed(value / 10 ** exponent, plan);
  // 9.99 rounds to 10.0.
  if (value !== 0 && Number(shown.digits) === 10 ** step && point < 0) {
    exponent += step;
    shown = fixed(value / 10 ** exponent, plan);
  } else if (value !== 0 && Number.parseFloat(shown.text) >= 10 ** step) {
    exponent += step;
    shown = fixed(value / 10 ** exponent, plan);
  }
  const token = tokens[at];
  const plus = token?.type === "exponent" && token.showsPlus ? "+" : "";
  const places = power.filter((one) => one.type === "digit").length;
  const digits = String(Math.abs(exponent)).padStart(places, "0");
  const rest = power.map((one) => (one.type === "digit" ? "" : plain(one))).join("");
  return { text: `${shown.text}E${exponent < 0 ? "-" : plus}${digits}${rest}`, digits: shown.digits };
}

/** A slash between places for digits, or before a denominator that is spelt out. */
function isFraction(tokens: readonly FormatToken[], slash: number): boolean {
  const after = tokens.slice(slash + 1).find((token) => token.type !== "literal" || token.text !== " ");
  const isNumber = after?.type === "digit" || (after?.type === "literal" && /^\d/.test(after.text));
  return tokens.slice(0, slash).some((token) => token.type === "digit") && isNumber;
}

function fractional(value: number, tokens: readonly FormatToken[], slash: number): Shown {
  const behind = tokens.slice(slash + 1);
  const fixedDenominator = Number.parseInt(
    behind.map((token) => (token.type === "literal" || token.type === "digit" ? token.text : "")).join(""),
    10,
  );
  const places = behind.filter((token) => token.type === "digit").length;
  const hasWhole = hasSeparateWhole(tokens.slice(0, slash));
  const whole = hasWhole ? Math.floor(value) : 0;
  const rest = value - whole;
  const [numerator, below] =
    fixedDenominator > 0
      ? [Math.round(rest * fixedDenominator), fixedDenominator]
      : nearestFraction(rest, 10 ** Math.min(4, Math.max(1, places)) - 1);
  const isWhole = hasWhole && numerator === below;
  const units = isWhole ? whole + 1 : whole;
  const above = isWhole ? 0 : numerator;
  const first = tokens.findIndex((token) => token.type === "digit");
  const prefix = tokens.slice(0, first).map(plain).join("");
  const suffix = behind
    .filter((token) => token.type === "literal" && !/^\d*$/.test(token.text))
    .map(plain)
    .join("");
  const part = above === 0 && hasWhole ? "" : `${above}/${below}`;
  const number = hasWhole && (units > 0 || part === "") ? `${units}${part === "" ? "" : ` ${part}`}` : part;
  return { text: prefix + number + suffix, digits: String(units + above) };
}

/** "# ?/?" has a place for the whole number, "?/?" has none. */
function hasSeparateWhole(tokens: readonly FormatToken[]): boolean {
  let runs = 0;
  let inRun = false;
  for (const token of tokens) {
    if (token.type === "digit" && !inRun) runs++;
    inRun = token.type === "digit";
  }
  return runs > 1;
}

/** As spreadsheets do: the last of the continued fraction's values whose denominator is no greater than `most`. */
function nearestFraction(value: number, most: number): [above: number, below: number] {
  let [above, below] = [Math.floor(value), 1];
  let [aboveBefore, belowBefore] = [1, 0];
  for (let rest = value - above; rest > 1e-9;) {
    const inverse = 1 / rest;
    const step = Math.floor(inverse + 1e-9);
    const next = step * below + belowBefore;
    if (next > most) break;
    [above, aboveBefore] = [step * above + aboveBefore, above];
    [below, belowBefore] = [next, below];
    rest = inverse - step;
  }
  return [above, below];
}
