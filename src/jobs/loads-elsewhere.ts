import { messageOf } from "../errors.ts";
import type { IndexLease } from "../index/registry.ts";
import type { Changes } from "../platform/changes.ts";
import type { Log } from "../platform/log.ts";
import type { GenerationRow } from "../storage/generations.ts";
import { type AskedLoad, generationOf } from "../storage/load-asks.ts";
import type { Replica } from "../storage/postgres/replica.ts";
import { isThere } from "../storage/replicas.ts";
import type { Storage } from "../storage/storage.ts";

export interface LoadsElsewhereDeps {
  storage: Pick<Storage, "loadAsks" | "replicas" | "generations">;
  changes: Pick<Changes, "notify" | "wait">;
  replica: Pick<Replica, "id" | "everyMs">;
  log: Log;
  /** The index of a generation, with everything of it; null where nothing of its store is in memory here. */
  load(generation: GenerationRow): Promise<IndexLease | null>;
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

/** Told when others are asked something. */
const ASKED = "load asks";

/**
 * A generation that is about to go live is loaded first by the other servers of the database that have its store in memory,
 * so that no search of theirs waits for that afterwards. The server that makes it live asks all that are there by rows
 * (storage/load-asks.ts), tells them, and waits: for those that say that they load it, and no longer than
 * {@link LoadTimes.most}. One that says nothing, or nothing any more, is not waited for. What is loaded is kept in memory
 * until the swap.
 *
 * It is for speed alone: a search waits for the index of the generation that its store's row names, as ever.
 */
export class LoadsElsewhere implements AsyncDisposable {
  readonly #deps: LoadsElsewhereDeps;
  readonly #times: LoadTimes;
  readonly #end = new AbortController();
  readonly #loading = new Map<string, Promise<void>>();
  #answering: Promise<void> = Promise.resolve();

  constructor(deps: LoadsElsewhereDeps) {
    this.#deps = deps;
    this.#times = { ...TIMES, ...deps.times };
  }

  start(): void {
    this.#answering = this.#answerAsked();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#end.abort();
    await this.#answering;
    await Promise.all(this.#loading.values());
  }

  /** Resolves when the others have the generation, or are not waited for any more. */
  async wait(generation: Pick<GenerationRow, "id" | "tenant_id">, signal: AbortSignal): Promise<void> {
    const { storage, replica, changes } = this.#deps;
    const there = (await storage.replicas.list()).filter((other) => other.id !== replica.id && isThere(other));
    if (there.length === 0) return;
    const { tenant_id: tenantId, id } = generation;
    const ids = there.map((other) => other.id);
    await storage.loadAsks.ask(tenantId, id, ids, this.#times.answer);
    changes.notify(ASKED);
    await this.#untilLoaded(generation, AbortSignal.any([signal, this.#end.signal]));
    await storage.loadAsks.end(tenantId, id);
    changes.notify(keyOf(id));
  }

  async #untilLoaded({ id, tenant_id }: Pick<GenerationRow, "id" | "tenant_id">, signal: AbortSignal): Promise<void> {
    const { storage, log } = this.#deps;
    let waiting: string[] = [];
    const isOver = async () => (waiting = await storage.loadAsks.waiting(tenant_id, id)).length === 0;
    // Who says nothing any more is noticed by the clock.
    await this.#until(isOver, { key: keyOf(id), signal, everyMs: this.#times.word / WORDS });
    if (waiting.length > 0 && !signal.aborted)
      log.info("other servers still load a generation that goes live", { generation: id, servers: waiting.length });
  }

  /** Until it is over, or for as long as anybody is waited for; looks when told of the key, and now and then. */
  async #until(
    isOver: () => Promise<boolean>,
    { key, signal, everyMs }: { key: string; signal: AbortSignal; everyMs: number },
  ): Promise<void> {
    const until = performance.now() + this.#times.most;
    while (!signal.aborted && performance.now() < until) {
      const seen = new AbortController();
      // Before the look: a word that comes in between is not missed.
      const ms = Math.min(until - performance.now(), everyMs);
      const told = this.#deps.changes.wait(key, AbortSignal.any([seen.signal, signal]), ms);
      try {
        if (await isOver()) return;
        await told;
      } finally {
        seen.abort();
      }
    }
  }

  async #answerAsked(): Promise<void> {
    const { storage, changes, replica, log } = this.#deps;
    const { signal } = this.#end;
    while (!signal.aborted) {
      const told = changes.wait(ASKED, signal, replica.everyMs);
      try {
        for (const asked of await storage.loadAsks.askedOf(replica.id)) this.#begin(asked);
      } catch (error) {
        log.debug("what other servers ask to be loaded was not looked at", { error: messageOf(error) });
      }
      await told;
    }
  }

  #begin(asked: AskedLoad): void {
    if (this.#loading.has(asked.name)) return;
    const work = this.#load(asked)
      .catch((error: unknown) => {
        this.#deps.log.debug("it was not said that a generation is loaded", { error: messageOf(error) });
      })
      .finally(() => this.#loading.delete(asked.name));
    this.#loading.set(asked.name, work);
  }

  async #load(asked: AskedLoad): Promise<void> {
    const { storage, changes, load, log } = this.#deps;
    const { loadAsks, generations } = storage;
    const key = keyOf(generationOf(asked));
    if (!(await loadAsks.say(asked, "loading", this.#times.word))) return;
    const generation = await generations.get(asked.tenant_id, generationOf(asked));
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
      if (this.#end.signal.aborted) return;
      await loading;
      if (await loadAsks.say(asked, "loaded", this.#times.most)) changes.notify(key);
      await this.#untilEnded(asked, key);
    } finally {
      void loading.then((lease) => lease?.release());
    }
  }

  /** Until it is done. */
  async #sayWhile(asked: AskedLoad, done: AbortSignal): Promise<void> {
    const { storage, changes } = this.#deps;
    const over = AbortSignal.any([done, this.#end.signal]);
    while (!over.aborted) {
      // A key that nobody tells: a pause.
      await changes.wait(`saying ${asked.name}`, over, this.#times.word / WORDS);
      // Also where nobody waits: whoever goes on with the migration asks again.
      if (!over.aborted) await storage.loadAsks.say(asked, "loading", this.#times.word);
    }
  }

  /** What is loaded stays while whoever asked has not gone on. */
  async #untilEnded(asked: AskedLoad, key: string): Promise<void> {
    const isOver = async () => !(await this.#deps.storage.loadAsks.isWaitedFor(asked));
    await this.#until(isOver, { key, signal: this.#end.signal, everyMs: this.#times.most });
  }
}

function keyOf(generation: number): string {
  return `loaded ${generation}`;
}
