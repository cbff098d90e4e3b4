/** Ids whose removal waits while somebody copies what there is. */
export class HeldRemovals {
  #held: Set<string> | null = null;

  /** Whether the removal waits; then it is made when the hold ends. */
  takes(id: string): boolean {
    this.#held?.add(id);
    return this.#held !== null;
  }

  /** What ends the hold, with `remove` for each that waited; null while somebody else holds. */
  hold(remove: (id: string) => Promise<void>): (() => Promise<void>) | null {
    if (this.#held !== null) return null;
    const held = new Set<string>();
    this.#held = held;
    return async () => {
      this.#held = null;
      for (const id of held) await remove(id);
    };
  }
}
