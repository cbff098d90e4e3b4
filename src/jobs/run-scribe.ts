import { asError } from "../errors.ts";
import { AnswerWriter, type AnswerStep, WrittenOff } from "../answers/steps.ts";
import { markOf } from "../answers/run-outcome.ts";
import { newId } from "../platform/ids.ts";
import type { KeptItem, KeptResult, KeptSearchCall } from "../storage/response-items.ts";
import type { StepRow } from "../storage/run-steps.ts";
import type { RunRow } from "../storage/runs.ts";
import type { Storage, Tables } from "../storage/storage.ts";
import type { KeptCall, KeptMark, KeptRankingOptions, KeptSearch, KeptTokens } from "../storage/thread-items.ts";
import type { MessageRow } from "../storage/thread-messages.ts";
import { insertMessage, insertStep, NOTHING_USED } from "./run-rows.ts";

/**
 * Writes down what a run does while it does it, so that whoever follows the run sees it, and a stop leaves what there was:
 * a step for each search, a message with its step, its text some times a second.
 *
 * What was shown of a message is never changed. Where no statement turns out to have a marker, statements are cited in
 * the middle of the text by their words; so a text that rests on passages is shown from its first marker on.
 */
export interface ScribeDeps {
  storage: Pick<Storage, "transaction">;
  now: () => number;
  /** Wakes those who follow the run. */
  changed: () => void;
}

/** Between two times that text is written down. */
const WRITE_EVERY_MS = 150;

interface OpenMessage {
  step: StepRow;
  message: MessageRow;
  text: string;
  marks: KeptMark[];
  cuts: number[];
  /** Of these, how many marks and how much of the text are written down. */
  written: { marks: number; text: number };
  isShown: boolean;
}

