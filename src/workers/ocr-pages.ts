import type { RecognizedPage } from "../parse/ocr.ts";
import type { CallFailure } from "../platform/worker-link.ts";
import { WorkerCallError } from "../platform/worker-pool.ts";
import type { Ocr } from "./ocr.ts";
import type { ParseMethods, ParseSource } from "./protocol.ts";

/** Calls whichever parse worker is free, under the lane's bounds on time and memory. */
export type CallWorker = <K extends keyof ParseMethods & string>(
  method: K,
  args: ParseMethods[K]["args"],
) => Promise<ParseMethods[K]["result"]>;

/**
 * Recognises the scanned pages of one document, within the bounds on pages and time. A parse worker is held only
 * while it takes a picture out of the file, so that other documents are parsed meanwhile; null when interrupted.
 */
export async function recognizePages(
  { ocr, call }: { ocr: Ocr; call: CallWorker },
  source: ParseSource,
  scanned: readonly number[],
  signal: AbortSignal,
): Promise<RecognizedPage[] | null> {
  const { maxPages, maxSeconds, slots } = ocr.limits;
  const endsAt = performance.now() + maxSeconds * 1000;
  const pages: RecognizedPage[] = scanned.map((number) => ({ number, outcome: "skipped" }));

  const recognize = async (number: number): Promise<RecognizedPage> => {
    const picture = await twice(() => call("picture", { source, page: number }));
    if (picture === null) return { number, outcome: "read", paragraphs: [], doubtful: false };
    const outcome = await ocr.recognize(picture, endsAt - performance.now(), signal);
    if (outcome.type !== "read") return { number, outcome: "failed" };
    return { number, outcome: "read", ...(await twice(() => call("readTsv", { tsv: outcome.tsv }))) };
  };

  let next = 0;
  const work = async (): Promise<void> => {
    while (next < Math.min(maxPages, scanned.length) && performance.now() < endsAt && !signal.aborted) {
      const at = next++;
      const number = scanned[at] ?? 0;
      try {
        pages[at] = await recognize(number);
      } catch (error) {
        // A page that breaks a worker costs itself only.
        if (!(error instanceof WorkerCallError)) throw error;
        if (error.reason === "aborted" || error.reason === "closed") return;
        pages[at] = { number, outcome: "failed" };
      }
    }
  };
  await Promise.all(Array.from({ length: slots }, work));
  return signal.aborted ? null : pages;
}

/** What a worker may have ended of through no fault of the page. */
const AGAIN: ReadonlySet<CallFailure> = new Set(["crashed", "killed"]);

/** A worker may have been ended for what another document did. */
async function twice<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof WorkerCallError) || !AGAIN.has(error.reason)) throw error;
    return await work();
  }
}
