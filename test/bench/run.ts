/**
 * `make bench`: how fast Lectern is, beside what it is made of and beside its peers, on the same data in the same run.
 *
 *   BENCH=search,http   only these;  BENCH_FULL=1  the largest sizes too;  BENCH_SMALL=1  small sizes, for trying out
 *   BENCH_INGEST_MB=100   so much text for the default model;  LECTERN_UNDER_TEST=source   the source instead of dist/lectern
 *
 * Each benchmark runs in a process of its own, so that none meets the memory or the compiled code of another. Prints a
 * table per benchmark and one JSON line per row, with the commit and the machine.
 */
import { type Bench, load, machine, type Machine, type Row, type Scale, type Value } from "./bench.ts";

const BENCHES: Record<string, () => Promise<Bench>> = {
  start: async () => (await import("./start.bench.ts")).start,
  restart: async () => (await import("./restart.bench.ts")).restart,
  cold: async () => (await import("./cold.bench.ts")).cold,
  ingest: async () => (await import("./ingest.bench.ts")).ingest,
  default: async () => (await import("./default.bench.ts")).defaultModel,
  embed: async () => (await import("./embed.bench.ts")).embed,
  rerank: async () => (await import("./rerank.bench.ts")).rerank,
  parse: async () => (await import("./parse.bench.ts")).parse,
  kernels: async () => (await import("./kernels.bench.ts")).kernels,
  search: async () => (await import("./search.bench.ts")).search,
  http: async () => (await import("./http.bench.ts")).http,
  cost: async () => (await import("./cost.bench.ts")).cost,
  threads: async () => (await import("./threads.bench.ts")).threads,
  answers: async () => (await import("./answers.bench.ts")).answers,
  load: async () => (await import("./load.bench.ts")).load,
  migrate: async () => (await import("./migrate.bench.ts")).migrate,
  vectors: async () => (await import("./vectors.bench.ts")).vectors,
  upload: async () => (await import("./upload.bench.ts")).upload,
  libraries: async () => (await import("./libraries.bench.ts")).libraries,
  cluster: async () => (await import("./cluster.bench.ts")).cluster,
  engine: async () => (await import("./engine.bench.ts")).engine,
  peers: async () => (await import("./peers.bench.ts")).peers,
};

/** Lines of a child that are not for people. */
const ROW = "\u0001row ";
const NOTE = "\u0001note ";
const FULL_FACTOR = 5;

const { env } = process;
const scale: Scale = env["BENCH_SMALL"] === "1" ? "small" : env["BENCH_FULL"] === "1" ? "full" : "normal";

const [verb, name = ""] = process.argv.slice(2);
if (verb === "--one") await runOne(name);
else process.exit(await runAll());

async function runOne(which: string): Promise<never> {
  const bench = await BENCHES[which]?.();
  if (bench === undefined) throw new Error(`no benchmark is called ${which}`);
  await bench.run({
    scale,
    report: (row) => console.log(ROW + JSON.stringify(row)),
    note: (text) => console.log(NOTE + text),
  });
  process.exit(0);
}

async function runAll(): Promise<number> {
  const asked = env["BENCH"]?.split(",").filter((one) => one !== "");
  const names = asked ?? Object.keys(BENCHES);
  const unknown = names.filter((one) => !(one in BENCHES));
  if (unknown.length > 0) {
    console.error(`BENCH: ${unknown.join(", ")} is not among ${Object.keys(BENCHES).join(", ")}.`);
    return 2;
  }
  const where = await machine();
  console.log(
    `${where.cpu}, ${where.cores} cores, Bun ${where.bun}, commit ${where.commit}, ${where.lectern}, ${scale} sizes`,
  );
  if (load() > where.cores / 2) {
    console.log(`The machine is busy (load ${load().toFixed(1)}): these figures are worse than what it can do.`);
  }
  let failed = 0;
  for (const one of names) if (!(await runChild(one, where))) failed++;
  if (failed > 0) console.error(`${failed} of ${names.length} benchmarks failed.`);
  return failed === 0 ? 0 : 1;
}

/** Runs a benchmark to its end or its limit; everything that it started ends with it. */
async function runChild(which: string, where: Machine): Promise<boolean> {
  const bench = await BENCHES[which]?.();
  if (bench === undefined) return false;
  console.log(`\n## ${which}: ${bench.about}`);
  const minutes = bench.minutes * (scale === "full" ? FULL_FACTOR : 1);
  const started = performance.now();
  const child = Bun.spawn([process.execPath, import.meta.path, "--one", which], {
    env,
    stdin: "ignore",
    stdout: "pipe",
    stderr: "inherit",
    // A process group of its own, for its servers.
    detached: true,
  });
  const end = () => {
    try {
      process.kill(-child.pid, "SIGKILL");
    } catch {
      // All of them have ended.
    }
  };
  process.once("SIGINT", end);
  process.once("SIGTERM", end);
  const timer = setTimeout(end, minutes * 60_000);
  const rows: Row[] = [];
  const notes: string[] = [];
  for await (const line of linesOf(child.stdout)) {
    if (line.startsWith(ROW)) {
      const row = JSON.parse(line.slice(ROW.length)) as Row;
      rows.push(row);
      console.log(JSON.stringify({ bench: which, ...row, ...where, scale }));
    } else if (line.startsWith(NOTE)) notes.push(line.slice(NOTE.length));
    else console.log(line);
  }
  const code = await child.exited;
  clearTimeout(timer);
  process.off("SIGINT", end);
  process.off("SIGTERM", end);
  end();
  const columnsOf = (row: Row) => Object.keys(row).join(" ");
  for (const [, alike] of Map.groupBy(rows, columnsOf)) console.log(`\n${table(alike)}`);
  for (const note of notes) console.log(`- ${note}`);
  const seconds = Math.round((performance.now() - started) / 1000);
  if (code === 0) console.log(`(${seconds} s)`);
  else console.error(code === 137 ? `${which}: stopped after ${seconds} s` : `${which}: FAILED (${code})`);
  return code === 0;
}

async function* linesOf(stream: ReadableStream<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let rest = "";
  for await (const piece of stream) {
    const lines = (rest + decoder.decode(piece, { stream: true })).split("\n");
    rest = lines.pop() ?? "";
    yield* lines;
  }
  if (rest !== "") yield rest;
}

/** Columns in the order in which they first appear; numbers to the right. */
function table(rows: readonly Row[]): string {
  const columns = [...new Set(rows.flatMap((row) => Object.keys(row)))];
  const shown = (value: Value | undefined) => (value === undefined || value === null ? "" : String(value));
  const widths = columns.map((column) => Math.max(column.length, ...rows.map((row) => shown(row[column]).length)));
  const isNumber = columns.map((column) => rows.every((row) => typeof (row[column] ?? 0) === "number"));
  const line = (cells: readonly string[]) =>
    cells
      .map((cell, i) => (isNumber[i] ? cell.padStart(widths[i] ?? 0) : cell.padEnd(widths[i] ?? 0)))
      .join("  ")
      .trimEnd();
  return [line(columns), ...rows.map((row) => line(columns.map((column) => shown(row[column]))))].join("\n");
}
