import { printable } from "./terminal.ts";
import type { Terminal } from "./terminal.ts";

/** Columns padded to their widest cell; the head goes to standard error, so that a pipe gets rows only. */
export function printTable(terminal: Terminal, head: readonly string[], rows: readonly (readonly string[])[]): void {
  const cells = rows.map((row) => row.map(printable));
  const widths = head.map((title, i) =>
    Math.max(...[title, ...cells.map((row) => row[i] ?? "")].map((cell) => Bun.stringWidth(cell))),
  );
  const line = (row: readonly string[]) =>
    `${row
      .map((cell, i) => cell + " ".repeat((widths[i] ?? 0) - Bun.stringWidth(cell)))
      .join("  ")
      .trimEnd()}\n`;
  terminal.err(line(head));
  for (const row of cells) terminal.out(line(row));
}
