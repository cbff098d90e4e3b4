import { expect, test } from "bun:test";
import { createProgress } from "./progress.ts";
import type { Terminal } from "./terminal.ts";

function fakeTerminal(errIsTerminal: boolean, columns = 100): { terminal: Terminal; written: () => string } {
  let written = "";
  const terminal: Terminal = {
    out: () => {},
    err: (text) => (written += text),
    outIsTerminal: false,
    errIsTerminal,
    columns,
    color: false,
    env: {},
    signal: new AbortController().signal,
  };
  return { terminal, written: () => written };
}

test("without a terminal every file that was worked on is one line", () => {
  const { terminal, written } = fakeTerminal(false);
  const progress = createProgress(terminal, { files: 3, bytes: 30 }, () => 0);
  progress.settle({ key: "a.md", bytes: 10 }, { kind: "indexed" });
  progress.settle({ key: "b.md", bytes: 10 }, { kind: "unchanged" });
  progress.settle({ key: "c\x1b[2J.pdf", bytes: 10 }, { kind: "failed", reason: "It is\nempty." });
  progress.finish();
  expect(written()).toBe("indexed a.md\nfailed c [2J.pdf: It is empty.\n");
  expect(progress.counts).toEqual({ indexed: 1, unchanged: 1, moved: 0, failed: 1, bytes: 30 });
});

test("on a terminal one line moves, with counts, rate and the time left, and is taken away at the end", () => {
  const { terminal, written } = fakeTerminal(true);
  let nowMs = 0;
  const progress = createProgress(terminal, { files: 4, bytes: 4_000_000 }, () => nowMs);
  nowMs = 2000;
  progress.settle({ key: "a", bytes: 1_000_000 }, { kind: "indexed" });
  expect(written().split("\r\x1b[2K").at(-1)).toBe(
    "[█████···············]  1/4 files  1.0 MB of 4.0 MB  500 kB/s  0:06 left",
  );
  progress.finish();
  expect(written()).toEndWith("\r\x1b[2K");
});

test("what was recognised as unchanged does not speed the estimate up, and the line fits a narrow terminal", () => {
  const { terminal, written } = fakeTerminal(true, 40);
  const progress = createProgress(terminal, { files: 2, bytes: 2000 }, () => 1000);
  progress.settle({ key: "a", bytes: 1000 }, { kind: "unchanged" });
  const line = written().split("\r\x1b[2K").at(-1) ?? "";
  expect(Bun.stringWidth(line)).toBeLessThan(40);
  expect(line).not.toContain("left");
  progress.finish();
});

test("the line moves within a large file, and a file counts once when it is done", () => {
  const { terminal, written } = fakeTerminal(true);
  const progress = createProgress(terminal, { files: 2, bytes: 2_000_000 }, () => 1000);
  const large = { key: "large", bytes: 1_900_000 };
  progress.advance(large, 0.5);
  progress.settle({ key: "small", bytes: 100_000 }, { kind: "indexed" });
  expect(written().split("\r\x1b[2K").at(-1)).toContain("1/2 files  1.1 MB of 2.0 MB");
  progress.settle(large, { kind: "indexed" });
  expect(written().split("\r\x1b[2K").at(-1)).toContain("[████████████████████]  2/2 files  2.0 MB of 2.0 MB");
  progress.finish();
});
