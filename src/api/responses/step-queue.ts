import type { AnswerStep } from "../../answers/steps.ts";

/** Steps of an answer between whoever writes it and whoever reads them, one reader. */
export class StepQueue implements AsyncIterable<AnswerStep> {
  #steps: AnswerStep[] = [];
  #isOver = false;
  #wake: () => void = () => {};

  push(step: AnswerStep): void {
    this.#steps.push(step);
    this.#wake();
  }

  end(): void {
    this.#isOver = true;
    this.#wake();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<AnswerStep> {
    for (;;) {
      const steps = this.#steps;
      this.#steps = [];
      yield* steps;
      if (this.#steps.length > 0) continue;
      if (this.#isOver) return;
      await new Promise<void>((wake) => (this.#wake = wake));
    }
  }
}
