import { PRODUCT_DEFAULT, startServer } from "../helpers/server.ts";
import { tempDir } from "../helpers/temp-dir.ts";
import { memoryOf, mebibytes } from "../helpers/process-memory.ts";
import { type Bench, median, round } from "./bench.ts";
import { BUNDLED, ENCODER } from "./models.ts";
import { steadyMemory } from "./server-data.ts";

const TURNS = { small: 1, normal: 5, full: 5 };
const MODELS: { model: string; env: Record<string, string> }[] = [
  { model: ENCODER, env: PRODUCT_DEFAULT },
  { model: BUNDLED, env: {} },
];

interface Figures {
  first: number[];
  again: number[];
  idle: number[];
  /** Once what is opened after the ready line is open. */
  steady: number[];
}

export const start: Bench = {
  about:
    "from the start of the process to its ready line, and its memory, with the default model and with the table of words; " +
    "median of 5 that take turns",
  minutes: 6,
  async run({ report, scale }) {
    using dir = tempDir();
    const figures = new Map<string, Figures>(
      MODELS.map(({ model }) => [model, { first: [], again: [], idle: [], steady: [] }]),
    );
    for (let turn = 0; turn < TURNS[scale]; turn++) {
      for (const { model, env } of MODELS) {
        const found = figures.get(model);
        const dataDir = dir.join(`data-${model}-${turn}`);
        for (const times of [found?.first, found?.again]) {
          await using server = await startServer({ dataDir, env });
          times?.push(server.startMs);
          found?.idle.push(memoryOf(server.pid).residentBytes);
          found?.steady.push(await steadyMemory(server.pid));
          await server.stop();
        }
      }
    }
    for (const [model, { first, again, idle, steady }] of figures) {
      const row = (trial: string, times: readonly number[]) =>
        report({ trial, model, p50_ms: round(median(times)), slowest_ms: round(Math.max(...times)) });
      row("empty data directory (unpacks the native files)", first);
      row("existing data directory", again);
      report({ trial: "resident memory at the ready line", model, mib: mebibytes(median(idle)) });
      report({ trial: "resident memory when it grows no more", model, mib: mebibytes(median(steady)) });
    }
  },
};
