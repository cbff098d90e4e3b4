/**
 * What is kept of a Response's items: the shapes that clients see, with everything that Lectern knows. The API leaves
 * out what was not asked for.
 */
import type { FileId, StoreId } from "./ids.ts";

/** A passage that was found. */
export interface KeptResult {
  file_id: FileId;
  filename: string;
  score: number;
  /** Empty once its file was deleted. */
  text: string;
  attributes: Record<string, string | number | boolean>;
  vector_store_id: StoreId;
  chunk_id: string;
  chunk_index: number;
  page: number | null;
  page_end: number | null;
  line: number | null;
  line_end: number | null;
  heading: string[];
  /** Code points into the file's content. */
  start_offset: number;
  end_offset: number;
}

export interface KeptCitation {
  type: "file_citation";
  /** Code points of the text before it. */
  index: number;
  file_id: FileId;
  filename: string;
  /** An exact slice of the file's content; empty once the file was deleted. */
  quote: string;
  start_offset: number;
  end_offset: number;
  vector_store_id: StoreId;
  chunk_id: string;
  page: number | null;
  /** The text quotes it; the language model named it; its words are those of the sentence before. */
  cited_by: "quote" | "model" | "overlap";
}

export interface KeptSearchCall {
  id: string;
  type: "file_search_call";
  status: "completed" | "incomplete" | "failed" | "in_progress" | "searching";
  queries: string[];
  /** Null in what a client sent back: its passages are not kept again. */
  results: KeptResult[] | null;
}

export type KeptInputPart =
  | { type: "input_text"; text: string }
  | { type: "input_image"; detail: string; image_url?: string; file_id?: string }
  | {
      type: "input_file";
      file_id?: string;
      file_data?: string;
      filename?: string;
    };
export type KeptOutputPart =
  | { type: "output_text"; text: string; annotations: KeptCitation[]; logprobs: never[] }
  | { type: "refusal"; refusal: string };

export interface KeptInputMessage {
  id: string;
  type: "message";
  status: "completed";
  role: "user" | "system" | "developer";
  content: KeptInputPart[];
}

export interface KeptMessage {
  id: string;
  type: "message";
  status: "completed" | "incomplete";
  role: "assistant";
  content: KeptOutputPart[];
}

export interface KeptFunctionCall {
  id: string;
  type: "function_call";
  status: "completed";
  arguments: string;
  call_id: string;
  name: string;
}

export interface KeptFunctionOutput {
  id: string;
  type: "function_call_output";
  status: "completed";
  call_id: string;
  output: string | KeptInputPart[];
}

/** Stands for an item that is kept elsewhere; it goes with that one. */
export interface KeptReference {
  id: string;
  type: "item_reference";
  /** Id of the item meant. */
  to: string;
}

export type KeptItem =
  | KeptInputMessage
  | KeptMessage
  | KeptSearchCall
  | KeptFunctionCall
  | KeptFunctionOutput
  | KeptReference;

export const ITEM_PREFIXES = {
  message: "msg_",
  file_search_call: "fs_",
  function_call: "fc_",
  function_call_output: "fc_",
  item_reference: "ref_",
} as const satisfies Record<KeptItem["type"], string>;

/** Whether text of this file, as it is in this store, is to be emptied. */
export type IsGone = (storeId: StoreId, fileId: FileId) => boolean;

/** The item without what was taken from deleted files: the text of passages, and quotations. The answer's text stays. */
export function withoutSources(item: KeptItem, isGone: IsGone): KeptItem {
  if (item.type === "file_search_call" && item.results !== null) {
    const results = item.results.map((result) =>
      isGone(result.vector_store_id, result.file_id) ? { ...result, text: "" } : result,
    );
    return { ...item, results };
  }
  if (item.type !== "message" || item.role !== "assistant") return item;
  const content = item.content.map((part) => {
    if (part.type !== "output_text") return part;
    const annotations = part.annotations.map((one) =>
      isGone(one.vector_store_id, one.file_id) ? { ...one, quote: "" } : one,
    );
    return { ...part, annotations };
  });
  return { ...item, content };
}
