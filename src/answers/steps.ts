/**
 * An answer as it comes into being, step by step, and the items that are made of the steps. What followers are told of an
 * answer that goes on, and what is told again of one that is kept, is made of the same steps.
 */
import { countCodePoints } from "../platform/code-points.ts";
import { newId } from "../platform/ids.ts";
import type {
  KeptCitation,
  KeptFunctionCall,
  KeptItem,
  KeptMessage,
  KeptResult,
  KeptSearchCall,
} from "../storage/response-items.ts";
import type { KeptStep } from "../storage/response-steps.ts";

export type AnswerStep = KeptStep;

/** Where the pieces of a message ended as they came, by its id: UTF-16 units. */
export type Cuts = Record<string, number[]>;

/** The answer was taken away from whoever writes it: it was cancelled. */
export class WrittenOff extends Error {
  override name = "WrittenOff";
}

interface OpenMessage {
  id: string;
  pieces: string[];
  length: number;
  citations: KeptCitation[];
}

/** Writes an answer. One item is open at a time; every step is told as it is made. */
export class AnswerWriter {
  readonly #tell: (step: AnswerStep) => void;
  readonly #items: KeptItem[] = [];
  readonly #cuts: Cuts = {};
  #search: string | null = null;
  #message: OpenMessage | null = null;
  #isOver = false;

  constructor(tell: (step: AnswerStep) => void = () => {}) {
    this.#tell = tell;
  }

  /** Of whom these are the steps so far: for whoever ends an answer that is written at another server. */
  static of(steps: Iterable<AnswerStep>): AnswerWriter {
    const writer = new AnswerWriter();
    for (const step of steps) writer.#replay(step);
    return writer;
  }

  /** Those that are whole. */
  get items(): readonly KeptItem[] {
    return this.#items;
  }

  get cuts(): Cuts {
    return this.#cuts;
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  search(): void {
    this.#assertOpen();
    this.#search = newId("fs_");
    this.#tell({ type: "search", id: this.#search });
  }

  searched(queries: string[], results: KeptResult[]): void {
    this.#assertOpen();
    this.#endSearch({ status: "completed", queries, results });
  }

  /** More of the message that is open; opens one where none is. */
  text(delta: string): void {
    this.#assertOpen();
    const message = this.#open();
    if (delta === "") return;
    message.pieces.push(delta);
    message.length += delta.length;
    (this.#cuts[message.id] ??= []).push(message.length);
    this.#tell({ type: "text", delta });
  }

  /** Its place is the end of what was written, or before it. */
  cite(citation: KeptCitation): void {
    this.#assertOpen();
    this.#open().citations.push(citation);
    this.#tell({ type: "citation", citation });
  }

  /** What the message that is open says so far; null where none is. */
  get said(): string | null {
    return this.#message === null ? null : this.#message.pieces.join("");
  }

  endMessage(status: KeptMessage["status"]): void {
    const message = this.#message;
    if (message === null) return;
    this.#message = null;
    const { id, pieces, citations: annotations } = message;
    this.#cuts[id] ??= [];
    const text = pieces.join("");
    const content: KeptMessage["content"] = [{ type: "output_text", text, annotations, logprobs: [] }];
    const item: KeptMessage = { id, type: "message", status, role: "assistant", content };
    this.#items.push(item);
    this.#tell({ type: "said", item });
  }

  /** An empty message, where there would be none. */
  openMessage(): void {
    this.#assertOpen();
    this.#open();
  }

  call(name: string, text: string): void {
    this.#assertOpen();
    this.endMessage("completed");
    const ids = { id: newId("fc_"), call_id: newId("call_") };
    const item: KeptFunctionCall = { ...ids, type: "function_call", status: "completed", arguments: text, name };
    this.#items.push(item);
    this.#tell({ type: "call", item });
    this.#tell({ type: "called", item });
  }

  /** Ends what is open, as incomplete; nothing can be written after it. */
  breakOff(): void {
    if (this.#isOver) return;
    if (this.#search !== null) this.#endSearch({ status: "incomplete", queries: [], results: null });
    this.endMessage("incomplete");
    this.#isOver = true;
  }

  #replay(step: AnswerStep): void {
    switch (step.type) {
      case "search":
        this.#search = step.id;
        return;
      case "searched":
        this.#search = null;
        this.#items.push(step.item);
        return;
      case "message":
        this.#message = { id: step.id, pieces: [], length: 0, citations: [] };
        return;
      case "text":
        this.text(step.delta);
        return;
      case "citation":
        this.cite(step.citation);
        return;
      case "said":
        this.#message = null;
        this.#cuts[step.item.id] ??= [];
        this.#items.push(step.item);
        return;
      case "call":
        this.#items.push(step.item);
        return;
      case "called":
    }
  }

  #open(): OpenMessage {
    if (this.#message === null) {
      this.#message = { id: newId("msg_"), pieces: [], length: 0, citations: [] };
      this.#tell({ type: "message", id: this.#message.id });
    }
    return this.#message;
  }

  #endSearch(ended: Pick<KeptSearchCall, "status" | "queries" | "results">): void {
    const item: KeptSearchCall = { id: this.#search ?? newId("fs_"), type: "file_search_call", ...ended };
    this.#search = null;
    this.#items.push(item);
    this.#tell({ type: "searched", item });
  }

  #assertOpen(): void {
    if (this.#isOver) throw new WrittenOff();
  }
}

/** The steps by which these items came; a message without cuts came by paragraphs. */
export function* stepsOf(items: readonly KeptItem[], cuts: Cuts): Generator<AnswerStep> {
  for (const item of items) {
    if (item.type === "file_search_call") {
      yield { type: "search", id: item.id };
      if (item.status !== "in_progress" && item.status !== "searching") yield { type: "searched", item };
    } else if (item.type === "function_call") {
      yield { type: "call", item };
      yield { type: "called", item };
    } else if (item.type === "message" && item.role === "assistant") yield* messageSteps(item, cuts[item.id]);
  }
}

function* messageSteps(item: KeptMessage, cuts: readonly number[] | undefined): Generator<AnswerStep> {
  yield { type: "message", id: item.id };
  for (const part of item.content) {
    if (part.type !== "output_text") continue;
    const { text, annotations } = part;
    // What was found out at the end comes at the end.
    const placed = annotations.filter((one) => one.cited_by !== "overlap");
    let written = 0;
    let cited = 0;
    for (const delta of cuts === undefined ? paragraphsOf(text) : piecesOf(text, cuts)) {
      yield { type: "text", delta };
      written += countCodePoints(delta);
      for (let next = placed[cited]; next !== undefined && next.index <= written; next = placed[++cited])
        yield { type: "citation", citation: next };
    }
    for (const citation of placed.slice(cited)) yield { type: "citation", citation };
    for (const citation of annotations) if (citation.cited_by === "overlap") yield { type: "citation", citation };
  }
  yield { type: "said", item };
}

/** One a paragraph; joined they are the text. */
export function paragraphsOf(text: string): string[] {
  return text.split(/(?=\n\n)/);
}

function piecesOf(text: string, cuts: readonly number[]): string[] {
  return cuts.map((end, i) => text.slice(cuts[i - 1] ?? 0, end));
}