export class RunScribe {
  readonly writer = new AnswerWriter((step) => this.#take(step));
  readonly #deps: ScribeDeps;
  readonly #run: RunRow;
  readonly #ranking: KeptRankingOptions;
  /** Nothing can be cited in the middle of what was said. */
  readonly #isPlain: boolean;
  readonly #results: KeptResult[];
  #tail: Promise<void> = Promise.resolve();
  #failure: Error | null = null;
  #search: StepRow | null = null;
  #open: OpenMessage | null = null;
  #timer: Timer | undefined;

  constructor(
    deps: ScribeDeps,
    run: RunRow,
    { ranking, isPlain, results }: { ranking: KeptRankingOptions; isPlain: boolean; results: readonly KeptResult[] },
  ) {
    this.#deps = deps;
    this.#run = run;
    this.#ranking = ranking;
    this.#isPlain = isPlain;
    this.#results = [...results];
  }

  /** When everything so far is written down. Throws what went wrong with that, WrittenOff where the run has ended. */
  async settled(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#then(() => {
      // In its turn: the message may not have been begun yet.
      if (this.#open !== null) this.#open.isShown = true;
      return this.#writeText();
    });
    await this.#tail;
    if (this.#failure !== null) throw this.#failure;
  }

  /**
   * Completes the message that was said last, if one is open; inside a transaction of the caller. One that was cut off is
   * left for the end of the run to close.
   */
  async finish({ steps, messages }: Tables, usage: KeptTokens, status = "completed"): Promise<void> {
    const open = this.#open;
    this.#open = null;
    if (open === null) return;
    const { step, message } = open;
    const at = this.#deps.now();
    if (status === "completed") await messages.complete(message, at);
    await steps.complete(step, { details: step.details, usage, at });
  }

  #take(step: AnswerStep): void {
    switch (step.type) {
      case "search":
        return this.#then(() => this.#beginSearch());
      case "searched":
        return this.#then(() => this.#endSearch(step.item));
      case "message":
        return this.#then(() => this.#beginMessage());
      case "text":
        return this.#then(() => this.#say(step.delta));
      case "citation":
        return this.#then(() => {
          this.#open?.marks.push(markOf(step.citation, this.#results));
          if (this.#open !== null && step.citation.cited_by !== "overlap") this.#open.isShown = true;
        });
      case "said":
      case "call":
      case "called":
        return;
    }
  }

  /** One after the other; nothing more once one failed. */
  #then(work: () => Promise<void> | void): void {
    this.#tail = this.#tail.then(async () => {
      if (this.#failure !== null) return;
      try {
        await work();
      } catch (error) {
        this.#failure = asError(error);
      }
    });
  }

  async #beginSearch(): Promise<void> {
    const search: KeptSearch = {
      id: newId("call_"),
      type: "file_search",
      ranking_options: this.#ranking,
      queries: [],
      results: [],
    };
    const details = { type: "tool_calls" as const, tool_calls: [search] };
    this.#search = await this.#write(async (tables) => {
      await this.finish(tables, NOTHING_USED);
      return await this.#insertStep(tables, details);
    });
  }

  async #endSearch({ queries, results }: KeptSearchCall): Promise<void> {
    const step = this.#search;
    this.#search = null;
    this.#results.push(...(results ?? []));
    if (step?.details.type !== "tool_calls") return;
    const calls = step.details.tool_calls.map((call) =>
      call.type === "file_search" ? { ...call, queries, results: results ?? [] } : call,
    );
    const done = { details: { ...step.details, tool_calls: calls }, usage: NOTHING_USED, at: this.#deps.now() };
    await this.#write(async ({ steps }) => await steps.complete(step, done));
  }

  async #beginMessage(): Promise<void> {
    this.#open = await this.#write(async (tables) => {
      await this.finish(tables, NOTHING_USED);
      const open = {
        status: "in_progress" as const,
        completed_at: null,
        incomplete_at: null,
        reason: null,
        content: [],
      };
      const message = await insertMessage(tables, this.#run, { at: this.#deps.now(), ...open });
      if (message === null) throw new WrittenOff();
      const step = await this.#insertStep(tables, { type: "message_creation", message_id: message.id });
      const isShown = !this.#isPlain || this.#results.length === 0;
      return { step, message, text: "", marks: [], cuts: [], written: { marks: 0, text: 0 }, isShown };
    });
  }

  #say(delta: string): void {
    if (this.#open === null) return;
    this.#open.text += delta;
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      this.#then(() => this.#writeText());
    }, WRITE_EVERY_MS);
  }

  async #writeText(): Promise<void> {
    const open = this.#open;
    if (open === null || !open.isShown) return;
    const { text, marks, written, message } = open;
    if (text.length === written.text && marks.length === written.marks) return;
    if (text.length > written.text) open.cuts.push(...paragraphEnds(text, written.text), text.length);
    const sorted = marks.toSorted((a, b) => a.index - b.index);
    const content = [{ type: "text" as const, text, marks: sorted, cuts: [...open.cuts] }];
    const added = [{ type: "text" as const, text: "", marks: marks.slice(written.marks) }];
    open.written = { marks: marks.length, text: text.length };
    await this.#write(async ({ messages }) => await messages.extend(message, content, added));
  }

  #insertStep(tables: Tables, details: StepRow["details"]): Promise<StepRow> {
    return insertStep(tables, this.#run, { at: this.#deps.now(), status: "in_progress", details, usage: null });
  }

  /** Only while the run is in progress: what ended is not written to any more. */
  async #write<T>(write: (tables: Tables) => Promise<T>): Promise<T> {
    return await this.#deps.storage.transaction(async (tables, tx) => {
      const now = await tables.runs.locked(this.#run);
      if (now?.status !== "in_progress") throw new WrittenOff();
      tx.onCommit(this.#deps.changed);
      return await write(tables);
    });
  }
}

/** Between these two places of the text: its beginning, and its end. */
function paragraphEnds(text: string, from: number): number[] {
  return [...text.slice(from).matchAll(/\n\n+/g)].flatMap(({ index }) => (index === 0 ? [] : [from + index]));
}

/** The client's functions that a model called, as a step keeps them. */
export function callsOf(items: readonly KeptItem[]): KeptCall[] {
  return items.flatMap((item) =>
    item.type === "function_call"
      ? [{ id: item.call_id, type: "function" as const, name: item.name, arguments: item.arguments, output: null }]
      : [],
  );
}
