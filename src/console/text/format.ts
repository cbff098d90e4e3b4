const UNITS = ["B", "kB", "MB", "GB", "TB"];

export function bytesText(bytes: number): string {
  let [value, unit] = [bytes, 0];
  while (value >= 999.5 && unit < UNITS.length - 1) [value, unit] = [value / 1000, unit + 1];
  return `${unit === 0 || value >= 99.95 ? Math.round(value) : value.toFixed(1)} ${UNITS[unit] ?? ""}`;
}

const numbers = new Intl.NumberFormat("en");
const dates = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });

const hours = new Intl.DateTimeFormat(undefined, { month: "short", day: "numeric", hour: "numeric" });

/** Short, for the axis of a plot. */
export function hourText(seconds: number): string {
  return hours.format(seconds * 1000);
}

export function numberText(value: number): string {
  return numbers.format(value);
}

/** In the reader's own time. */
export function timeText(seconds: number): string {
  return dates.format(seconds * 1000);
}

/** For the tooltip, where the time must be the same for everybody. */
export function utcText(seconds: number): string {
  return `${new Date(seconds * 1000).toISOString().replace("T", " ").slice(0, 19)} UTC`;
}

/** `8 s`, `3 min`, `2 h`. */
export function durationText(seconds: number): string {
  if (seconds < 90) return `${Math.max(1, Math.round(seconds))} s`;
  return seconds < 5400 ? `${Math.round(seconds / 60)} min` : `${Math.round(seconds / 3600)} h`;
}

export function percentText(part: number): string {
  return `${Math.round(part * 100)} %`;
}

/** What a field for a time has of Unix seconds, in the reader's own time; empty for what is no time. */
export function localText(seconds: string | undefined): string {
  if (seconds === undefined || !/^\d{1,11}$/.test(seconds)) return "";
  const ms = Number(seconds) * 1000;
  return new Date(ms - new Date(ms).getTimezoneOffset() * 60_000).toISOString().slice(0, 16);
}

/** The way back. */
export function secondsOf(local: string): string {
  const ms = Date.parse(local);
  return Number.isNaN(ms) ? "" : String(Math.floor(ms / 1000));
}
