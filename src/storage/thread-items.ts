/** What is kept inside of threads and runs: the shapes that clients see, with everything that Lectern knows. */
import type { FileId, MessageId, StoreId } from "./ids.ts";
import type { IsGone, KeptCitation, KeptResult } from "./response-items.ts";
import type { Source } from "./response-sources.ts";

export interface KeptResources {
  code_interpreter?: { file_ids: FileId[] };
  file_search?: { vector_store_ids: StoreId[] };
}

/** A citation of a message; the marker in its text is made when it is shown. */
export interface KeptMark extends KeptCitation {
  /** Number of the passage in the results of the search. */
  passage: number;
}

export type KeptMessagePart =
  | {
      type: "text";
      text: string;
      marks: KeptMark[];
      /** Where the pieces ended as they came, in UTF-16 units; without it every paragraph is a piece. */
      cuts?: number[];
    }
  | { type: "image_url"; image_url: { url: string; detail: string } }
  | { type: "image_file"; image_file: { file_id: FileId; detail: string } };

export interface KeptAttachment {
  file_id: FileId;
  tools: { type: "file_search" | "code_interpreter" }[];
}

export interface KeptRankingOptions {
  ranker: string;
  score_threshold: number;
  [more: string]: unknown;
}

export interface KeptSearch {
  id: string;
  type: "file_search";
  /** As they were asked for. */
  ranking_options: KeptRankingOptions;
  /** Exactly what was searched. */
  queries: string[];
  /** Best first. */
  results: KeptResult[];
}

export interface KeptCall {
  id: string;
  type: "function";
  name: string;
  arguments: string;
  /** Null until it is submitted. */
  output: string | null;
}

export type KeptStepDetails =
  | { type: "message_creation"; message_id: MessageId }
  | { type: "tool_calls"; tool_calls: (KeptSearch | KeptCall)[] };

export interface KeptTokens {
  input: number;
  output: number;
  /** Of the input; none where it is not known. */
  cached?: number;
  /** Of the output. */
  reasoning?: number;
}

/** What a step holds of each file. */
export function stepSources(details: KeptStepDetails): Source[] {
  const sources = new SourceCounts();
  if (details.type === "tool_calls")
    for (const call of details.tool_calls) {
      if (call.type !== "file_search") continue;
      for (const result of call.results) if (result.text !== "") sources.of(result).results += 1;
    }
  return sources.all;
}

/** What a message holds of each file. */
export function messageSources(content: readonly KeptMessagePart[]): Source[] {
  const sources = new SourceCounts();
  for (const part of content)
    for (const mark of part.type === "text" ? part.marks : []) {
      const source = sources.of(mark);
      source.cited = true;
      if (mark.quote !== "") source.quotes += 1;
    }
  return sources.all;
}

/** A step without the text of deleted files. */
export function stepWithout(details: KeptStepDetails, isGone: IsGone): KeptStepDetails {
  if (details.type !== "tool_calls") return details;
  const calls = details.tool_calls.map((call) => {
    if (call.type !== "file_search") return call;
    const results = call.results.map((result) =>
      isGone(result.vector_store_id, result.file_id) ? { ...result, text: "" } : result,
    );
    return { ...call, results };
  });
  return { ...details, tool_calls: calls };
}

/** A message without quotations of deleted files. Its text stays. */
export function messageWithout(content: readonly KeptMessagePart[], isGone: IsGone): KeptMessagePart[] {
  return content.map((part) => {
    if (part.type !== "text") return part;
    const marks = part.marks.map((mark) =>
      isGone(mark.vector_store_id, mark.file_id) ? { ...mark, quote: "" } : mark,
    );
    return { ...part, marks };
  });
}

class SourceCounts {
  readonly #sources = new Map<string, Source>();

  get all(): Source[] {
    return [...this.#sources.values()];
  }

  of({ vector_store_id: store, file_id: file }: { vector_store_id: StoreId; file_id: FileId }): Source {
    const key = `${store} ${file}`;
    const source = this.#sources.get(key) ?? { store_id: store, file_id: file, results: 0, quotes: 0, cited: false };
    this.#sources.set(key, source);
    return source;
  }
}
