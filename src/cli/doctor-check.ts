/** One line of `lectern doctor`. */
export interface Check {
  name: string;
  /** `warn`: something works less well than it could, or soon will not; `fail`: something does not work. */
  state: "ok" | "warn" | "fail";
  detail: string;
}

export interface DoctorOptions {
  /** The data directory as it was named; where it is may be elsewhere. */
  named: string;
  /** Every row and every byte. */
  full: boolean;
  fix: boolean;
}

export const ok = (name: string, detail: string): Check => ({ name, state: "ok", detail });
export const warn = (name: string, detail: string): Check => ({ name, state: "warn", detail });
export const fail = (name: string, detail: string): Check => ({ name, state: "fail", detail });

/** A few of many, for a line. */
export function someOf(names: readonly string[], shown = 3): string {
  const rest = names.length - shown;
  return names.slice(0, shown).join(", ") + (rest > 0 ? ` and ${rest} more` : "");
}

/** `1 file`, `2 files`. */
export function counted(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? "" : "s"}`;
}
