import { expect, test } from "bun:test";
import { createPullDisplay } from "./pull-progress.ts";
import type { Terminal } from "./terminal.ts";

function terminal(isTerminal: boolean): { terminal: Terminal; text: () => string } {
  let text = "";
  return {
    terminal: {
      out: () => {},
      err: (more) => void (text += more),
      outIsTerminal: isTerminal,
      errIsTerminal: isTerminal,
      columns: 200,
      color: false,
      env: {},
      signal: new AbortController().signal,
    },
    text: () => text,
  };
}

test("elsewhere than on a terminal, large files have a line now and then, with the time that is left", () => {
  const { terminal: own, text } = terminal(false);
  let now = 0;
  const display = createPullDisplay(own, { files: 2, bytes: 101_000_000 }, () => now);
  display.advance("config.json", 1_000_000);
  display.settle("config.json", 1_000_000);
  // Half of it is of an earlier run.
  display.advance("onnx/model.onnx", 50_000_000);
  now = 5000;
  display.advance("onnx/model.onnx", 60_000_000);
  now = 10_000;
  display.advance("onnx/model.onnx", 70_000_000);
  display.settle("onnx/model.onnx", 100_000_000);
  display.finish();
  expect(text()).toBe(
    "fetched config.json (1.0 MB)\n" +
      "[██████████████······]  1/2 files  71.0 MB of 101 MB  2.0 MB/s  0:15 left\n" +
      "fetched onnx/model.onnx (100 MB)\n",
  );
});

test("on a terminal nothing stays", () => {
  const { terminal: own, text } = terminal(true);
  const display = createPullDisplay(own, { files: 1, bytes: 10 }, () => 0);
  display.advance("config.json", 10);
  display.settle("config.json", 10);
  display.finish();
  expect(text()).toBe("\r\x1b[2K");
});
