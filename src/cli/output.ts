import type { Terminal } from "./terminal.ts";

/** What `--json` prints of one thing. */
export function printJson(terminal: Terminal, value: object): void {
  terminal.out(`${JSON.stringify(value, null, 2)}\n`);
}

/** Asks a person; false where the answer is not yes, or where nobody can be asked. */
export async function isConfirmed(terminal: Terminal, question: string): Promise<boolean> {
  const answer = await terminal.ask?.(`${question} [y/N] `);
  return /^y(es)?$/i.test(answer?.trim() ?? "");
}

/** `2026-11-30 14:05`, of this machine's time zone; a dash for never. */
export function shownTime(seconds: number | null | undefined): string {
  if (seconds === null || seconds === undefined) return "-";
  const at = new Date(seconds * 1000);
  const two = (n: number) => String(n).padStart(2, "0");
  const day = [at.getFullYear(), two(at.getMonth() + 1), two(at.getDate())].join("-");
  return `${day} ${two(at.getHours())}:${two(at.getMinutes())}`;
}

/** Lines of `name  value`, the values in one column. */
export function printFields(terminal: Terminal, fields: readonly (readonly [name: string, value: string])[]): void {
  const width = Math.max(...fields.map(([name]) => name.length));
  for (const [name, value] of fields) terminal.out(`${name.padEnd(width)}  ${value}\n`);
}
