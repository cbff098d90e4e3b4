import type { Static, TObject } from "@sinclair/typebox";
import { AppError, type ErrorCode } from "../errors.ts";
import { statusOf } from "../http/plugins/errors.ts";
import { compileValidator } from "../http/validate.ts";
import { type Tool, type ToolCall, ToolError } from "./tool.ts";

/** A tool as it is listed. */
export interface ListedTool {
  name: string;
  title: string;
  description: string;
  inputSchema: { type: "object"; [member: string]: unknown };
  outputSchema: { type: "object"; [member: string]: unknown };
  annotations: typeof READS;
}

/** With these programs do not ask a person before each call. */
const READS = { readOnlyHint: true, destructiveHint: false, idempotentHint: true, openWorldHint: false } as const;

/** A type, no interface: the protocol's library lets results have members that it does not know. */
export type ToolResult = {
  content: { type: "text"; text: string }[];
  structuredContent?: Record<string, unknown>;
  isError?: true;
};

/** Failures that are no fault of the call and pass: whoever calls is told in HTTP's way to come again. */
const COME_AGAIN: readonly ErrorCode[] = ["overloaded", "rate_limit_exceeded", "shutting_down", "too_many_connections"];
/** Failures of other servers: another store may have another model. */
const ELSEWHERE: readonly ErrorCode[] = [
  "embedding_provider_error",
  "embedding_model_unavailable",
  "reranker_unavailable",
];

/** The tools of one kind of address, in a fixed order. */
export class Toolset {
  readonly listed: readonly ListedTool[];
  readonly #tools: ReadonlyMap<string, Tool>;

  constructor(tools: readonly Tool[]) {
    this.#tools = new Map(tools.map((tool) => [tool.name, tool]));
    this.listed = tools.map(({ name, title, description, input, output }) => ({
      name,
      title,
      description,
      inputSchema: plain(input),
      outputSchema: plain(output),
      annotations: READS,
    }));
  }

  has(name: string): boolean {
    return this.#tools.has(name);
  }

  /** What the model can put right is a result that says how; anything else is thrown. */
  async run(name: string, args: unknown, call: ToolCall): Promise<ToolResult> {
    const tool = this.#tools.get(name);
    if (tool === undefined) throw new Error(`there is no tool ${name}`);
    const { value, problem } = compileValidator(tool.input).read(args ?? {});
    if (problem !== null) return failed(problem.message);
    try {
      const result = (await tool.run(value, call)) as Static<TObject>;
      return { content: [{ type: "text", text: JSON.stringify(result) }], structuredContent: result };
    } catch (error) {
      if (error instanceof ToolError || (error instanceof AppError && canBePutRight(error.code)))
        return failed(error.message);
      throw error;
    }
  }
}

function canBePutRight(code: ErrorCode): boolean {
  return ELSEWHERE.includes(code) || (statusOf(code) < 500 && !COME_AGAIN.includes(code));
}

function failed(text: string): ToolResult {
  return { content: [{ type: "text", text }], isError: true };
}

/** Without what the schema's library keeps beside it, under symbols. */
function plain(schema: TObject): ListedTool["inputSchema"] {
  return { ...structuredClone(schema), type: "object" };
}
