/**
 * What was tried, a line of JSON each, so that a long series can be broken off and gone on with: FAULT_RESULTS names the
 * file. Lines count for the executable that they were made with alone.
 */
import { appendFileSync, existsSync, readFileSync } from "node:fs";
import { LECTERN } from "../helpers/server.ts";
import type { Tally } from "./series.ts";

interface TriedSeries extends Tally {
  /** Which executable it was: a digest of its bytes. */
  of: string;
  most: number | null;
  step: number;
  seconds: number;
}

type TallyName = Pick<Tally, "script" | "kind" | "action">;
type Key = TallyName & Pick<TriedSeries, "of" | "most" | "step">;

const keyOf = ({ of, script, kind, action, most, step }: Key) => [of, script, kind, action, most, step].join(" ");

/** Of the executable that is tried. */
export function digestOfLectern(): string {
  return Bun.hash.xxHash64(readFileSync(LECTERN.at(-1) ?? "")).toString(36);
}

export class Results {
  readonly #path: string | undefined;
  readonly #of = digestOfLectern();
  readonly #tried = new Map<string, TriedSeries>();

  constructor(path: string | undefined) {
    this.#path = path;
    if (path === undefined || !existsSync(path)) return;
    for (const line of readFileSync(path, "utf8").split("\n").filter(Boolean)) {
      const one = JSON.parse(line) as TriedSeries;
      this.#tried.set(keyOf(one), one);
    }
  }

  /** What came of it, as far as it came, if nothing was found: a finding is looked for again. */
  of({ script, kind, action }: TallyName, most: number, step: number): Tally | undefined {
    const tried = this.#tried.get(keyOf({ script, kind, action, of: this.#of, most: finite(most), step }));
    if (tried === undefined || tried.findings.length > 0) return undefined;
    const { failed, refused, stopped, findings, next } = tried;
    return { script, kind, action, failed, refused, stopped, findings, next };
  }

  keep(tally: Tally, as: { most: number; step: number; seconds: number }): void {
    const line: TriedSeries = { ...tally, ...as, of: this.#of, most: finite(as.most) };
    if (this.#path !== undefined) appendFileSync(this.#path, `${JSON.stringify(line)}\n`);
  }
}

const finite = (most: number) => (Number.isFinite(most) ? most : null);

const LOST =
  /\bis lost|is not found in|are not there|: 404|lost its text| is not in \S+|the deleted \w+ \S+ is there|is not what/;
const TORN = /\btorn\b|integrity_check|not whole|cannot be (?:opened|read)/;

interface Row {
  /** Failed, each once. */
  calls: number;
  refused: number;
  lost: number;
  torn: number;
  other: number;
  /** Kinds of call that did not come to their end, or are still to begin. */
  open: string[];
}

const HEAD = ["calls", "refused", "succeeded", "lost", "torn", "other"].map((word) => word.padStart(10)).join("");

/**
 * By script and error, over all kinds of call: those that failed (each once), those of them that the client was told of,
 * and those that it need not know of; then what was found. `due`: every series that belongs to it, with what came of it.
 */
export function tableOf(due: readonly (TallyName & { tally: Tally | undefined })[]): string {
  const rows = new Map<string, Row>();
  for (const { script, kind, action, tally } of due) {
    const name = `${script.padEnd(13)} ${action.padEnd(7)}`;
    const row = rows.get(name) ?? { calls: 0, refused: 0, lost: 0, torn: 0, other: 0, open: [] };
    rows.set(name, row);
    if (tally === undefined || tally.next !== undefined) row.open.push(kind);
    row.calls += tally?.failed ?? 0;
    row.refused += tally?.refused ?? 0;
    for (const [finding = ""] of (tally?.findings ?? []).map((text) => text.split("\n")))
      row[LOST.test(finding) ? "lost" : TORN.test(finding) ? "torn" : "other"]++;
  }
  const lines = [...rows].map(([name, { calls, refused, lost, torn, other, open }]) => {
    const found = lost + torn + other;
    const figures = [calls, refused, Math.max(0, calls - refused - found), lost, torn, other];
    const rest = open.length === 0 ? "whole" : `not whole: ${open.join(", ")}`;
    return `${name}${figures.map((figure) => String(figure).padStart(10)).join("")}  ${rest}`;
  });
  return [`${"script".padEnd(13)} ${"error".padEnd(7)}${HEAD}`, ...lines].join("\n");
}
