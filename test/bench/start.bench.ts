import { startServer } from "../helpers/server.ts";
import { tempDir } from "../helpers/temp-dir.ts";
import { memoryOf, mebibytes } from "../helpers/process-memory.ts";
import { type Bench, median, round } from "./bench.ts";

export const start: Bench = {
  about: "from the start of the process to its ready line; median of 5 that take turns",
  minutes: 3,
  async run({ report }) {
    using dir = tempDir();
    const first: number[] = [];
    const again: number[] = [];
    const idle: number[] = [];
    for (let i = 0; i < 5; i++) {
      const dataDir = dir.join(`data-${i}`);
      for (const times of [first, again]) {
        await using server = await startServer({ dataDir });
        times.push(server.startMs);
        idle.push(memoryOf(server.pid).residentBytes);
        await server.stop();
      }
    }
    const row = (trial: string, times: readonly number[]) =>
      report({ trial, p50_ms: round(median(times)), slowest_ms: round(Math.max(...times)) });
    row("empty data directory (unpacks the native files)", first);
    row("existing data directory", again);
    report({ trial: "resident memory at the ready line", mib: mebibytes(median(idle)) });
  },
};
