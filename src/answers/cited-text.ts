import { countCodePoints } from "../platform/code-points.ts";
import type { KeptMessage } from "../storage/response-items.ts";
import { MarkerReader } from "./markers.ts";
import type { ShownPassages } from "./shown-passages.ts";
import type { AnswerWriter } from "./steps.ts";
import { supportOf, citationsByOverlap } from "./supports.ts";

/** Characters before a citation in which its statement is looked for. */
const LOOK_BACK = 4_000;

/** What a language model says, with the markers in it turned into citations of the passages that it was shown. */
export class CitedText {
  readonly #writer: AnswerWriter;
  readonly #passages: ShownPassages;
  readonly #question: string;
  /** Other texts, JSON say, are left as they come. */
  readonly #isPlain: boolean;
  #markers: MarkerReader;
  /** Code points of the message that is open, and the end of what it says. */
  #index = 0;
  #tail = "";
  #cited = new Set<string>();
  #hasMarkers = false;

  constructor(
    writer: AnswerWriter,
    { passages, question, isPlain }: { passages: ShownPassages; question: string; isPlain: boolean },
  ) {
    this.#writer = writer;
    this.#passages = passages;
    this.#question = question;
    this.#isPlain = isPlain;
    this.#markers = this.#reader();
  }

  write(text: string): void {
    if (!this.#isPlain) this.#writer.text(text);
    else for (const piece of this.#markers.take(text)) this.#take(piece);
  }

  /** Ends the message that is open, if one is; another may follow. */
  endMessage(status: KeptMessage["status"]): void {
    for (const piece of this.#markers.end()) this.#take(piece);
    this.#writer.endMessage(status);
    this.#markers = this.#reader();
    this.#index = 0;
    this.#tail = "";
    this.#cited = new Set();
  }

  /** Ends the last message. Where no statement of the answer has a marker, those that rest on a passage are cited. */
  end(status: KeptMessage["status"]): void {
    for (const piece of this.#markers.end()) this.#take(piece);
    const said = this.#writer.said ?? "";
    if (this.#isPlain && !this.#hasMarkers)
      for (const citation of citationsByOverlap(said, this.#passages.all, this.#question)) this.#writer.cite(citation);
    this.endMessage(status);
  }

  #take(piece: { type: "text"; text: string } | { type: "citation"; numbers: number[] }): void {
    if (piece.type === "text") {
      this.#writer.text(piece.text);
      this.#index += countCodePoints(piece.text);
      this.#tail = `${this.#tail}${piece.text}`.slice(-LOOK_BACK);
      return;
    }
    this.#hasMarkers = true;
    for (const number of piece.numbers) {
      const passage = this.#passages.get(number);
      const key = `${this.#index} ${number}`;
      if (passage === null || this.#cited.has(key)) continue;
      this.#cited.add(key);
      this.#writer.cite(
        supportOf(passage, this.#tail, { index: this.#index, citedBy: "model", question: this.#question }),
      );
    }
  }

  #reader(): MarkerReader {
    return new MarkerReader((number) => this.#passages.has(number));
  }
}
