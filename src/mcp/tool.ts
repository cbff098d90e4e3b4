import type { TObject } from "@sinclair/typebox";
import type { VectorStore } from "../api/store-schema.ts";
import type { Caller } from "../http/caller.ts";
import type { Links } from "./links.ts";

/**
 * A tool as it is listed and called. All of them only read. What a tool is called and what its description says is the
 * same for everybody and holds nothing of anybody's documents: programs trust it more than they trust results.
 */
export interface Tool {
  name: string;
  title: string;
  description: string;
  /** Of its arguments; closed. */
  input: TObject;
  output: TObject;
  /** `args` fit `input`. Throws `ToolError`, and what services throw. */
  run(args: unknown, call: ToolCall): Promise<object>;
}

/** For whom a tool is run, and where. */
export interface ToolCall {
  caller: Caller;
  /** The only store that this address has; null: all that the key may see. */
  store: VectorStore | null;
  links: Links;
  /** Aborted when the client goes away. */
  signal: AbortSignal;
}

/** What the model that called a tool can put right; the message says how. */
export class ToolError extends Error {
  override name = "ToolError";
}
