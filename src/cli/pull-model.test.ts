import { expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { tempDir } from "../../test/helpers/temp-dir.ts";
import { startFakeHub } from "../models/hub/testing/fake-hub.ts";
import { parseArguments } from "./arguments.ts";
import { MODELS_FLAGS } from "./model-requests.ts";
import { pullModel, spaceProblem } from "./pull-model.ts";
import type { Terminal } from "./terminal.ts";

test("who is asked and says no is told that nothing was fetched, and nothing was", async () => {
  using dir = tempDir();
  const files = { "config.json": "{}", "tokenizer.json": "{}", "onnx/model.onnx": "graph", LICENSE: "\x1b[2J" };
  await using hub = await startFakeHub({ "acme/embed": { files, card: { license: "mit\x1b[31m" } } });
  let shown = "";
  const asked: string[] = [];
  const terminal: Terminal = {
    out: (text) => void (shown += text),
    err: (text) => void (shown += text),
    outIsTerminal: true,
    errIsTerminal: true,
    columns: 80,
    color: false,
    env: {},
    signal: new AbortController().signal,
    ask: (question) => {
      asked.push(question);
      return Promise.resolve("");
    },
  };
  const flags = ["--endpoint", hub.url, "--allow-private-addresses", "--data", dir.join("data")];
  const args = parseArguments(flags, MODELS_FLAGS);
  expect(await pullModel("acme/embed", args, terminal)).toBe(1);
  expect(asked).toEqual(["Fetch it? [y/N] "]);
  expect(shown).toContain("Nothing was fetched.");
  expect(shown).not.toContain("\x1b");
  expect([existsSync(dir.join("data")), hub.seen.length]).toEqual([false, 1]);
});

test("a disk without room for it is told before anything is fetched", () => {
  expect(spaceProblem("/data", 1_000_000_000, 2_000_000_000)).toBeNull();
  expect(spaceProblem("/data", 1_000_000_000, 1_200_000_000)).toBe(
    "There is too little space at /data: 1.0 GB and 268 MB to spare are needed, 1.2 GB are free.",
  );
});
