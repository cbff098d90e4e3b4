import { barOf } from "./progress.ts";
import { fitWidth, formatBytes, formatDuration, printable } from "./terminal.ts";
import type { Terminal } from "./terminal.ts";

/** How far a fetch is: one moving line on a terminal; elsewhere a line a file, and one now and then within a large file. */
export interface PullDisplay {
  advance(name: string, bytes: number): void;
  settle(name: string, bytes: number): void;
  /** Takes the moving line away. */
  finish(): void;
}

const REDRAW_MS = 100;
const LINE_MS = 10_000;
/** Before that an estimate says nothing. */
const ESTIMATE_AFTER_SECONDS = 1;

export function createPullDisplay(
  terminal: Terminal,
  total: { files: number; bytes: number },
  nowMs: () => number,
): PullDisplay {
  const startedMs = nowMs();
  const here = new Map<string, number>();
  let settled = 0;
  /** What a file begins with came at once, or in an earlier run, and says nothing about the rest. */
  let given = 0;
  let toldMs = startedMs;

  const line = () => {
    const bytes = [...here.values()].reduce((sum, one) => sum + one, 0);
    const seconds = (nowMs() - startedMs) / 1000;
    const rate = seconds > 0 ? (bytes - given) / seconds : 0;
    const left = total.bytes - bytes;
    const knows = rate > 0 && left > 0 && seconds > ESTIMATE_AFTER_SECONDS;
    const parts = [
      barOf(bytes, total.bytes),
      `${settled}/${total.files} files`,
      `${formatBytes(bytes)} of ${formatBytes(total.bytes)}`,
      rate > 0 ? `${formatBytes(rate)}/s` : "",
      knows ? `${formatDuration(left / rate)} left` : "",
    ];
    return parts.filter((part) => part !== "").join("  ");
  };
  const draw = () => terminal.err(`\r\x1b[2K${fitWidth(line(), terminal.columns - 1)}`);
  const timer = terminal.errIsTerminal ? setInterval(draw, REDRAW_MS) : null;
  timer?.unref();

  return {
    advance(name, bytes) {
      if (!here.has(name)) given += bytes;
      here.set(name, bytes);
      if (terminal.errIsTerminal || nowMs() - toldMs < LINE_MS) return;
      toldMs = nowMs();
      terminal.err(`${line()}\n`);
    },
    settle(name, bytes) {
      here.set(name, bytes);
      settled += 1;
      if (!terminal.errIsTerminal) terminal.err(`fetched ${printable(name)} (${formatBytes(bytes)})\n`);
    },
    finish() {
      if (timer) clearInterval(timer);
      if (timer) terminal.err("\r\x1b[2K");
    },
  };
}
