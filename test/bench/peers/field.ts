/** The engines that take part in a run: one that fails is left out from there on, by name, and the others go on. */
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { recall } from "../corpus.ts";
import { type BenchContext, mean } from "../bench.ts";
import { rotated } from "../ratios.ts";
import { type Data, type Engine, type Running, type Searching, type Share, vectorOf } from "./engine.ts";
import { waitFor } from "../../helpers/wait.ts";

/** An engine with a folder of its own, and its process while it runs. */
export interface Entrant {
  engine: Engine;
  version: string;
  dir: string;
  running: Running | null;
  collection: string;
}

/** What is searched: an engine, or an engine with other settings. */
export interface Contender {
  name: string;
  entrant: Entrant;
  searching: Searching;
}

export class Field {
  readonly #context: BenchContext;
  #entrants: Entrant[];

  private constructor(context: BenchContext, entrants: Entrant[]) {
    this.#context = context;
    this.#entrants = entrants;
  }

  static entered(context: BenchContext, engines: readonly (readonly [Engine, string])[], dir: string): Field {
    const entrants = engines.map(([engine, version], i): Entrant => {
      const own = join(dir, String(i));
      mkdirSync(own);
      return { engine, version, dir: own, running: null, collection: "" };
    });
    return new Field(context, entrants);
  }

  get entrants(): readonly Entrant[] {
    return this.#entrants;
  }

  contenders(turn = 0): Contender[] {
    return rotated(this.#entrants, turn).flatMap((entrant) => {
      const { running, engine } = entrant;
      if (running === null) return [];
      const also = [...(running.also ?? [])].map(([name, searching]) => ({ name, entrant, searching }));
      return [{ name: engine.name, entrant, searching: running }, ...also];
    });
  }

  /** Does it for each that is left, one after another, beginning with another one each turn. */
  async each(what: string, act: (entrant: Entrant) => Promise<void>, turn = 0): Promise<void> {
    for (const entrant of rotated(this.#entrants, turn)) {
      try {
        await act(entrant);
      } catch (error) {
        await this.#leave(entrant, what, error);
      }
    }
  }

  async eachContender(what: string, turn: number, act: (contender: Contender) => Promise<void>): Promise<void> {
    for (const contender of this.contenders(turn)) {
      if (!this.#entrants.includes(contender.entrant)) continue;
      try {
        await act(contender);
      } catch (error) {
        await this.#leave(contender.entrant, what, error);
      }
    }
  }

  async #leave(entrant: Entrant, what: string, error: unknown): Promise<void> {
    const reason = error instanceof Error ? error.message : String(error);
    this.#context.note(`${entrant.engine.name} left out after ${what}: ${reason}`);
    this.#entrants = this.#entrants.filter((one) => one !== entrant);
    await entrant.running?.[Symbol.asyncDispose]();
    entrant.running = null;
  }

  /** Starts each on these cores, after an orderly end of what ran. */
  async restart(cores: readonly number[] | null): Promise<void> {
    await this.each("its start", async (entrant) => {
      await entrant.running?.stop();
      entrant.running = await entrant.engine.start({ dir: entrant.dir, cores });
      await entrant.running.ready();
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const { running } of this.#entrants) await running?.[Symbol.asyncDispose]();
  }
}

/** Puts data in and waits until the last of it is found. Resolves to milliseconds, and what the collection is called. */
export async function loaded(running: Running, name: string, data: Data): Promise<{ ms: number; collection: string }> {
  const last = data.count - 1;
  const started = performance.now();
  const collection = await running.load(name, data);
  await waitFor(
    "the last vector is found",
    async () => (await running.find(collection, vectorOf(data, last), "all"))[0] === last || undefined,
  );
  return { ms: performance.now() - started, collection };
}

/** The mean share of the exact answers that a contender gives, and of which queries its first answer is right. */
export async function answersOf(
  { searching, entrant }: Contender,
  queries: readonly Float32Array[],
  share: Share,
  exact: readonly (readonly number[])[],
): Promise<{ recall: number; right: number[] }> {
  const recalls: number[] = [];
  const right: number[] = [];
  for (const [i, query] of queries.entries()) {
    const found = await searching.find(entrant.collection, query, share);
    recalls.push(recall(found, exact[i] ?? []));
    if (found[0] !== undefined && found[0] === exact[i]?.[0]) right.push(i);
  }
  return { recall: mean(recalls), right };
}
