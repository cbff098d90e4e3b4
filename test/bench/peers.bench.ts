import { cpus } from "node:os";
import { tempDir } from "../helpers/temp-dir.ts";
import { mebibytes } from "../helpers/process-memory.ts";
import { type Bench, type BenchContext, round } from "./bench.ts";
import { bruteForce } from "./corpus.ts";
import { ratios } from "./ratios.ts";
import { chroma } from "./peers/chroma.ts";
import { type Data, type Engine, K, keeps, makeData, makeQueries, SHARES } from "./peers/engine.ts";
import { Field, loaded } from "./peers/field.ts";
import { lancedb, sqliteVec, usearch } from "./peers/hosted.ts";
import { lectern } from "./peers/lectern.ts";
import { pgvector } from "./peers/pgvector.ts";
import { canPin, diskBytes, memoryOfTree, pinSelf } from "./peers/processes.ts";
import { coldStores, restarts } from "./peers/restarts.ts";
import { ratioOf, searches } from "./peers/searches.ts";
import { solr } from "./peers/solr.ts";

/** Lectern first: the ratios are to it. */
const ENGINES: readonly Engine[] = [lectern, chroma, pgvector, solr, lancedb, usearch, sqliteVec];
const SIZES = { small: [2000], normal: [10_000, 50_000], full: [10_000, 50_000, 100_000] };
const QUERIES = 100;
const SEED = 11;

/**
 *   PEERS=Lectern,Chroma  only these engines   PEERS_SIZES=10000,50000   PEERS_CORES=1,2   PEERS_TURNS=10
 *   PEERS_SECONDS=0.5  of every engine in every trial of a turn   PEERS_STORES=40  for the first search in one of many
 *   LECTERN_UNDER_TEST=path  another executable
 */
interface Settings {
  engines: readonly Engine[];
  sizes: readonly number[];
  cores: readonly number[];
  turns: number;
  seconds: number;
  stores: number;
}

export const peers: Bench = {
  about:
    "the same vectors (256 dimensions, with a text and two attributes) in Lectern and in other engines, each as a server or " +
    "a process of its own with its default settings, in turns; ratio is of Lectern's time to the other's",
  minutes: 60,
  async run(context) {
    const settings = settingsOf(context);
    const engines = await installed(context, settings.engines);
    for (const count of settings.sizes) await ofSize(context, settings, engines, count);
    if (settings.stores === 0) return;
    using dir = tempDir();
    await using field = Field.entered(context, engines, dir.path);
    const vectors = context.scale === "small" ? 200 : 1000;
    await coldStores(context, field, { stores: settings.stores, vectors, cores: coresOf(settings.cores.at(-1) ?? 1) });
  },
};

function settingsOf({ scale, note }: BenchContext): Settings {
  const { env } = process;
  const list = (name: string) => env[name]?.split(",").filter((one) => one !== "");
  const wanted = list("PEERS");
  const isSmall = scale === "small";
  const all = cpus().length;
  const powers = Array.from({ length: Math.ceil(Math.log2(all)) }, (_, i) => 2 ** i);
  if (!canPin()) note("without taskset there is no choice of cores: all rows are of all of them");
  return {
    engines: ENGINES.filter(({ name }) => wanted === undefined || wanted.includes(name) || name === lectern.name),
    sizes: list("PEERS_SIZES")?.map(Number) ?? SIZES[scale],
    cores: canPin() ? (list("PEERS_CORES")?.map(Number) ?? [...powers, all]) : [all],
    turns: Number(env["PEERS_TURNS"] ?? (isSmall ? 2 : 10)),
    seconds: Number(env["PEERS_SECONDS"] ?? (isSmall ? 0.1 : 0.5)),
    stores: Number(env["PEERS_STORES"] ?? (isSmall ? 5 : 40)),
  };
}

/** Those that can be had here, with their versions. */
async function installed(context: BenchContext, engines: readonly Engine[]): Promise<(readonly [Engine, string])[]> {
  const found: (readonly [Engine, string])[] = [];
  for (const engine of engines) {
    try {
      found.push([engine, await engine.install()]);
    } catch (error) {
      context.note(`${engine.name} left out: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
  return found;
}

/** The first so many cores; null where they cannot be chosen. */
function coresOf(count: number): number[] | null {
  return canPin() ? Array.from({ length: count }, (_, i) => i) : null;
}

/** The load generator has the other cores, and all of them where there are no others. */
async function pinClient(servers: number): Promise<void> {
  const all = cpus().length;
  const rest = Array.from({ length: all }, (_, i) => i).slice(servers === all ? 0 : servers);
  if (canPin()) await pinSelf(rest);
}

async function ofSize(
  context: BenchContext,
  settings: Settings,
  engines: readonly (readonly [Engine, string])[],
  count: number,
): Promise<void> {
  using dir = tempDir();
  const data = makeData(SEED, count);
  const queries = makeQueries(SEED, data, QUERIES);
  const exact = new Map(
    SHARES.map((share) => [share, queries.map((query) => bruteForce(data.flat, query, K, (at) => keeps(share, at)))]),
  );
  await using field = Field.entered(context, engines, dir.path);
  const all = settings.cores.at(-1) ?? 1;
  await pinClient(all);
  await field.restart(coresOf(all));
  await load(context, field, data, all);
  for (const cores of settings.cores) {
    await pinClient(cores);
    await field.restart(coresOf(cores));
    const asked = { vectors: count, cores, turns: settings.turns, seconds: settings.seconds, queries, exact };
    await searches(context, field, asked);
    if (cores !== all) continue;
    await memory(context, field, count);
    await restarts(context, field, asked, coresOf(cores));
  }
}

async function load(context: BenchContext, field: Field, data: Data, cores: number): Promise<void> {
  let ours: number | null = null;
  await field.each("loading", async (entrant) => {
    const { engine, running, version, dir } = entrant;
    if (running === null) return;
    const { ms, collection } = await loaded(running, "items", data);
    entrant.collection = collection;
    ours ??= ms;
    await running.settled(collection);
    const bytes = await diskBytes(`${dir}/data`);
    context.report({
      trial: "load, from the first byte sent to the last vector found",
      engine: engine.name,
      version,
      how: engine.how,
      vectors: data.count,
      on_cores: cores,
      load_s: round(ms / 1000),
      vectors_per_s: Math.round(data.count / (ms / 1000)),
      ratio: ratioOf(ratios([ours], [ms])).ratio,
      disk_mib: mebibytes(bytes),
    });
  });
}

async function memory({ report }: BenchContext, field: Field, vectors: number): Promise<void> {
  await field.each("its memory", (entrant) => {
    const { engine, running, version } = entrant;
    if (running === null) return Promise.resolve();
    const { residentBytes, anonymousBytes } = memoryOfTree(running.pid);
    report({
      trial: "memory after a restart and the searches",
      engine: engine.name,
      version,
      how: engine.how,
      vectors,
      memory_mib: mebibytes(residentBytes),
      anonymous_mib: mebibytes(anonymousBytes),
    });
    return Promise.resolve();
  });
}
