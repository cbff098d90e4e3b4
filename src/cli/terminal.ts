/**
 * What a verb sees of the outside: two text streams, what they are connected to, the environment, and a signal that
 * aborts at SIGINT or SIGTERM. main.ts makes the real one, tests make their own.
 */
export interface Terminal {
  /** Answers; what a script reads. */
  out(text: string): void;
  /** Progress, hints, failures; what a person reads. */
  err(text: string): void;
  outIsTerminal: boolean;
  errIsTerminal: boolean;
  /** Width in cells. */
  columns: number;
  /** Whether `out` may hold colour: it is a terminal and NO_COLOR is unset. */
  color: boolean;
  env: Readonly<Record<string, string | undefined>>;
  /** Aborted when the verb is to end. */
  signal: AbortSignal;
  /** Aborted when it is to end without a wait that could be left out; with or after `signal`. */
  hurry?: AbortSignal;
  /** The verb that runs. */
  verb?: string;
  /** Standard input as it comes. */
  input?(): AsyncIterable<Uint8Array>;
  /** Puts a question to the person at the terminal; not there where nobody could answer. */
  ask?(question: string): Promise<string>;
  /** Calls back at SIGHUP. */
  onReload?(reload: () => void): void;
  /** Calls back with what was thrown where nobody catches; the process then goes on. */
  onFailure?(report: (thrown: unknown) => void): void;
}

/** Nobody looks, and nothing is kept of what is written. */
export const NO_TERMINAL: Terminal = {
  out: () => {},
  err: () => {},
  outIsTerminal: false,
  errIsTerminal: false,
  columns: 80,
  color: false,
  env: {},
  signal: new AbortController().signal,
};

/** A verb was called in a way that it cannot follow (exit status 2); the message is one line that says how to. */
export class UsageError extends Error {
  override name = "UsageError";
}

/** A verb was understood and cannot be done (exit status 1); the message is one line that says why. */
export class VerbFailed extends Error {
  override name = "VerbFailed";
}

/** Failures that a person can act on, with the exit status of each; anything else is a bug and shows its stack. */
const STATUSES: ReadonlyMap<string, number> = new Map([
  ["UsageError", 2],
  ["ConfigError", 2],
  ["VerbFailed", 1],
  ["StartError", 1],
  ["RequestFailed", 1],
]);

/** null for a bug. */
export function exitStatusOf(error: unknown): number | null {
  return error instanceof Error ? (STATUSES.get(error.name) ?? null) : null;
}

/**
 * Text of a document or a file name, safe to print: a terminal would obey escape sequences in it. Control and
 * bidirectional formatting characters become spaces, runs of white space one.
 */
export function printable(text: string): string {
  return text.replace(/[\p{Cc}\u061C\u200E\u200F\u202A-\u202E\u2066-\u2069\s]+/gu, " ").trim();
}

/** The start of `text` that fits into `columns` cells, with an ellipsis if something was cut. */
export function fitWidth(text: string, columns: number): string {
  if (Bun.stringWidth(text) <= columns) return text;
  let width = 0;
  let kept = "";
  for (const { segment } of segmenter("grapheme").segment(text)) {
    width += Bun.stringWidth(segment);
    if (width > columns - 1) break;
    kept += segment;
  }
  return `${kept}…`;
}

/** Lines of at most `columns` cells, broken at spaces where there are any; East Asian text counts two cells a letter. */
export function wrap(text: string, columns: number): string[] {
  const lines: string[] = [];
  let line = "";
  let width = 0;
  for (const { segment } of segmenter("word").segment(text)) {
    const cells = Bun.stringWidth(segment);
    if (width + cells > columns && line.trim() !== "") {
      lines.push(line.trimEnd());
      [line, width] = ["", 0];
    }
    if (line === "" && segment.trim() === "") continue;
    line += segment;
    width += cells;
  }
  if (line.trim() !== "") lines.push(line.trimEnd());
  return lines;
}

const segmenters = new Map<string, Intl.Segmenter>();

/** Made when first needed: making one takes tens of milliseconds, which the start of a server has no use for. */
export function segmenter(granularity: "grapheme" | "word"): Intl.Segmenter {
  const made = segmenters.get(granularity) ?? new Intl.Segmenter(undefined, { granularity });
  segmenters.set(granularity, made);
  return made;
}

export function formatBytes(bytes: number): string {
  const units = ["B", "kB", "MB", "GB", "TB"];
  let value = bytes;
  let unit = 0;
  while (value >= 999.5 && unit < units.length - 1) [value, unit] = [value / 1000, unit + 1];
  return `${unit === 0 || value >= 99.95 ? Math.round(value) : value.toFixed(1)} ${units[unit] ?? ""}`;
}

/** `0:07`, `12:30`, `1:02:03`. */
export function formatDuration(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds));
  const two = (n: number) => String(n).padStart(2, "0");
  const hours = Math.floor(whole / 3600);
  const minutes = Math.floor(whole / 60) % 60;
  return hours > 0 ? `${hours}:${two(minutes)}:${two(whole % 60)}` : `${minutes}:${two(whole % 60)}`;
}

/** The one time that a made-up key is shown. */
export function firstKeyText(key: string): string {
  return `API key (shown this once, only its hash is kept): ${key}`;
}
