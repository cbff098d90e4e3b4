import { AppError } from "../../errors.ts";

/** Asks whether a request that goes on would still be answered; throws what it would be told. */
export type Ask = () => Promise<unknown>;

/** A revoked key is heard of this much later at most. */
const EVERY_MS = 1000;

interface Group {
  ask: Ask;
  told: Set<(refusal: AppError) => void>;
  isAsking: boolean;
}

/**
 * Requests that go on for long are asked again who makes them: once a second for all that would get the same answer, not
 * once for each.
 */
export class StillAllowed {
  readonly #groups = new Map<string, Group>();
  #timer: Timer | null = null;

  /** Calls `onRefusal` once `ask` throws; `key` names those that would be told the same. Returns the way out. */
  keepAsking(key: string, ask: Ask, onRefusal: (refusal: AppError) => void): () => void {
    const group = this.#groups.get(key) ?? { ask, told: new Set(), isAsking: false };
    this.#groups.set(key, group);
    group.told.add(onRefusal);
    this.#timer ??= setInterval(() => this.#askAll(), EVERY_MS);
    return () => {
      group.told.delete(onRefusal);
      if (group.told.size === 0 && this.#groups.get(key) === group) this.#groups.delete(key);
      if (this.#groups.size > 0 || this.#timer === null) return;
      clearInterval(this.#timer);
      this.#timer = null;
    };
  }

  #askAll(): void {
    for (const group of this.#groups.values()) if (!group.isAsking) void this.#ask(group);
  }

  async #ask(group: Group): Promise<void> {
    group.isAsking = true;
    try {
      await group.ask();
    } catch (error) {
      // What is not a refusal passes: a disk that fails for a moment.
      if (error instanceof AppError) for (const onRefusal of [...group.told]) onRefusal(error);
    } finally {
      group.isAsking = false;
    }
  }
}
