import type { FormatSection, FormatToken } from "./number-format.ts";
import { planned } from "./number-format.ts";

const DAY_MS = 86_400_000;
/** 31 December 9999. */
const LAST_DAY = 2_958_466;

const MONTHS = "January February March April May June July August September October November December".split(" ");
const DAYS = "Sunday Monday Tuesday Wednesday Thursday Friday Saturday".split(" ");

/**
 * A day and time by a section of a format. Dates with a year are written as ISO 8601 has them, as far as the format
 * shows them: which of the numbers in "5/6/24" is the day, a reader of the text cannot know. Everything else is
 * written as the sheet shows it. Null for a number that is no date.
 */
export function dateBySection(value: number, section: FormatSection, epoch1904: boolean): string | null {
  const { tokens } = section;
  const plan = planOf(section);
  if (plan.isElapsed) {
    const elapsed = elapsedOf(value, plan.step);
    return tokens.map((token) => elapsedPart(elapsed, token)).join("");
  }
  if (value < 0 || value >= LAST_DAY) return null;
  const moment = momentOf(value, plan.step, epoch1904);
  if (!plan.hasYear && !(section.isSystem && !plan.hasTime)) return asShown(tokens, moment);
  const date = isoDate(moment, plan, value);
  const time = plan.hasTime ? timeOf(moment, plan, section.isSystem) : "";
  const text = date === "" || time === "" ? date + time : `${date} ${time}`;
  return (plan.leading === "" || text === "" ? plan.leading + text : `${plan.leading} ${text}`) + plan.trailing;
}

/** What a section asks of every day and time, worked out once. */
interface Plan {
  isElapsed: boolean;
  hasYear: boolean;
  hasMonth: boolean;
  hasDay: boolean;
  hasTime: boolean;
  /** The clock of twelve hours, from its first part to its last; null where the day has 24. */
  twelve: readonly FormatToken[] | null;
  /** Digits of a second behind its point. */
  places: number;
  /** Milliseconds to which times are rounded. */
  step: number;
  leading: string;
  trailing: string;
}

const planOf = planned(makePlan);

function makePlan(tokens: readonly FormatToken[]): Plan {
  const shown = new Set<string>(tokens.map((token) => (token.type === "date" ? token.letter : token.type)));
  const has = (...kinds: string[]): boolean => kinds.some((kind) => shown.has(kind));
  return {
    isElapsed: has("elapsed"),
    hasYear: has("y", "e", "b"),
    hasMonth: has("m"),
    hasDay: has("d"),
    hasTime: has("h", "n", "s", "ampm"),
    twelve: has("ampm") ? clockTokens(tokens) : null,
    places: fractionPlaces(tokens),
    step: 1000 / 10 ** secondPlaces(tokens),
    leading: leading(tokens),
    trailing: trailing(tokens),
  };
}

interface Moment {
  /** "2024-03-05" */
  iso: string;
  weekday: number;
  /** Day 0 of the 1900 system, which shows as 0 January. */
  isDayZero: boolean;
  hours: number;
  minutes: number;
  seconds: number;
  milliseconds: number;
}

function momentOf(value: number, step: number, epoch1904: boolean): Moment {
  // Day 60 of the 1900 system is a 29 February that never was.
  const days = epoch1904 ? value + 1462 : value < 60 ? value + 1 : value;
  const time = Math.round(Math.round(((days - 25_569) * DAY_MS) / step) * step);
  const day = Math.floor(time / DAY_MS);
  const rest = time - day * DAY_MS;
  return {
    iso: isoOfDay(day),
    weekday: (Math.floor(value) + (epoch1904 ? 5 : 6)) % 7,
    isDayZero: !epoch1904 && value < 1,
    hours: Math.floor(rest / 3_600_000),
    minutes: Math.floor(rest / 60_000) % 60,
    seconds: Math.floor(rest / 1000) % 60,
    milliseconds: rest % 1000,
  };
}

/** Days by their number from 1970 on: a sheet has the same ones again and again. */
const isoDays = new Map<number, string>();
const MAX_DAYS = 10_000;

function isoOfDay(day: number): string {
  let iso = isoDays.get(day);
  if (iso === undefined) {
    iso = new Date(day * DAY_MS).toISOString().slice(0, 10);
    if (isoDays.size >= MAX_DAYS) isoDays.clear();
    isoDays.set(day, iso);
  }
  return iso;
}

/** Seconds are rounded to the places that are shown; what shows none is kept to the millisecond against binary noise. */
function secondPlaces(tokens: readonly FormatToken[]): number {
  const places = fractionPlaces(tokens);
  if (places > 0) return Math.min(3, places);
  return tokens.some((token) => (token.type === "date" || token.type === "elapsed") && token.letter === "s") ? 0 : 3;
}

function isoDate(moment: Moment, { hasMonth, hasDay }: Plan, value: number): string {
  if (moment.isDayZero && value > 0) return "";
  const iso = moment.isDayZero ? "1900-01-00" : moment.iso;
  if (hasDay) return iso;
  return hasMonth ? iso.slice(0, 7) : iso.slice(0, 4);
}

