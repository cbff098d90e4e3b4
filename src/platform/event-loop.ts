/**
 * How long the thread that serves everybody is held by one piece of work: its time on a core between two looks at it.
 * Time in which the machine was busy with other processes is not counted, so what it shows is this program's own doing.
 */
export class EventLoopWatch implements Disposable {
  readonly #timer: Timer;
  #last = threadSeconds();
  #longest = 0;

  constructor() {
    this.#timer = setInterval(() => this.#look(), LOOK_EVERY_MS);
    this.#timer.unref();
  }

  /** Seconds of the longest since the last call. */
  take(): number {
    this.#look();
    const longest = this.#longest;
    this.#longest = 0;
    return longest;
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
  }

  #look(): void {
    const now = threadSeconds();
    this.#longest = Math.max(this.#longest, now - this.#last);
    this.#last = now;
  }
}

const LOOK_EVERY_MS = 20;

/** In the runtime, not yet in its library types; microseconds. */
const runtime = process as typeof process & { threadCpuUsage(): { user: number; system: number } };

function threadSeconds(): number {
  const { user, system } = runtime.threadCpuUsage();
  return (user + system) / 1e6;
}
