/** Which operations were asked, how they were answered and how long it took; held against the list in the API document. */
export interface OperationCount {
  asked: number;
  ok: number;
  refused: number;
}

interface Template {
  name: string;
  method: string;
  parts: string[];
}

/** Latencies kept of the time since they were last taken. */
const MOST_TIMES = 20_000;

export class Ledger {
  readonly counts = new Map<string, OperationCount>();
  readonly #templates: Template[];
  #times = new Map<string, number[]>();

  constructor(paths: Record<string, Record<string, unknown>>) {
    this.#templates = Object.entries(paths).flatMap(([path, item]) =>
      Object.keys(item).map((method) => ({
        name: `${method.toUpperCase()} ${path}`,
        method: method.toUpperCase(),
        parts: path.split("/"),
      })),
    );
    // The one with fewer places comes first: `/v1/threads/runs` before `/v1/threads/{thread_id}`.
    const places = ({ parts }: Template) => parts.filter((part) => part.startsWith("{")).length;
    this.#templates.sort((a, b) => places(a) - places(b));
    for (const { name } of this.#templates) this.counts.set(name, { asked: 0, ok: 0, refused: 0 });
  }

  nameOf(method: string, path: string): string | null {
    const parts = path.split("/");
    const found = this.#templates.find(
      (one) =>
        one.method === method &&
        one.parts.length === parts.length &&
        one.parts.every((part, i) => part.startsWith("{") || part === parts[i]),
    );
    return found?.name ?? null;
  }

  note(method: string, path: string, status: number, ms: number): void {
    const name = this.nameOf(method, path);
    const count = name === null ? undefined : this.counts.get(name);
    if (name === null || count === undefined) return;
    count.asked++;
    if (status >= 200 && status < 400) count.ok++;
    else count.refused++;
    const times = this.#times.get(name) ?? [];
    if (times.length < MOST_TIMES) times.push(ms);
    this.#times.set(name, times);
  }

  /** Since it was last asked for. */
  takeTimes(): Map<string, number[]> {
    const times = this.#times;
    this.#times = new Map();
    return times;
  }

  /** Operations that were never answered with success. */
  get missing(): string[] {
    return [...this.counts].filter(([, { ok }]) => ok === 0).map(([name]) => name);
  }
}

/** The value below which `part` of them lie; NaN of none. */
export function quantile(values: readonly number[], part: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? Number.NaN;
}
