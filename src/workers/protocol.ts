/**
 * The complete list of what runs outside the main thread. Plain data and buffers only; a worker has no database.
 * The parse lane is pure JavaScript, in processes that may be killed; the native lanes hold ONNX Runtime and the HNSW
 * addon in threads, which are stopped only cooperatively.
 */
import type { EmbedKind, ModelInfo } from "../embed/provider.ts";
import type { Reranked, RerankerInfo } from "../embed/reranker.ts";
import type { ParseFailure } from "../parse/document.ts";
import type { ParseLimits } from "../parse/limits.ts";
import type { Picture, ReadPage, RecognizedPage } from "../parse/ocr.ts";
import type { PartEntry } from "../index/generation.ts";
import type { GraphSettings } from "../index/hnsw.ts";
import type { TextFacts } from "../index/text-analysis.ts";
import type { Natives } from "../platform/native.ts";

/** A part of a graph to be built. */
export interface GraphPlan {
  directory: string;
  serial: number;
  dimensions: number;
  settings: GraphSettings;
  expected: number;
  base: PartEntry | null;
}

export interface GraphBatch {
  /** One chunk id per vector. */
  ids: Float64Array;
  vectors: Float32Array;
}

export interface ParseSource {
  /** Whose document it is: tenants get workers by turns. */
  tenantId: string;
  /** Absolute path of the bytes. */
  path: string;
  filename: string;
  contentType: string | null;
  /** Where the parsed form is kept; its directory is made if need be. */
  cachePath: string;
  /** What OCR made of the pages that an earlier call named as `scanned`. */
  recognized?: readonly RecognizedPage[] | undefined;
}

export interface WorkerChunk {
  idx: number;
  text: string;
  tokens: number;
  start: number;
  end: number;
  page: number | null;
  pageEnd: number | null;
  line: number | null;
  lineEnd: number | null;
  heading: string[];
  terms: Uint8Array;
}

export interface AnalysedChunk {
  text: string;
  heading: string[];
  filename: string;
  terms: Uint8Array;
}

/** Of a document's text: a page where it has pages. */
export interface TextPart {
  page: number | null;
  text: string;
}

export type ParsedSummary =
  | {
      ok: true;
      chunks: number;
      /** The first of them, which need not be asked for; none where pages are to be read before. */
      first: WorkerChunk[];
      warnings: string[];
      fromCache: boolean;
      scanned: number[];
    }
  | { ok: false; error: ParseFailure; scanned: number[] };

export type ParseMethods = {
  /** Loads what the first document would otherwise wait for (the token ranks above all). */
  warm: { args: null; result: null };
  /**
   * Parses (or reads the cached parse) and cuts into chunks. The first `count` are answered; the rest stay in the worker
   * until `chunks` asks for them.
   */
  parse: {
    args: { source: ParseSource; maxTokens: number; overlapTokens: number; count: number };
    result: ParsedSummary;
  };
  /** A slice of the chunks of the last `parse` in the same session. */
  chunks: { args: { from: number; count: number }; result: WorkerChunk[] };
  /** Terms of chunks that an older analyzer made, brought to this one's. */
  upgradeTerms: { args: { chunks: AnalysedChunk[] }; result: Uint8Array[] };
  /** The parsed text, in parts whose concatenation it is. */
  text: {
    args: { source: ParseSource };
    result: { ok: true; parts: TextPart[]; scanned: number[] } | { ok: false; error: ParseFailure; scanned: number[] };
  };
  /** What a scanned page shows; null where there is nothing to recognise. */
  picture: { args: { source: ParseSource; page: number }; result: Picture | null };
  /** Paragraphs in what the OCR program wrote about one page. */
  readTsv: { args: { tsv: string }; result: ReadPage };
};

export interface ParseInit {
  limits: ParseLimits;
  /** POSIX nice value of the worker's thread. */
  nice: number;
}

/** Texts that come with a request. */
export type TextMethods = {
  /** cl100k_base tokens of each. */
  count: { args: { texts: string[] }; result: number[] };
  /** The same, and the terms of each as a chunk of a file of this name. */
  analyse: { args: { texts: string[]; filename: string }; result: TextFacts[] };
};

export interface TextInit {
  /** POSIX nice value of the worker's thread. */
  nice: number;
}

/** Which model's files a native worker reads. */
export type ModelSource = { type: "bundled"; name: string } | { type: "directory"; path: string };

export type NativeMethods = {
  /** Loads a model, if it is not loaded yet. `problems` say what is wrong with its files. */
  load: {
    args: { key: string; source: ModelSource };
    result: { ok: true; info: ModelInfo } | { ok: false; problems: string[] };
  };
  /** Vectors of texts: one buffer, the windows of each text in order. */
  embed: {
    args: { key: string; source: ModelSource; texts: string[]; kind: EmbedKind };
    result: { vectors: Float32Array; windows: number[]; tokens: number[] };
  };
  /** Loads a reranker, if it is not loaded yet. */
  loadReranker: {
    args: { key: string; path: string };
    result: { ok: true; info: RerankerInfo } | { ok: false; problems: string[] };
  };
  /** Scores of documents for a query, in order. */
  rerank: { args: { key: string; path: string; query: string; documents: string[] }; result: Reranked };
  /** Begins one part of a graph; one at a time. */
  graphStart: { args: GraphPlan; result: null };
  graphAdd: { args: GraphBatch; result: null };
  /** Writes the part, durable and checked. */
  graphFinish: { args: null; result: PartEntry };
  /** Frees what a build that did not end holds. */
  graphRelease: { args: null; result: null };
  /** Forgets a model or reranker that is not needed any more. */
  unload: { args: { key: string }; result: null };
};

export interface NativeInit {
  natives: Natives;
  /** ONNX Runtime threads per session, or those that build a graph. */
  threads: number;
  /** POSIX nice value of the worker's thread; 0 leaves it. */
  nice: number;
  /** Everything open is closed when nothing was asked for so long; without it nothing is. */
  idleMs?: number | undefined;
}

/** What the process that writes images reads and where it writes. */
export interface ImagePlan {
  /** Absolute path of the database, which only this server writes to. */
  database: string;
  dataDir: string;
  generation: ImagedGeneration;
  /** Unix milliseconds. */
  nowMs: number;
}

/** A generation's row, as far as its image is concerned. */
export interface ImagedGeneration {
  id: number;
  tenant_id: string;
  store_id: string;
  model: string;
  model_revision: string;
  dimensions: number;
  chunk_set: number;
  window_tokens: number | null;
}

/** Not written: chunks that an older analyzer made are about to be changed where no mark would tell. */
export type ImageResult = { ok: true; bytes: number; chunks: number } | { ok: false; reason: "older-terms" };

export type ImageMethods = {
  write: { args: ImagePlan; result: ImageResult };
};

export interface ImageInit {
  natives: Natives;
  /** POSIX nice value of the process's working thread. */
  nice: number;
  /** Where a test has the process end. */
  failpoint: string | null;
}
