/**
 * What the body of a request may be at most. Every operation states it, so that none can be forgotten: what a body costs
 * is bounded before anything is made of it, and by what the operation needs, not by what the largest one does.
 */

/** A body that comes all the same is not read. */
export interface NoBody {
  readonly kind: "none";
}

export interface JsonLimit {
  readonly kind: "json";
  readonly bytes: number;
  /** Texts (names of members are some), lists and objects, in all. */
  readonly nodes: number;
  /** What stands in lists and objects, in all: numbers too, which are many and cheap where there are vectors. */
  readonly items: number;
}

export interface FormLimit {
  readonly kind: "form";
  /** All of it: the file, the text parts, and what stands around them. */
  readonly bytes: number;
  readonly fileBytes: number;
}

/** JSON texts one a line, in a body of any length: what each of them may be. */
export interface LinesLimit {
  readonly kind: "lines";
  readonly bytes: number;
  readonly nodes: number;
  readonly items: number;
}

/** A file that is a body of its own. */
export interface BytesLimit {
  readonly kind: "bytes";
  readonly bytes: number;
}

const KIB = 1024;
const MIB = 1024 * KIB;

export const NO_BODY: NoBody = { kind: "none" };
/** A handful of members. */
export const SMALL_BODY: JsonLimit = jsonLimit(64 * KIB, 8192);
/** Some hundreds of ids, or free-form metadata. */
export const MEDIUM_BODY: JsonLimit = jsonLimit(256 * KIB, 16_384);
/** Thousands of ids, or the text of a search with its filter. */
export const LARGE_BODY: JsonLimit = jsonLimit(MIB, 250_000);
/** Texts and vectors by the thousand. */
export const HUGE_BODY: JsonLimit = jsonLimit(64 * MIB, 100_000, 5_000_000);

/** A text with its vector and its metadata a line. */
export const VECTOR_LINES: LinesLimit = { kind: "lines", bytes: MIB, nodes: 256, items: 32_768 };

export function jsonLimit(bytes: number, nodes: number, items = nodes): JsonLimit {
  return { kind: "json", bytes, nodes, items };
}

/** Room for boundaries, part headers and text parts beside the file. */
const AROUND_FILE_BYTES = MIB;

export function formLimit(fileBytes: number): FormLimit {
  return { kind: "form", fileBytes, bytes: fileBytes + AROUND_FILE_BYTES };
}
