/** Decimal digits of numbers, rounded as spreadsheets round: on 15 significant digits, halves up. */
const PRECISION = 15;

export interface Decimal {
  isNegative: boolean;
  /** Without leading zeros; "" for none. */
  whole: string;
  /** As many digits as asked. */
  fraction: string;
}

export function decimal(value: number, places: number): Decimal {
  if (Number.isInteger(value) && Math.abs(value) < 1e15) {
    const whole = value === 0 ? "" : String(Math.abs(value));
    return { isNegative: value < 0, whole, fraction: "0".repeat(places) };
  }
  if (Math.abs(value) * 10 ** places < MAX_SCALED) {
    const rounded = roundedTo(Math.abs(value), places);
    const digits = String(rounded).padStart(places + 1, "0");
    const cut = digits.length - places;
    const whole = cut === 1 && digits.startsWith("0") ? "" : digits.slice(0, cut);
    return { isNegative: value < 0 && rounded !== 0, whole, fraction: digits.slice(cut) };
  }
  const [mantissa = "0", exponentText = "0"] = Math.abs(value)
    .toExponential(PRECISION - 1)
    .split("e");
  const digits = mantissa.replace(".", "");
  const exponent = Number(exponentText);
  /** How many of the digits stand before the rounding place. */
  const kept = exponent + 1 + places;
  const rounded = roundDigits(digits, kept);
  const all = rounded.digits.padStart(places + 1, "0");
  const cut = all.length - places;
  const whole = all.slice(0, cut).replace(/^0+/, "");
  const fraction = all.slice(cut);
  return { isNegative: value < 0 && /[1-9]/.test(whole + fraction), whole, fraction };
}

/** Whole numbers below have fewer digits than a double keeps, so that halves can be told. */
const MAX_SCALED = 1e12;

/** A positive number in units of its last place. */
export function roundedTo(value: number, places: number): number {
  const scaled = value * 10 ** places;
  // The added part is below the fifteenth digit: it carries halves that binary fractions fall short of.
  return Math.round(scaled + scaled * 1e-15);
}

/** The first `count` digits, with zeros where there are no more, rounded by the next one. */
function roundDigits(digits: string, count: number): { digits: string } {
  if (count < 0) return { digits: "0" };
  if (count >= digits.length) return { digits: digits + "0".repeat(count - digits.length) };
  const head = digits.slice(0, count);
  if (digits.charCodeAt(count) < 0x35) return { digits: head === "" ? "0" : head };
  return { digits: (BigInt(head === "" ? "0" : head) + 1n).toString().padStart(count, "0") };
}

const GENERAL_CHARACTERS = 11;

/**
 * A number without a format: fractions in as many digits as a cell shows by default. Whole numbers keep all of theirs,
 * since long ones are numbers of things.
 */
export function generalText(value: number): string {
  if (Number.isInteger(value)) return Math.abs(value) < 1e21 ? String(value) : scientificText(value);
  const size = Math.abs(value);
  if (size >= 1e-4 && size < 1e9) {
    // The shortest digits that name the number are what it shows where they fit.
    const shortest = String(value);
    if (shortest.length <= GENERAL_CHARACTERS + (value < 0 ? 1 : 0)) return shortest;
    // So few digits are the shortest of their number again, without zeros at the end.
    const places = size < 10 ? 9 : Math.max(2, 9 - Math.floor(Math.log10(size)));
    const rounded = roundedTo(size, places) / 10 ** places;
    return String(value < 0 && rounded !== 0 ? -rounded : rounded);
  }
  const whole = size < 1 ? 1 : Math.floor(Math.log10(size)) + 1;
  if (whole > PRECISION || (size < 1e-4 && smallText(size).length > GENERAL_CHARACTERS)) return scientificText(value);
  const places = Math.max(0, GENERAL_CHARACTERS - 1 - whole);
  // Beyond the eleven characters the fraction is kept to two digits: amounts have them.
  const { isNegative, whole: before, fraction } = decimal(value, Math.max(places, Math.min(2, PRECISION - whole)));
  const after = fraction.replace(/0+$/, "");
  return `${isNegative ? "-" : ""}${before === "" ? "0" : before}${after === "" ? "" : `.${after}`}`;
}

/** All digits of a number below one, as far as they stand within twelve places. */
function smallText(size: number): string {
  return size < 1e-9 ? size.toFixed(20) : size.toFixed(12).replace(/0+$/, "");
}

/** Six digits and a power of ten: "1.23457E-05". */
function scientificText(value: number): string {
  const [mantissa = "", exponent = "+0"] = String(Number(value.toPrecision(6)).toExponential()).split("e");
  return `${mantissa}E${exponent[0] ?? "+"}${exponent.slice(1).padStart(2, "0")}`;
}
