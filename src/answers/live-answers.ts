/** Answers of language models that are being written in the background, for those who follow them. In memory only. */
import { type AnswerStep, AnswerWriter } from "./steps.ts";

interface Live {
  steps: AnswerStep[];
  writer: AnswerWriter;
}

export class LiveAnswers {
  readonly #live = new Map<string, Live>();
  readonly #changed: (responseId: string) => void;

  /** @param changed wakes those who follow the answer of this id */
  constructor(changed: (responseId: string) => void) {
    this.#changed = changed;
  }

  begin(responseId: string): AnswerWriter {
    const steps: AnswerStep[] = [];
    const writer = new AnswerWriter((step) => {
      steps.push(step);
      this.#changed(responseId);
    });
    this.#live.set(responseId, { steps, writer });
    return writer;
  }

  end(responseId: string, writer: AnswerWriter): void {
    if (this.#live.get(responseId)?.writer === writer) this.#live.delete(responseId);
  }

  /** Everything so far; more comes at its end. */
  stepsOf(responseId: string): readonly AnswerStep[] {
    return this.#live.get(responseId)?.steps ?? [];
  }

  /** Ends what is being written where it is, and gives who wrote it. */
  breakOff(responseId: string): AnswerWriter | null {
    const writer = this.#live.get(responseId)?.writer ?? null;
    writer?.breakOff();
    return writer;
  }
}
