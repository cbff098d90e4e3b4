import type { ChatPiece } from "./pieces.ts";

const [OPEN, CLOSE] = ["<think>", "</think>"];

/** Takes what some models think, between tags in their text, out of it. Holds back what may become a tag. */
export class Thoughts {
  #held = "";
  #isThinking = false;
  #hasSpoken = false;

  *take(text: string): Generator<ChatPiece> {
    this.#held += text;
    for (;;) {
      const tag = this.#isThinking ? CLOSE : OPEN;
      const at = this.#held.indexOf(tag);
      if (at < 0) break;
      yield* this.#give(this.#held.slice(0, at));
      this.#held = this.#held.slice(at + tag.length);
      this.#isThinking = !this.#isThinking;
    }
    const kept = beginOf(this.#isThinking ? CLOSE : OPEN, this.#held);
    const end = this.#held.length - kept;
    yield* this.#give(this.#held.slice(0, end));
    this.#held = this.#held.slice(end);
  }

  *end(): Generator<ChatPiece> {
    yield* this.#give(this.#held);
    this.#held = "";
  }

  *#give(text: string): Generator<ChatPiece> {
    if (this.#isThinking) {
      if (text !== "") yield { type: "reasoning", text };
      return;
    }
    // The empty lines after a thought are no part of the answer.
    const said = this.#hasSpoken ? text : text.trimStart();
    if (said === "") return;
    this.#hasSpoken = true;
    yield { type: "text", text: said };
  }
}

/** How many characters at the end of a text are the beginning of the tag. */
function beginOf(tag: string, text: string): number {
  for (let length = Math.min(tag.length - 1, text.length); length > 0; length--)
    if (text.endsWith(tag.slice(0, length))) return length;
  return 0;
}
