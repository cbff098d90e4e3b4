/**
 * Structured log lines to stderr: JSON lines, or short human lines on a terminal.
 * A line is written once, at the edge (the request log, the job runner, start and stop).
 * Fields never hold document text, query text, keys or tokens.
 */
export type LogLevel = "debug" | "info" | "warn" | "error";
export type LogFields = Record<string, string | number | boolean | null | undefined>;

export interface Log {
  debug(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
}

const LEVELS: Record<LogLevel, number> = { debug: 10, info: 20, warn: 30, error: 40 };

export interface LogOptions {
  /** Read at every line. */
  level: LogLevel;
  format: "json" | "human";
  /** Urgent lines, warnings and errors, must not be held back. */
  write: (line: string, urgent: boolean) => void;
}

export function createLog(options: LogOptions): Log {
  const emit =
    (level: LogLevel) =>
    (message: string, fields: LogFields = {}) => {
      if (LEVELS[level] < LEVELS[options.level]) return;
      const text = options.format === "json" ? jsonLine(level, message, fields) : humanLine(level, message, fields);
      options.write(text, LEVELS[level] >= LEVELS.warn);
    };
  return { debug: emit("debug"), info: emit("info"), warn: emit("warn"), error: emit("error") };
}

export const silentLog: Log = { debug() {}, info() {}, warn() {}, error() {} };

function jsonLine(level: LogLevel, message: string, fields: LogFields): string {
  return `${JSON.stringify({ time: new Date().toISOString(), level, message, ...fields })}\n`;
}

function humanLine(level: LogLevel, message: string, fields: LogFields): string {
  const pairs = Object.entries(fields)
    .filter(([, value]) => value !== undefined)
    .map(([key, value]) => `${key}=${typeof value === "string" && /\s/.test(value) ? JSON.stringify(value) : value}`);
  return `${new Date().toISOString().slice(11, 23)} ${level.toUpperCase().padEnd(5)} ${[message, ...pairs].join("  ")}\n`;
}
