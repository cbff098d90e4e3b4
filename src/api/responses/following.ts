import type { LiveAnswers } from "../../answers/live-answers.ts";
import type { Changes } from "../../platform/changes.ts";
import { Events, eventsOf, type ResponseEvent } from "./events.ts";
import { type Answered, hasEnded, type StoredAnswer, type View } from "./present.ts";

export interface FollowingDeps {
  changes: Changes;
  live: Pick<LiveAnswers, "stepsFrom">;
  /** Throws where it is gone, or whoever follows may not see it any more. */
  answeredNow: () => Promise<StoredAnswer>;
  /** Something that came of it is about to be sent. */
  markShown: (answered: Answered) => Promise<void>;
}

/** Looked at this often even where nobody tells of a change. */
const LOOK_EVERY_MS = 5_000;

/** One who follows an answer in the background: what is being written as it comes, what is kept when it has ended. */
export class Following {
  readonly #deps: FollowingDeps;
  readonly #id: string;
  readonly #view: View;
  readonly #signal: AbortSignal;
  /** Number of the next event to be sent. */
  #next: number;
  #events: Events | null = null;
  #isOpened = false;
  #hasBegun = false;
  /** Steps whose events were made. */
  #made = 0;
  #isMarked = false;

  constructor(
    deps: FollowingDeps,
    id: string,
    { next, view, signal }: { next: number; view: View; signal: AbortSignal },
  ) {
    this.#deps = deps;
    this.#id = id;
    this.#next = next;
    this.#view = view;
    this.#signal = signal;
  }

  async *events(): AsyncGenerator<ResponseEvent> {
    const { changes, answeredNow } = this.#deps;
    while (!this.#signal.aborted) {
      // Waited for from before the look: a change in between is not slept through.
      const looking = new AbortController();
      const changed = changes.wait(this.#id, AbortSignal.any([this.#signal, looking.signal]), LOOK_EVERY_MS);
      try {
        const answered = await answeredNow().catch(() => null);
        if (answered === null) return;
        if (hasEnded(answered)) {
          yield* this.#last(answered);
          return;
        }
        yield* this.#sofar(answered);
        await changed;
      } finally {
        looking.abort();
      }
    }
  }

  async *#sofar(answered: StoredAnswer): AsyncGenerator<ResponseEvent> {
    this.#events ??= new Events(answered.row, this.#view);
    if (!this.#isOpened) {
      this.#isOpened = true;
      yield* this.#unseen(this.#events.opening());
    }
    if (answered.row.status === "queued") return;
    if (!this.#hasBegun) {
      this.#hasBegun = true;
      yield* this.#unseen(this.#events.begun());
    }
    let steps = await this.#deps.live.stepsFrom(answered.row, this.#made);
    if (steps.length > 0 && !this.#isMarked) {
      this.#isMarked = true;
      await this.#deps.markShown(answered);
      // Until it was marked another attempt might have begun.
      steps = await this.#deps.live.stepsFrom(answered.row, this.#made);
    }
    for (const step of steps) {
      this.#made += 1;
      yield* this.#unseen(this.#events.step(step));
    }
  }

  *#unseen(events: Iterable<ResponseEvent>): Generator<ResponseEvent> {
    for (const event of events) {
      if (event.sequence_number < this.#next) continue;
      this.#next = event.sequence_number + 1;
      yield event;
    }
  }

  *#last(answered: Answered): Generator<ResponseEvent> {
    const events = eventsOf(answered, this.#view);
    if (answered.row.status !== "failed" || this.#next <= events.length) {
      yield* events.slice(this.#next);
      return;
    }
    // More was sent before the server was stopped than is kept: its end follows that.
    for (const event of events.slice(-2)) yield { ...event, sequence_number: this.#next++ };
  }
}
