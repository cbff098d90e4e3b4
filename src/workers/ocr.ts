import type { Picture } from "../parse/ocr.ts";
import type { OcrEngine, OcrOutcome } from "./ocr-engine.ts";

/** OCR as the parse lane knows it: its engines, and how much of it a document and the machine may use. */
export interface OcrOptions {
  /** In order of preference: the first that is available is used. */
  engines: readonly OcrEngine[];
  /** Pages recognised of one document. */
  maxPages: number;
  /** Seconds that one document may take. */
  maxSeconds: number;
  /** Pages recognised at the same time. */
  slots: number;
}

export class Ocr implements AsyncDisposable {
  readonly #options: OcrOptions;
  readonly #waiting: (() => void)[] = [];
  #running = 0;

  constructor(options: OcrOptions) {
    this.#options = options;
  }

  get limits(): { maxPages: number; maxSeconds: number; slots: number } {
    return this.#options;
  }

  isAvailable(): boolean {
    return this.#engine() !== undefined;
  }

  /** Waits for a slot; at most `withinMs` from then on. */
  async recognize(picture: Picture, withinMs: number, signal: AbortSignal): Promise<OcrOutcome> {
    await this.#enter();
    try {
      if (signal.aborted) return { type: "interrupted" };
      const outcome = await this.#engine()?.recognize(picture, { withinMs, signal });
      return outcome ?? { type: "failed" };
    } finally {
      this.#running -= 1;
      this.#waiting.shift()?.();
    }
  }

  /** Of processes that are kept between pages. */
  residentBytes(): number {
    return this.#options.engines.reduce((sum, engine) => sum + engine.residentBytes(), 0);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#options.engines.map((engine) => engine[Symbol.asyncDispose]()));
  }

  #engine(): OcrEngine | undefined {
    return this.#options.engines.find((engine) => engine.isAvailable());
  }

  async #enter(): Promise<void> {
    if (this.#running >= this.#options.slots) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    this.#running += 1;
  }
}
