/**
 * Answers of language models that are being written in the background, for those who follow them. In memory; where
 * several servers share a database also in rows, some times a second, so that they can be followed at any of them.
 */
import { newId } from "../platform/ids.ts";
import type { ResponseRow } from "../storage/responses.ts";
import type { ResponseStepsTable } from "../storage/response-steps.ts";
import type { Tables } from "../storage/storage.ts";
import { type AnswerStep, AnswerWriter } from "./steps.ts";

export interface LiveAnswersDeps {
  /** Wakes those who follow the answer of this id at this server. */
  changedHere: (responseId: string) => void;
  /** Null where nobody can follow it at another. */
  shared: SharedAnswers | null;
}

export interface SharedAnswers {
  steps: ResponseStepsTable;
  /** Wakes those who follow the answer at other servers. */
  changed: (responseId: string) => void;
}

type Answer = Pick<ResponseRow, "id" | "tenant_id" | "seq">;

interface Live {
  steps: AnswerStep[];
  writer: AnswerWriter;
  scribe: Scribe | null;
}

export class LiveAnswers {
  readonly #deps: LiveAnswersDeps;
  readonly #live = new Map<string, Live>();

  constructor(deps: LiveAnswersDeps) {
    this.#deps = deps;
  }

  /** Null where a client has seen something of an earlier attempt: an answer cannot begin twice. */
  async begin(answer: Answer): Promise<AnswerWriter | null> {
    const { changedHere, shared } = this.#deps;
    const steps: AnswerStep[] = [];
    const writer = new AnswerWriter((step) => {
      steps.push(step);
      scribe?.note();
      changedHere(answer.id);
    });
    const scribe = shared === null ? null : new Scribe(shared, answer, { steps, onLost: () => writer.breakOff() });
    if (scribe !== null && !(await scribe.begin())) return null;
    this.#live.set(answer.id, { steps, writer, scribe });
    return writer;
  }

  end(responseId: string, writer: AnswerWriter): void {
    const live = this.#live.get(responseId);
    if (live?.writer !== writer) return;
    live.scribe?.stop();
    this.#live.delete(responseId);
  }

  /** Those from this number on; more comes at their end. */
  async stepsFrom(answer: Answer, from: number): Promise<readonly AnswerStep[]> {
    const live = this.#live.get(answer.id);
    if (live !== undefined) return live.steps.slice(from);
    return (await this.#deps.shared?.steps.from(answer, from)) ?? [];
  }

  /** Ends what is being written here, and gives who wrote it. */
  breakOff(responseId: string): AnswerWriter | null {
    const writer = this.#live.get(responseId)?.writer ?? null;
    writer?.breakOff();
    return writer;
  }

  /** What another server has written of it, inside the transaction that ends it. */
  async writtenElsewhere(tables: Pick<Tables, "responseSteps">, answer: Answer): Promise<AnswerWriter | null> {
    return this.#deps.shared === null ? null : AnswerWriter.of(await tables.responseSteps.closed(answer));
  }
}

/** Between two times that steps are written down. */
const WRITE_EVERY_MS = 150;

/** Writes steps down, in order. What cannot be written now is written with what comes next. */
class Scribe {
  readonly #shared: SharedAnswers;
  readonly #answer: Answer;
  readonly #steps: readonly AnswerStep[];
  /** The answer has ended, or somebody else writes it. */
  readonly #onLost: () => void;
  readonly #name = newId("req_");
  #written = 0;
  #timer: Timer | null = null;
  #isOver = false;

  constructor(
    shared: SharedAnswers,
    answer: Answer,
    { steps, onLost }: { steps: readonly AnswerStep[]; onLost: () => void },
  ) {
    this.#shared = shared;
    this.#answer = answer;
    this.#steps = steps;
    this.#onLost = onLost;
  }

  async begin(): Promise<boolean> {
    return await this.#shared.steps.begin(this.#answer, this.#name);
  }

  note(): void {
    if (this.#isOver) return;
    this.#timer ??= setTimeout(() => void this.#write(), WRITE_EVERY_MS);
  }

  stop(): void {
    this.#isOver = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
  }

  async #write(): Promise<void> {
    const { steps, changed } = this.#shared;
    const added = this.#steps.slice(this.#written);
    try {
      const isKept = await steps.add(this.#answer, this.#name, this.#written, added);
      if (isKept) {
        this.#written += added.length;
        changed(this.#answer.id);
      } else if (!this.#isOver) {
        this.stop();
        this.#onLost();
      }
    } catch {
      // The database is away: the end of the answer cannot be written either while it is.
    }
    // Only now: one at a time.
    this.#timer = null;
    if (this.#steps.length > this.#written) this.note();
  }
}
