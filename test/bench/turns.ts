/**
 * `make bench-turns OTHER=<checkout>`: the benchmarks of this checkout and of another one, in turns on the same machine.
 *
 *   BENCH=search,http  only these   ROUNDS=10  turns of each   BENCH_NORMAL=1  normal sizes instead of small ones
 *
 * Each checkout measures itself with its own binary and its own benchmarks; a round runs both, the first one changing.
 * Of every figure that both report it prints the geometric mean of the ratios this : other, with the 95 % interval of
 * Student's t over the rounds' logarithms. `worse` stands where the whole interval lies beyond the bound.
 */
import { ROOT } from "../helpers/server.ts";
import { interval } from "./ratios.ts";

/** A ratio up to here counts as equal. */
const BOUND = 1.03;
const DEFAULT_ROUNDS = 10;
const BENCHES = "start,ingest,embed,rerank,parse,search,http,load,migrate,upload";
/** Of figures of which more is better. */
const MORE_IS_BETTER = /_per_s|_per_cpu_s|per_second|recall|rate|throughput|mib_s|share|of_raw/;
/** Figures of time, rate and size; others are counts and settings. */
const COMPARED = /_ms$|_us$|_s$|_mib$|_bytes$|per_s|recall|of_raw|share/;

type Figures = Map<string, number>;

const { env } = process;
const other = process.argv[2] ?? "";
if (other === "") {
  console.error("Say which checkout to compare with: make bench-turns OTHER=../before");
  process.exit(2);
}
const rounds = Number(env["ROUNDS"] ?? DEFAULT_ROUNDS);
let figures = 0;
let worse = 0;
// A row as soon as it is known: a series that is broken off has not been for nothing.
for (const bench of (env["BENCH"] ?? BENCHES).split(",")) {
  for (const [name, all] of await ratiosOf(bench)) {
    const { mean, low, high } = interval(all);
    const isWorse = low > BOUND;
    figures++;
    if (isWorse) worse++;
    const [ratio, least, most] = [mean, low, high].map((value) => Number(value.toFixed(3)));
    console.log(JSON.stringify({ figure: name, ratio, low: least, high: most, n: all.length, worse: isWorse }));
  }
}
console.log(
  `${figures} figures, ${worse} worse than ${BOUND} (ratios above 1 are to the disadvantage of this checkout)`,
);

/** The ratios of every figure of a benchmark, one a round. */
async function ratiosOf(bench: string): Promise<Map<string, number[]>> {
  const ratios = new Map<string, number[]>();
  for (let round = 0; round < rounds; round++) {
    const order = round % 2 === 0 ? [ROOT, other] : [other, ROOT];
    const measured = new Map<string, Figures>();
    for (const checkout of order) measured.set(checkout, await figuresOf(checkout, bench));
    const theirs = measured.get(other) ?? new Map<string, number>();
    for (const [name, ours] of measured.get(ROOT) ?? []) {
      const their = theirs.get(name);
      if (their === undefined || !(their > 0) || !(ours > 0)) continue;
      const ratio = MORE_IS_BETTER.test(name) ? their / ours : ours / their;
      ratios.set(name, [...(ratios.get(name) ?? []), ratio]);
    }
    console.error(`${bench}: round ${round + 1} of ${rounds}`);
  }
  return ratios;
}

/** Runs one benchmark of a checkout; figures are called by benchmark, trial and column. */
async function figuresOf(checkout: string, bench: string): Promise<Figures> {
  const child = Bun.spawn([process.execPath, "test/bench/run.ts"], {
    cwd: checkout,
    env: { ...env, BENCH: bench, ...(env["BENCH_NORMAL"] === "1" ? {} : { BENCH_SMALL: "1" }) },
    stdin: "ignore",
    stdout: "pipe",
    stderr: "ignore",
  });
  const figures: Figures = new Map();
  for (const line of (await child.stdout.text()).split("\n")) {
    if (!line.startsWith("{")) continue;
    const row = JSON.parse(line) as Record<string, unknown>;
    const said = Object.entries(row).filter(([key, value]) => typeof value === "string" && key !== "commit");
    const trial = said.map(([, value]) => value).join(" ");
    for (const [key, value] of Object.entries(row))
      if (typeof value === "number" && COMPARED.test(key)) figures.set(`${trial} ${key}`, value);
  }
  await child.exited;
  return figures;
}
