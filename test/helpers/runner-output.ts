/** What Bun's test runner printed: its closing numbers, what failed, and for lack of what something was skipped. */
import { LACKING } from "./lacks.ts";

export interface Totals {
  passed: number;
  failed: number;
  skipped: number;
  /** Programs and rights that skipped tests wanted. */
  lacking: string[];
}

/** What the runner printed of each failed test, by the file that it named before. */
export function failuresByFile(output: string, shownLines: number): Map<string, string[]> {
  const byFile = new Map<string, string[]>();
  let file: string | undefined;
  let block: string[] = [];
  for (const line of Bun.stripANSI(output).split("\n")) {
    const header = /^(\S+\.test\.ts):$/.exec(line)?.[1];
    if (header !== undefined) {
      file = header;
      block = [];
    }
    block.push(line);
    if (file !== undefined && line.startsWith("(fail)")) {
      byFile.set(file, [...(byFile.get(file) ?? []), block.slice(-shownLines).join("\n")]);
      block = [];
    }
  }
  return byFile;
}

export function readTotals(output: string): Totals {
  const plain = Bun.stripANSI(output);
  const last = (word: string) => Number([...plain.matchAll(new RegExp(`^\\s*(\\d+) ${word}$`, "gm"))].at(-1)?.[1] ?? 0);
  const lacking = [...plain.matchAll(new RegExp(`^${LACKING}: (.+)$`, "gm"))].map((match) => match[1] ?? "");
  return { passed: last("pass"), failed: last("fail"), skipped: last("skip") + last("todo"), lacking };
}

/** `1800 passed, 0 failed, 3 skipped for lack of a program: antiword, catdoc` */
export function lastLine({ passed, failed, skipped, lacking }: Totals, unsteady: number): string {
  const names = [...new Set(lacking)].toSorted((a, b) => (a < b ? -1 : 1)).join(", ");
  const parts = [
    `${passed} passed`,
    `${failed} failed`,
    ...(unsteady > 0 ? [`${unsteady} passed only when run again`] : []),
    ...(skipped > 0 ? [`${skipped} skipped for lack of a program: ${names}`] : []),
  ];
  return parts.join(", ");
}
