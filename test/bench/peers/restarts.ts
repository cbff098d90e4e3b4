/** From kill -9 to the first right answer, and the first search in a store that was not opened since the start. */
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { type BenchContext, median, percentile, round } from "../bench.ts";
import { ratios } from "../ratios.ts";
import { makeData, vectorOf } from "./engine.ts";
import { answersOf, type Entrant, type Field, loaded } from "./field.ts";
import type { Asked } from "./searches.ts";
import { ratioOf } from "./searches.ts";

const MOST_MS = 120_000;

/** Turn by turn, each engine is killed and started, with what it had read of its files in the page cache and without. */
export async function restarts(
  context: BenchContext,
  field: Field,
  asked: Asked,
  cores: readonly number[] | null,
): Promise<void> {
  const exact = asked.exact.get("all") ?? [];
  const questions = new Map<string, number>();
  await field.each("its answers", async (entrant) => {
    if (entrant.running === null) return;
    const contender = { name: entrant.engine.name, entrant, searching: entrant.running };
    const { right } = await answersOf(contender, asked.queries, "all", exact);
    if (right[0] === undefined) throw new Error("no first answer of it is right");
    questions.set(entrant.engine.name, right[0]);
  });
  for (const cache of ["warm", "cold"]) {
    const taken = new Map<string, number[]>();
    for (let turn = 0; turn < asked.turns; turn++) {
      await field.each(
        "a kill",
        async (entrant) => {
          await entrant.running?.kill();
          if (cache === "cold") await forget(join(entrant.dir, "data"));
          const question = questions.get(entrant.engine.name) ?? 0;
          const ms = await firstRight(entrant, asked.queries[question]!, exact[question]?.[0] ?? -1, cores);
          taken.set(entrant.engine.name, [...(taken.get(entrant.engine.name) ?? []), ms]);
        },
        turn,
      );
    }
    report(context, field, taken, {
      trial: `kill -9 to the first right answer, its files ${cache === "cold" ? "not " : ""}in the page cache`,
      vectors: asked.vectors,
      on_cores: asked.cores,
    });
  }
}

/** Milliseconds from the start of the process. */
async function firstRight(
  entrant: Entrant,
  query: Float32Array,
  wanted: number,
  cores: readonly number[] | null,
): Promise<number> {
  const started = performance.now();
  const running = await entrant.engine.start({ dir: entrant.dir, cores });
  entrant.running = running;
  for (;;) {
    const found = await running.find(entrant.collection, query, "all").catch(() => []);
    const ms = performance.now() - started;
    if (found[0] === wanted) return ms;
    if (ms > MOST_MS) throw new Error(`no right answer within ${MOST_MS / 1000} s`);
    await Bun.sleep(2);
  }
}

/** Takes the pages of a folder's files out of the page cache, as far as nobody maps them. */
async function forget(dir: string): Promise<void> {
  const files = readdirSync(dir, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  for (const file of files) {
    await Bun.$`dd if=${join(file.parentPath, file.name)} iflag=nocache count=0 status=none`.quiet().nothrow();
  }
}

/** Many stores, of which each is searched once after a start: how long the first answer takes. */
export async function coldStores(
  context: BenchContext,
  field: Field,
  { stores, vectors, cores }: { stores: number; vectors: number; cores: readonly number[] | null },
): Promise<void> {
  const all = Array.from({ length: stores + 1 }, (_, i) => makeData(100 + i, vectors));
  const names = new Map<string, string[]>();
  await field.restart(cores);
  await field.each("loading many stores", async ({ engine, running }) => {
    for (const [i, data] of all.entries()) {
      if (running === null) return;
      const { collection } = await loaded(running, `many${i}`, data);
      names.set(engine.name, [...(names.get(engine.name) ?? []), collection]);
    }
    await running?.settled("");
  });
  await field.restart(cores);
  const taken = new Map<string, number[]>();
  for (const [i, data] of all.entries()) {
    await field.each(
      "a first search",
      async ({ engine, running }) => {
        const query = vectorOf(data, i % vectors);
        const collection = names.get(engine.name)?.[i] ?? "";
        const load = { share: "all", clients: 1, seconds: 0 } as const;
        const { times } = (await running?.drive(collection, [query], load)) ?? { times: [] };
        // The first store of all is for what a server does only once.
        if (i > 0) taken.set(engine.name, [...(taken.get(engine.name) ?? []), ...times]);
      },
      i,
    );
  }
  report(context, field, taken, {
    trial: `first search in one of ${stores} stores after a start`,
    vectors,
    on_cores: cores?.length ?? null,
  });
}

function report(
  context: BenchContext,
  field: Field,
  taken: ReadonlyMap<string, readonly number[]>,
  about: { trial: string; vectors: number; on_cores: number | null },
): void {
  const ours = taken.get(field.entrants[0]?.engine.name ?? "") ?? [];
  for (const { engine, version } of field.entrants) {
    const times = taken.get(engine.name) ?? [];
    const { trial, ...rest } = about;
    context.report({
      trial,
      engine: engine.name,
      version,
      how: engine.how,
      ...rest,
      p50_ms: round(median(times)),
      p99_ms: round(percentile(times, 99)),
      ...ratioOf(ratios(ours, times)),
    });
  }
}
