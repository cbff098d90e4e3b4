/** What an ONNX graph of a text encoder is fed: which inputs it asks for, and how rows of tokens become tensors. */
import type { OnnxRuntime } from "../../platform/native.ts";
import type { SpecialTokens } from "./tokenizer.ts";

type Session = Awaited<ReturnType<OnnxRuntime["InferenceSession"]["create"]>>;
type Metadata = Session["inputMetadata"][number];
type Tensor = Parameters<Session["run"]>[0][string];

/** One row of a run: special tokens, prompt, then `start` to `end` of `ids`, special tokens. */
export interface BatchRow {
  ids: Int32Array;
  /** Length of the prompt, which is the beginning of `ids`. */
  prompt: number;
  start: number;
  end: number;
  special: SpecialTokens;
}

type TokenKind = "ids" | "mask" | "types" | "positions";
export const IDS_INPUT = "input_ids";
const TOKEN_INPUTS: Readonly<Record<string, TokenKind>> = {
  [IDS_INPUT]: "ids",
  attention_mask: "mask",
  token_type_ids: "types",
  position_ids: "positions",
};
/** Exports of decoders (Qwen3-Embedding is one) ask for the keys and values of what came before. Nothing did. */
const PAST_INPUT = /^past_key_values\.\d+\.(?:key|value)$/;

/** rows x length integers. */
export interface TokenInput {
  name: string;
  kind: TokenKind;
  wide: boolean;
}

/** rows x heads x 0 x size floats. */
export interface PastInput {
  name: string;
  type: "float32" | "float16";
  heads: number;
  size: number;
}

export interface GraphInputs {
  tokens: TokenInput[];
  past: PastInput[];
}

/** Sorts a graph's inputs by what they are fed with; notes as a problem each that is not known. */
export function chooseInputs(metadata: readonly Metadata[], graph: string, problems: string[]): GraphInputs {
  const inputs: GraphInputs = { tokens: [], past: [] };
  for (const meta of metadata) {
    const kind = TOKEN_INPUTS[meta.name];
    if (PAST_INPUT.test(meta.name)) {
      const past = pastInput(meta);
      if (past === null)
        problems.push(`${graph}: the input '${meta.name}' is not floats of rows x heads x length x size`);
      else inputs.past.push(past);
    } else if (kind === undefined) {
      problems.push(
        `${graph} asks for the input '${meta.name}', which is not known (${Object.keys(TOKEN_INPUTS).join(", ")} are)`,
      );
    } else if (!meta.isTensor || (meta.type !== "int64" && meta.type !== "int32")) {
      problems.push(`${graph}: the input '${meta.name}' is not of type int64 or int32`);
    } else inputs.tokens.push({ name: meta.name, kind, wide: meta.type === "int64" });
  }
  if (!inputs.tokens.some((input) => input.kind === "ids") && problems.length === 0) {
    problems.push(`${graph} has no input '${IDS_INPUT}'`);
  }
  return inputs;
}

function pastInput(meta: Metadata): PastInput | null {
  if (!meta.isTensor || meta.shape.length !== 4 || (meta.type !== "float32" && meta.type !== "float16")) return null;
  const [, heads, length, size] = meta.shape;
  // A length that is fixed is one that cannot be zero.
  if (typeof heads !== "number" || typeof size !== "number" || heads < 1 || size < 1) return null;
  if (typeof length === "number" && length > 0) return null;
  return { name: meta.name, type: meta.type, heads, size };
}

/** The past of rows that have none. */
export function emptyPast(ort: OnnxRuntime, { type, heads, size }: PastInput, rows: number): Tensor {
  const shape = [rows, heads, 0, size];
  return type === "float32"
    ? new ort.Tensor("float32", new Float32Array(0), shape)
    : new ort.Tensor("float16", new Float16Array(0) as unknown as Uint16Array, shape);
}

/** Writes one row of a token input from `start` on, every `step` words. */
export function fillRow(kind: TokenKind, row: BatchRow, words: Int32Array, start: number, step: number): void {
  const { special, ids } = row;
  let at = start;
  const put = (value: number): void => {
    words[at] = value;
    at += step;
  };
  if (kind === "ids") {
    for (const id of special.before) put(id);
    for (let i = 0; i < row.prompt; i++) put(ids[i] as number);
    for (let i = row.start; i < row.end; i++) put(ids[i] as number);
    for (const id of special.after) put(id);
    return;
  }
  const text = row.prompt + row.end - row.start;
  const length = special.before.length + text + special.after.length;
  if (kind === "types") {
    for (const type of special.beforeTypes) put(type);
    for (let i = 0; i < text; i++) put(special.textType);
    for (const type of special.afterTypes) put(type);
  } else for (let i = 0; i < length; i++) put(kind === "mask" ? 1 : i);
}
