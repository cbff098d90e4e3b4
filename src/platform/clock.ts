import { readFileSync } from "node:fs";

/** Wall-clock time that tests can move. Everything that stores or compares times takes one. */
export interface Clock {
  /** Milliseconds since the Unix epoch. */
  nowMs(): number;
  /** Whole seconds since the Unix epoch, the unit of every time on the wire. */
  nowSeconds(): number;
}

export const HOUR_SECONDS = 3600;
export const DAY_SECONDS = 24 * HOUR_SECONDS;

export const systemClock: Clock = {
  nowMs: () => Date.now(),
  nowSeconds: () => Math.floor(Date.now() / 1000),
};

/** A clock moved by the number of seconds that `path` holds; read afresh each time, a missing file is 0. */
export function offsetClock(path: string): Clock {
  const offsetMs = () => {
    try {
      const seconds = Number(readFileSync(path, "utf8").trim());
      return Number.isFinite(seconds) ? seconds * 1000 : 0;
    } catch {
      return 0;
    }
  };
  return {
    nowMs: () => Date.now() + offsetMs(),
    nowSeconds: () => Math.floor((Date.now() + offsetMs()) / 1000),
  };
}
