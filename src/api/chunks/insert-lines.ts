import { AppError } from "../../errors.ts";
import { type Line, LineError } from "../../http/lines.ts";
import type { Asking } from "../asking.ts";
import type { VectorInserter } from "./insert.ts";
import type { InsertVectorBody } from "./schema.ts";

/** Lines that are put in together, and bytes of them: some milliseconds of the serving thread in one go. */
const RUN_LINES = 250;
const RUN_BYTES = 2 * 1024 * 1024;

export interface LinesToInsert {
  lines: AsyncIterable<Line<InsertVectorBody>>;
  /** Who asks at the time of each run: a stream may go on for long. */
  asking: () => Promise<Asking>;
  signal: AbortSignal;
  stopping: AbortSignal;
}

/**
 * Puts vectors in while they come, in runs: each is in whole or not at all, and what was put in stays, whatever comes
 * after it. While one run is written, the next is read, and no more. Returns how many there are.
 *
 * A line that is not as it should be ends it, with what stands before it put in. Where the body breaks off, the run that
 * was begun is not.
 * @throws AppError which says how many stand
 */
export async function insertLines(inserter: VectorInserter, options: LinesToInsert): Promise<number> {
  return await new LineRuns(inserter, options).insert();
}

type BodyLine = Line<InsertVectorBody>;

class LineRuns {
  readonly #inserter: VectorInserter;
  readonly #options: LinesToInsert;
  #inserted = 0;
  #writing: Promise<void> = Promise.resolve();

  constructor(inserter: VectorInserter, options: LinesToInsert) {
    this.#inserter = inserter;
    this.#options = options;
  }

  async insert(): Promise<number> {
    try {
      await this.#inserter.assertUsable(await this.#options.asking());
      await this.#readAll();
      return this.#inserted;
    } catch (error) {
      await this.#writing.catch(() => {});
      throw this.#told(error);
    }
  }

  async #readAll(): Promise<void> {
    let run: BodyLine[] = [];
    let bytes = 0;
    const end = async (): Promise<void> => {
      await this.#writing;
      this.#writing = this.#write(run);
      // Looked at with the next run.
      this.#writing.catch(() => {});
      run = [];
      bytes = 0;
    };
    try {
      for await (const line of this.#options.lines) {
        run.push(line);
        bytes += line.bytes;
        if (run.length >= RUN_LINES || bytes >= RUN_BYTES) await end();
      }
    } catch (error) {
      if (!(error instanceof LineError)) throw error;
      await end();
      await this.#writing;
      throw error;
    }
    await end();
    await this.#writing;
  }

  async #write(run: readonly BodyLine[]): Promise<void> {
    const { asking, signal, stopping } = this.#options;
    if (run.length === 0) return;
    if (stopping.aborted) throw new AppError("shutting_down", "The server is shutting down.", { retryAfterSeconds: 1 });
    const prefix = (i: number) => `lines[${run[i]?.number}].`;
    try {
      await this.#inserter.insert(await asking(), { bodies: run.map(({ value }) => value), prefix }, signal);
      this.#inserted += run.length;
    } catch (error) {
      const broken = lineOf(error);
      const before = broken === null ? [] : run.filter(({ number }) => number < broken);
      if (before.length > 0) await this.#write(before);
      throw error;
    }
  }

  /** The error with what stands: sending the same body again would put that in twice. */
  #told(error: unknown): unknown {
    if (!(error instanceof AppError)) return error;
    const { code, message, retryAfterSeconds } = error;
    const inserted = this.#inserted;
    const stand = inserted === 1 ? "1 embedding stands" : `${inserted} embeddings stand`;
    const line = lineOf(error);
    const way = line === null ? "" : `: send the lines from ${line} on again, without what is wrong`;
    return new AppError(code, `${message} ${stand}${way}.`, {
      param: error.param ?? undefined,
      retryAfterSeconds: retryAfterSeconds ?? undefined,
      isFinal: inserted > 0 || error.isFinal,
      beside: { inserted, ...(line === null ? {} : { line }) },
      cause: error.cause,
    });
  }
}

/** The line that an error is about; null where it is about none. */
function lineOf(error: unknown): number | null {
  const number = error instanceof AppError ? /^lines\[(\d+)\]/.exec(error.param ?? "")?.[1] : undefined;
  return number === undefined ? null : Number(number);
}
