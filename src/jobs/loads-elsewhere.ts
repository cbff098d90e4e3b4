import { messageOf } from "../errors.ts";
import type { IndexLease } from "../index/registry.ts";
import type { Log } from "../platform/log.ts";
import type { Asked } from "../storage/asks.ts";
import type { GenerationRow } from "../storage/generations.ts";
import type { Storage } from "../storage/storage.ts";
import { Asks, type AsksDeps } from "./asks.ts";

export interface LoadsElsewhereDeps extends AsksDeps {
  storage: AsksDeps["storage"] & Pick<Storage, "generations">;
  log: Log;
  /** The index of a generation, with everything of it; null where nothing of its store is in memory here. */
  load(generation: GenerationRow): Promise<Pick<IndexLease, "release"> | null>;
  times?: Partial<LoadTimes>;
}

/** ms */
export interface LoadTimes {
  /** Others are waited for so long in all. */
  most: number;
  /** One that is asked says something within that: it looks when told, and with every beat. */
  answer: number;
  /** One that loads says so again within that. */
  word: number;
}

const TIMES: LoadTimes = { most: 60_000, answer: 6000, word: 5000 };
/** How often one that loads says so in the time that its word is good for. */
const WORDS = 3;

const LOADING = "loading";
const LOADED = "loaded";

/**
 * A generation that is about to go live is loaded first by the other servers of the database that have its store in memory,
 * so that no search of theirs waits for that afterwards. The server that makes it live asks all that are there, and waits:
 * for those that say that they load it, and no longer than {@link LoadTimes.most}. One that says nothing, or nothing any
 * more, is not waited for. What is loaded is kept in memory until the swap.
 *
 * It is for speed alone: a search waits for the index of the generation that its store's row names, as ever.
 */
export class LoadsElsewhere implements AsyncDisposable {
  readonly #deps: LoadsElsewhereDeps;
  readonly #times: LoadTimes;
  readonly #asks: Asks;
  /** By subject: one that is asked of twice is loaded once. */
  readonly #loading = new Map<string, Promise<void>>();

  constructor(deps: LoadsElsewhereDeps) {
    this.#deps = deps;
    this.#times = { ...TIMES, ...deps.times };
    this.#asks = new Asks(deps, "load");
  }

  start(): void {
    this.#asks.start(
      async (asked) => {
        for (const one of asked) this.#begin(one);
      },
      (error) => {
        this.#deps.log.debug("what other servers ask to be loaded was not looked at", { error: messageOf(error) });
      },
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#asks[Symbol.asyncDispose]();
    await Promise.all(this.#loading.values());
  }

  /** Resolves when the others have the generation, or are not waited for any more. */
  async wait(generation: Pick<GenerationRow, "id" | "tenant_id">, signal: AbortSignal): Promise<void> {
    const { most: mostMs, answer: answerMs } = this.#times;
    const about = { tenantId: generation.tenant_id, subject: String(generation.id), question: "" };
    let waiting = 0;
    const isOver = (said: ReadonlyMap<string, string | null>) =>
      (waiting = [...said.values()].filter((one) => one !== LOADED).length) === 0;
    await this.#asks.ask({ ...about, answerMs, mostMs, isOver }, signal);
    if (waiting > 0 && !signal.aborted && !this.#asks.ended.aborted)
      this.#deps.log.info("other servers still load a generation that goes live", {
        generation: generation.id,
        servers: waiting,
      });
  }

  #begin(asked: Asked): void {
    const { subject } = asked;
    if (this.#loading.has(subject)) return;
    const work = this.#load(asked)
      .catch((error: unknown) => {
        this.#deps.log.debug("it was not said that a generation is loaded", { error: messageOf(error) });
      })
      .finally(() => this.#loading.delete(subject));
    this.#loading.set(subject, work);
  }

  async #load(asked: Asked): Promise<void> {
    const { storage, load, log } = this.#deps;
    if (!(await this.#asks.say(asked, LOADING, this.#times.word))) return;
    const generation = await storage.generations.get(asked.tenantId, Number(asked.subject));
    if (generation === null) return;
    const done = new AbortController();
    const loading = load(generation)
      .catch((error: unknown) => {
        // Then its first search loads it, or says why it cannot be.
        log.debug("a generation was not loaded ahead", { error: messageOf(error) });
        return null;
      })
      .finally(() => done.abort());
    try {
      await this.#sayWhile(asked, done.signal);
      // A server that stops does not wait for what it loads.
      if (this.#asks.ended.aborted) return;
      await loading;
      await this.#asks.say(asked, LOADED, this.#times.most);
      // What is loaded stays while whoever asked has not gone on.
      await this.#asks.untilEnded(asked, this.#times.most);
    } finally {
      void loading.then((lease) => lease?.release());
    }
  }

  /** Until it is done. */
  async #sayWhile(asked: Asked, done: AbortSignal): Promise<void> {
    const { storage, changes } = this.#deps;
    const over = AbortSignal.any([done, this.#asks.ended]);
    while (!over.aborted) {
      // A key that nobody tells: a pause.
      await changes.wait(`loading ${asked.subject}`, over, this.#times.word / WORDS);
      // Also where nobody waits: whoever goes on with the migration asks again.
      if (!over.aborted) await storage.asks.say(asked, LOADING, this.#times.word);
    }
  }
}
