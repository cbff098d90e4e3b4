/**
 * `make ocr-eval`: words wrong and time a page, the engine inside beside the machine's `tesseract`, as a table and one
 * JSON line a row.
 */
import { cpus } from "node:os";
import type { OcrEngine } from "../../src/workers/ocr-engine.ts";
import { bundledEngine, nativeEngine, readPage } from "./engines.ts";
import { trialPages } from "./pages.ts";

interface Row {
  page: string;
  engine: string;
  word_error_rate: number;
  seconds: number;
}

const WIDTHS = [26, 9, 8, 8] as const;
const line = (cells: readonly string[]) => cells.map((cell, i) => cell.padEnd(WIDTHS[i] ?? 0)).join("  ");

async function run(): Promise<void> {
  await using bundled = bundledEngine();
  await using native = nativeEngine();
  const engines: [string, OcrEngine][] = [
    ["inside", bundled],
    ...(native === null ? [] : [["native", native] as [string, OcrEngine]]),
  ];
  if (native === null) console.log("there is no tesseract on this machine: the engine inside alone");
  const [first] = trialPages();
  // Loading the engine is no page's time.
  if (first !== undefined) await readPage(bundled, first);
  console.log(line(["page", "engine", "errors", "seconds"]));
  const rows: Row[] = [];
  for (const page of trialPages()) {
    for (const [name, engine] of engines) {
      const { errors, ms } = await readPage(engine, page);
      const row: Row = { page: page.name, engine: name, word_error_rate: round(errors), seconds: round(ms / 1000) };
      rows.push(row);
      console.log(line([row.page, name, `${(errors * 100).toFixed(1)} %`, row.seconds.toFixed(2)]));
    }
  }
  for (const [name] of engines) {
    const own = rows.filter((row) => row.engine === name);
    const mean = (of: (row: Row) => number) => own.reduce((sum, row) => sum + of(row), 0) / own.length;
    const words = `${(mean((row) => row.word_error_rate) * 100).toFixed(1)} %`;
    console.log(line(["mean", name, words, mean((row) => row.seconds).toFixed(2)]));
  }
  const commit = (await Bun.$`git rev-parse --short=12 HEAD`.quiet().nothrow().text()).trim();
  const machine = `${cpus().length} x ${cpus()[0]?.model ?? "unknown"}`;
  for (const row of rows) console.log(JSON.stringify({ suite: "ocr", ...row, commit, machine }));
}

const round = (value: number) => Math.round(value * 10_000) / 10_000;

await run();