const two = (count: number): string => (count < 10 ? `0${count}` : String(count));

/** The clock of a day with its date: twelve hours where the format says so, else in full. */
function timeOf(moment: Moment, plan: Plan, isSystem: boolean): string {
  if (!isSystem && plan.twelve !== null) return asShown(plan.twelve, moment, true);
  const clock = `${two(moment.hours)}:${two(moment.minutes)}:${two(moment.seconds)}`;
  return plan.places === 0 ? clock : `${clock}.${milliseconds(moment.milliseconds, plan.places)}`;
}

function clockTokens(tokens: readonly FormatToken[]): FormatToken[] {
  const first = tokens.findIndex((token) => token.type === "date" && /[hns]/.test(token.letter));
  const last = tokens.findLastIndex(
    (token) => token.type === "ampm" || (token.type === "date" && /[hns]/.test(token.letter)),
  );
  return tokens.slice(first, last + 1).filter((token) => token.type !== "date" || /[hns]/.test(token.letter));
}

function fractionPlaces(tokens: readonly FormatToken[]): number {
  return tokens.find((token) => token.type === "fraction")?.count ?? 0;
}

/** Words before a date, such as "Stand: "; not the marks between its parts. */
function leading(tokens: readonly FormatToken[]): string {
  const [first] = tokens;
  return first?.type === "literal" && /\p{L}{2}|\p{L}.*:/u.test(first.text) ? first.text.trim() : "";
}

/** Words behind it, such as " Uhr"; East Asian marks of years, days and hours belong to the date itself. */
function trailing(tokens: readonly FormatToken[]): string {
  const last = tokens.at(-1);
  if (tokens.length < 2 || last?.type !== "literal") return "";
  return /\p{L}{2}/u.test(last.text) && !/^[\s\p{scx=Han}\p{scx=Hangul}]+$/u.test(last.text)
    ? ` ${last.text.trim()}`
    : "";
}

function asShown(tokens: readonly FormatToken[], moment: Moment, inDate = false): string {
  const isTwelve = tokens.some((token) => token.type === "ampm");
  return tokens
    .map((token) => {
      switch (token.type) {
        case "literal":
          return inDate && token.text === "," ? "" : token.text;
        case "fraction":
          return `.${milliseconds(moment.milliseconds, token.count)}`;
        case "ampm":
          return moment.hours < 12 ? "AM" : "PM";
        case "date":
          return datePart(token, moment, isTwelve);
        default:
          return "";
      }
    })
    .join("");
}

function datePart({ letter, count }: { letter: string; count: number }, moment: Moment, isTwelve: boolean): string {
  const month = moment.isDayZero ? 0 : Number(moment.iso.slice(5, 7)) - 1;
  const padded = (number: number): string => String(number).padStart(Math.min(count, 2), "0");
  switch (letter) {
    case "m": {
      const name = MONTHS[month] ?? "";
      return count < 3 ? padded(month + 1) : count === 3 ? name.slice(0, 3) : count === 5 ? name.slice(0, 1) : name;
    }
    case "d": {
      const name = DAYS[moment.weekday] ?? "";
      if (count < 3) return padded(moment.isDayZero ? 0 : Number(moment.iso.slice(8, 10)));
      return count === 3 ? name.slice(0, 3) : name;
    }
    case "h":
      return padded(isTwelve ? moment.hours % 12 || 12 : moment.hours);
    case "n":
      return padded(moment.minutes);
    case "s":
      return padded(moment.seconds);
    default:
      return "";
  }
}

function milliseconds(count: number, places: number): string {
  return String(Math.round(count)).padStart(3, "0").slice(0, places).padEnd(Math.min(places, 9), "0");
}

interface Elapsed {
  isNegative: boolean;
  seconds: number;
  milliseconds: number;
}

function elapsedOf(value: number, step: number): Elapsed {
  const time = Math.round((Math.abs(value) * DAY_MS) / step) * step;
  return { isNegative: value < 0 && time > 0, seconds: Math.floor(time / 1000), milliseconds: time % 1000 };
}

const UNIT_SECONDS: Record<string, number> = { h: 3600, n: 60, s: 1 };

/** Hours beyond the day: the part in brackets counts all of them, the others what is left. */
function elapsedPart(elapsed: Elapsed, token: FormatToken): string {
  switch (token.type) {
    case "literal":
      return token.text;
    case "fraction":
      return `.${milliseconds(elapsed.milliseconds, token.count)}`;
    case "elapsed": {
      const count = Math.floor(elapsed.seconds / (UNIT_SECONDS[token.letter] ?? 1));
      return (elapsed.isNegative ? "-" : "") + String(count).padStart(Math.min(token.count, 10), "0");
    }
    case "date": {
      const unit = UNIT_SECONDS[token.letter];
      if (unit === undefined) return "";
      const count = Math.floor(elapsed.seconds / unit) % (token.letter === "h" ? 24 : 60);
      return String(count).padStart(Math.min(token.count, 2), "0");
    }
    default:
      return "";
  }
}
