/**
 * What is to be done with many things, a few at a time: paused, gone on with, given up one by one or altogether, tried
 * again. It knows nothing of files.
 */
export type Stage = "waiting" | "running" | "done" | "failed" | "cancelled";

export interface Task {
  readonly id: number;
  readonly stage: Stage;
  /** Why it failed, in words. */
  readonly reason: string;
}

interface Entry<Given> {
  id: number;
  given: Given;
  stage: Stage;
  reason: string;
  abort: AbortController;
}

export class Queue<Given> {
  /** Called after every change, at most once a turn. */
  onChange: () => void = () => {};
  readonly #work: (given: Given, signal: AbortSignal) => Promise<void>;
  readonly #most: number;
  readonly #entries = new Map<number, Entry<Given>>();
  /** Ids in the order of their turn. */
  #waiting: number[] = [];
  #running = 0;
  #isPaused = false;
  #last = 0;
  #isTold = true;

  /** @param work rejects with an Error whose message says why; an abort of its signal is no failure */
  constructor(most: number, work: (given: Given, signal: AbortSignal) => Promise<void>) {
    this.#most = most;
    this.#work = work;
  }

  get isPaused(): boolean {
    return this.#isPaused;
  }

  /** Tasks that are not over. */
  get open(): number {
    return this.#waiting.length + this.#running;
  }

  stateOf(id: number): Task | undefined {
    return this.#entries.get(id);
  }

  add(given: Given): number {
    const id = ++this.#last;
    this.#entries.set(id, { id, given, stage: "waiting", reason: "", abort: new AbortController() });
    this.#waiting.push(id);
    this.#changed();
    this.#start();
    return id;
  }

  pause(): void {
    this.#isPaused = true;
    this.#changed();
  }

  goOn(): void {
    this.#isPaused = false;
    this.#changed();
    this.#start();
  }

  cancel(id: number): void {
    const entry = this.#entries.get(id);
    if (entry === undefined || (entry.stage !== "waiting" && entry.stage !== "running")) return;
    this.#waiting = this.#waiting.filter((one) => one !== id);
    entry.abort.abort();
    if (entry.stage === "waiting") entry.stage = "cancelled";
    this.#changed();
  }

  cancelAll(): void {
    for (const { id } of this.#entries.values()) this.cancel(id);
  }

  retry(id: number): void {
    const entry = this.#entries.get(id);
    if (entry === undefined || (entry.stage !== "failed" && entry.stage !== "cancelled")) return;
    Object.assign(entry, { stage: "waiting", reason: "", abort: new AbortController() });
    this.#waiting.push(id);
    this.#changed();
    this.#start();
  }

  /** Forgets one that is over. */
  forget(id: number): void {
    const stage = this.#entries.get(id)?.stage;
    if (stage !== "waiting" && stage !== "running") this.#entries.delete(id);
    this.#changed();
  }

  #start(): void {
    while (!this.#isPaused && this.#running < this.#most) {
      const entry = this.#entries.get(this.#waiting.shift() ?? 0);
      if (entry === undefined) return;
      entry.stage = "running";
      this.#running++;
      void this.#run(entry);
    }
  }

  async #run(entry: Entry<Given>): Promise<void> {
    try {
      await this.#work(entry.given, entry.abort.signal);
      entry.stage = "done";
    } catch (error) {
      entry.stage = entry.abort.signal.aborted ? "cancelled" : "failed";
      entry.reason = error instanceof Error ? error.message : String(error);
    }
    this.#running--;
    this.#changed();
    this.#start();
  }

  #changed(): void {
    if (!this.#isTold) return;
    this.#isTold = false;
    queueMicrotask(() => {
      this.#isTold = true;
      this.onChange();
    });
  }
}
