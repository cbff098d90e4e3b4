import { CHAT } from "./limits.ts";

/** Tokens that all rounds of an answer took together, and what is left of those that they may take. */
export class TokenBudget {
  readonly used = { input: 0, output: 0, cached: 0, reasoning: 0 };
  readonly #most: { input: number | null; output: number | null };

  constructor(most: { input: number | null; output: number | null }) {
    this.#most = most;
  }

  /** Null where it is not bounded. Some is kept back: the model's server counts otherwise. */
  get inputLeft(): number | null {
    return this.#most.input === null ? null : Math.floor(this.#most.input * CHAT.share) - this.used.input;
  }

  /** Null where it is not bounded. */
  get outputLeft(): number | null {
    return this.#most.output === null ? null : this.#most.output - this.used.output;
  }

  spend(round: TokenBudget["used"]): void {
    this.used.input += round.input;
    this.used.output += round.output;
    this.used.cached += round.cached;
    this.used.reasoning += round.reasoning;
  }
}
