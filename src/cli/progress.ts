import { fitWidth, formatBytes, formatDuration, printable } from "./terminal.ts";
import type { Terminal } from "./terminal.ts";

export type Outcome =
  | { kind: "indexed" | "unchanged"; fileId?: string }
  /** Known under another path: nothing was indexed again. */
  | { kind: "moved"; from: string; fileId: string }
  /** `isPassing`: the server may take it another time. */
  | { kind: "failed"; reason: string; fileId?: string; isPassing?: true };

/** What happened to each file, shown while it happens: one moving line on a terminal, a line a file elsewhere. */
export interface Progress {
  /** Moves within a file that is being worked on: `share` of it, 0 to 1, is done. */
  advance(file: { key: string; bytes: number }, share: number): void;
  settle(file: { key: string; bytes: number }, outcome: Outcome): void;
  /** Takes the moving line away. */
  finish(): void;
  readonly counts: { indexed: number; unchanged: number; moved: number; failed: number; bytes: number };
  readonly failures: { key: string; reason: string }[];
}

const BAR_CELLS = 20;
const REDRAW_MS = 100;
/** No estimate before this share is done: the first file of eight in flight says little about the rest. */
const ESTIMATE_FROM = 0.1;

/** `[████····]` */
export function barOf(done: number, total: number): string {
  const filled = total === 0 ? BAR_CELLS : Math.round((BAR_CELLS * Math.min(done, total)) / total);
  return `[${"█".repeat(filled)}${"·".repeat(BAR_CELLS - filled)}]`;
}

/** What became of a file, for a person. */
export function outcomeLine(key: string, outcome: Outcome): string {
  const [before, after] = [
    outcome.kind === "moved" ? `${printable(outcome.from)} -> ` : "",
    outcome.kind === "failed" ? `: ${printable(outcome.reason)}` : "",
  ];
  return `${outcome.kind} ${before}${printable(key)}${after}\n`;
}

export function createProgress(
  terminal: Terminal,
  total: { files: number; bytes: number },
  nowMs: () => number,
): Progress {
  const counts = { indexed: 0, unchanged: 0, moved: 0, failed: 0, bytes: 0 };
  const failures: { key: string; reason: string }[] = [];
  const startedMs = nowMs();
  let unchangedBytes = 0;
  /** Bytes done of the files in flight. */
  const partial = new Map<string, number>();

  const line = () => {
    const done = counts.indexed + counts.unchanged + counts.moved + counts.failed;
    const seconds = Math.max(0.001, (nowMs() - startedMs) / 1000);
    // What was only recognised went fast and says nothing about the rest.
    const bytes = [...partial.values()].reduce((sum, one) => sum + one, counts.bytes);
    const rate = (bytes - unchangedBytes) / seconds;
    const left = total.bytes - bytes;
    const parts = [
      barOf(bytes, total.bytes),
      `${done}/${total.files} files`,
      `${formatBytes(bytes)} of ${formatBytes(total.bytes)}`,
      `${formatBytes(rate)}/s`,
      rate > 0 && left > 0 && bytes > total.bytes * ESTIMATE_FROM ? `${formatDuration(left / rate)} left` : "",
      counts.failed > 0 ? `${counts.failed} failed` : "",
    ];
    return fitWidth(parts.filter((part) => part !== "").join("  "), terminal.columns - 1);
  };
  const draw = () => terminal.err(`\r\x1b[2K${line()}`);
  const timer = terminal.errIsTerminal ? setInterval(draw, REDRAW_MS) : null;
  timer?.unref();

  return {
    counts,
    failures,
    advance(file, share) {
      partial.set(file.key, file.bytes * share);
    },
    settle(file, outcome) {
      partial.delete(file.key);
      counts[outcome.kind] += 1;
      counts.bytes += file.bytes;
      if (outcome.kind === "unchanged" || outcome.kind === "moved") unchangedBytes += file.bytes;
      if (outcome.kind === "failed") failures.push({ key: file.key, reason: outcome.reason });
      if (terminal.errIsTerminal) draw();
      else if (outcome.kind !== "unchanged") terminal.err(outcomeLine(file.key, outcome));
    },
    finish() {
      if (timer) clearInterval(timer);
      if (terminal.errIsTerminal) terminal.err("\r\x1b[2K");
    },
  };
}
