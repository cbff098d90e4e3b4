import { decimal, generalText } from "./decimal.ts";
import type { FormatSection, FormatToken } from "./number-format.ts";

/** A number by a section of a format that shows no date. */
export function numberBySection(value: number, section: FormatSection, unsigned: boolean): string {
  const { tokens } = section;
  if (section.kind === "general") return literals(tokens, generalText(unsigned ? Math.abs(value) : value), "general");
  if (section.kind === "text") return literals(tokens, generalText(value), "text");
  const magnitude = scaled(Math.abs(value), tokens);
  const sign = value < 0 && !unsigned ? "-" : "";
  if (!tokens.some((token) => token.type === "digit")) {
    // Words in place of a number: "n/a", "-".
    return tokens.map(plain).join("");
  }
  const shown = magnitudeText(magnitude, tokens);
  return (/[1-9/]/.test(shown.digits) ? sign : "") + shown.text;
}

interface Shown {
  text: string;
  /** The digits alone: whether what is left after rounding is zero. */
  digits: string;
}

function magnitudeText(value: number, tokens: readonly FormatToken[]): Shown {
  if (tokens.some((token) => token.type === "exponent")) return scientific(value, tokens);
  const slash = tokens.findIndex((token) => token.type === "slash");
  if (slash > 0 && isFraction(tokens, slash)) return fractional(value, tokens, slash);
  return fixed(value, tokens);
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

/** "%" shows hundredths; commas behind the last digit show thousands. */
function scaled(value: number, tokens: readonly FormatToken[]): number {
  let out = value;
  for (const token of tokens) if (token.type === "percent") out *= 100;
  const last = tokens.findLastIndex((token) => token.type === "digit");
  for (const end of new Set([wholeEnd(tokens), last + 1]))
    for (let i = end; tokens[i]?.type === "comma"; i++) out /= 1000;
  return out;
}

/** Behind the last digit before the point. */
function wholeEnd(tokens: readonly FormatToken[]): number {
  const point = tokens.findIndex((token) => token.type === "point" || token.type === "exponent");
  const limit = point < 0 ? tokens.length : point;
  for (let i = limit - 1; i >= 0; i--) if (tokens[i]?.type === "digit") return i + 1;
  return 0;
}

const MAX_PLACES = 30;

function fixed(value: number, tokens: readonly FormatToken[]): Shown {
  const point = tokens.findIndex((token) => token.type === "point");
  const before = point < 0 ? tokens : tokens.slice(0, point);
  const after = point < 0 ? [] : tokens.slice(point + 1);
  const places = Math.min(MAX_PLACES, after.filter((token) => token.type === "digit").length);
  const { whole, fraction } = decimal(value, places);
  const text = wholeText(whole, before, wholeEnd(tokens)) + fractionText(fraction, after, point >= 0);
  return { text, digits: whole + fraction };
}

/** Digits go into their places from the right; what is left over stands at the first place. */
function wholeText(digits: string, tokens: readonly FormatToken[], end: number): string {
  const groups = tokens.slice(0, end).some((token, i) => token.type === "comma" && hasDigitBefore(tokens, i));
  let left = digits.length;
  let places = tokens.filter((token) => token.type === "digit").length;
  let written = 0;
  let out = "";
  for (let i = tokens.length - 1; i >= 0; i--) {
    const token = tokens[i]!;
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

function hasDigitBefore(tokens: readonly FormatToken[], at: number): boolean {
  return tokens.slice(0, at).some((token) => token.type === "digit");
}

/** "#" and "?" drop zeros at the end, and the point goes with the last of them only where the format has no other. */
function fractionText(digits: string, tokens: readonly FormatToken[], hasPoint: boolean): string {
  if (!hasPoint) return "";
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
  let exponent = value === 0 ? 0 : Math.floor(Math.log10(value) / step) * step;
  let shown = fixed(value / 10 ** exponent, mantissa);
  // 9.99 rounds to 10.0.
  if (value !== 0 && Number(shown.digits) === 10 ** step && point < 0) {
    exponent += step;
    shown = fixed(value / 10 ** exponent, mantissa);
  } else if (value !== 0 && Number.parseFloat(shown.text) >= 10 ** step) {
    exponent += step;
    shown = fixed(value / 10 ** exponent, mantissa);
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
  let [above, below] =
    fixedDenominator > 0
      ? [Math.round(rest * fixedDenominator), fixedDenominator]
      : nearestFraction(rest, 10 ** Math.min(4, Math.max(1, places)) - 1);
  let units = whole;
  if (hasWhole && above === below) {
    units++;
    above = 0;
  }
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
