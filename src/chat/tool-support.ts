import type { Clock } from "../platform/clock.ts";
import type { ChatModel } from "./chat-models.ts";

const REMEMBERED_SECONDS = 3600;

/** Which models' servers take no tools, as was found out by trying; for an hour, and as long as they are set up alike. */
export class ToolSupport {
  readonly #clock: Clock;
  readonly #refused = new Map<string, { until: number; settings: string }>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  has(model: ChatModel): boolean {
    if (model.tools === "never") return false;
    const refused = this.#refused.get(model.id);
    if (refused === undefined) return true;
    if (refused.until > this.#clock.nowSeconds() && refused.settings === settingsOf(model)) return false;
    this.#refused.delete(model.id);
    return true;
  }

  refuse(model: ChatModel): void {
    this.#refused.set(model.id, {
      until: this.#clock.nowSeconds() + REMEMBERED_SECONDS,
      settings: settingsOf(model),
    });
  }
}

function settingsOf({ address, model }: ChatModel): string {
  return `${address} ${model}`;
}
