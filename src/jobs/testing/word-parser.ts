import { encodeTerms } from "../../index/analyzer.ts";
import type { ParseLane, ParseOutcome } from "../../workers/parse-lane.ts";
import type { ParseSource, WorkerChunk } from "../../workers/protocol.ts";

type Parse = ParseLane["parse"];
type Strategy = Parameters<Parse>[1];
type OnChunks = Parameters<Parse>[2];

/** A parse lane on the calling thread, for plain text: as many words to a chunk, and shared, as the strategy allows tokens. */
export class WordParser implements Pick<ParseLane, "parse" | "tryTurn"> {
  /** File names, in the order in which they were parsed. */
  readonly parsed: string[] = [];
  /** Instead of the next parses. */
  readonly instead: ((onChunks: OnChunks, chunks: WorkerChunk[]) => ParseOutcome | Promise<ParseOutcome>)[] = [];
  warnings: string[] = [];

  /** There is a place for everybody. */
  tryTurn(): Disposable {
    return { [Symbol.dispose]: () => undefined };
  }

  async parse(source: ParseSource, strategy: Strategy, onChunks: OnChunks, signal: AbortSignal): Promise<ParseOutcome> {
    if (signal.aborted) return { type: "interrupted" };
    this.parsed.push(source.filename);
    const chunks = chunksOf(await Bun.file(source.path).text(), strategy);
    const instead = this.instead.shift();
    if (instead !== undefined) return await instead(onChunks, chunks);
    for (let from = 0; from < chunks.length; from += SLICE)
      await onChunks(chunks.slice(from, from + SLICE), from + SLICE >= chunks.length);
    return { type: "parsed", warnings: this.warnings };
  }
}

const SLICE = 4;

function chunksOf(text: string, { maxTokens: words, overlapTokens }: Strategy): WorkerChunk[] {
  const found = [...text.matchAll(/\S+/g)];
  const chunks: WorkerChunk[] = [];
  for (let from = 0; from === 0 || from + overlapTokens < found.length; from += words - overlapTokens) {
    const [first, last] = [found[from], found.slice(from, from + words).at(-1)];
    if (first === undefined || last === undefined) break;
    const [start, end] = [first.index, last.index + last[0].length];
    const part = text.slice(start, end);
    const terms = encodeTerms({ text: part, heading: [], title: "" });
    const place = { page: null, pageEnd: null, line: null, lineEnd: null };
    const tokens = Math.min(words, found.length - from);
    chunks.push({ idx: chunks.length, text: part, tokens, start, end, ...place, heading: [], terms });
  }
  return chunks;
}
