import type { BestAsk, ScanKernels, ScanPart, ScanQuery, ScoredSlots } from "./scan.ts";
import type { Step } from "./steps.ts";

/** The best slots of the parts, in `found` once it is done. */
export class BestStep implements Step {
  found: ScoredSlots = { slots: new Int32Array(0), scores: new Float32Array(0) };
  readonly #kernels: ScanKernels;
  readonly #parts: readonly ScanPart[];
  readonly #query: ScanQuery;
  readonly #ask: BestAsk;

  constructor(kernels: ScanKernels, parts: readonly ScanPart[], query: ScanQuery, ask: BestAsk) {
    this.#kernels = kernels;
    this.#parts = parts;
    this.#query = query;
    this.#ask = ask;
  }

  now(): void {
    this.found = this.#kernels.best(this.#parts, this.#query, this.#ask);
  }

  later(): Promise<void> | null {
    const answer = this.#kernels.later?.best(this.#parts, this.#query, this.#ask);
    return answer === undefined ? null : this.#take(answer);
  }

  async #take(answer: Promise<ScoredSlots>): Promise<void> {
    this.found = await answer;
  }
}

/** Scores of some rows of a part, in `out` once it is done. */
export class GatherStep implements Step {
  readonly #kernels: ScanKernels;
  readonly #asked: readonly [ScanPart, Int32Array, ScanQuery, Float32Array];

  constructor(kernels: ScanKernels, ...asked: readonly [ScanPart, Int32Array, ScanQuery, Float32Array]) {
    this.#kernels = kernels;
    this.#asked = asked;
  }

  now(): void {
    this.#kernels.gather(...this.#asked);
  }

  later(): Promise<void> | null {
    return this.#kernels.later?.gather(...this.#asked) ?? null;
  }
}
