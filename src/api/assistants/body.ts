/** Reads the bodies of these features: they bring tools along that are told of in words of their own. */
import type { TSchema, Static } from "@sinclair/typebox";
import { AppError } from "../../errors.ts";
import { jsonLimit } from "../../http/body-limit.ts";
import { assertNone, compileValidator } from "../../http/validate.ts";
import { countCodePoints } from "../../platform/code-points.ts";
import { shown } from "../../platform/words.ts";
import { checkPairs } from "../attaching/input.ts";

/** A conversation that somebody brings along, or instructions of OpenAI's greatest length in any script. */
export const TEXT_BODY = jsonLimit(4 * 1024 * 1024, 100_000);

const TOOL_TYPES: readonly unknown[] = ["file_search", "function", "code_interpreter"];

/** Throws a 400 for what is not valid. */
export function readBody<S extends TSchema>(schema: S, sent: unknown): Static<S> {
  if (isObject(sent)) refuseUnknownTools(sent["tools"]);
  const { value, problem } = compileValidator(schema).read(sent);
  assertNone(problem);
  const body = value as Static<S>;
  const metadata: unknown = isObject(body) ? body["metadata"] : undefined;
  if (isObject(metadata)) checkPairs(metadata, "metadata");
  return body;
}

function refuseUnknownTools(tools: unknown): void {
  if (!Array.isArray(tools)) return;
  for (const [i, tool] of tools.entries()) {
    if (!isObject(tool) || typeof tool["type"] !== "string" || TOOL_TYPES.includes(tool["type"])) continue;
    const text = `Tool type '${shown(tool["type"])}' is not supported by this server. Supported: 'file_search', 'function', 'code_interpreter'.`;
    throw new AppError("unsupported_value", text, { param: `tools[${i}].type` });
  }
}

/** Characters, not UTF-16 units: an emoji is one. */
export function checkLength(text: string | null | undefined, most: number, param: string): void {
  if (text === null || text === undefined || text.length <= most) return;
  const length = countCodePoints(text);
  if (length <= most) return;
  const words = `Invalid '${param}': string too long. Expected a string with maximum length ${most}, but got a string with length ${length} instead.`;
  throw new AppError("string_above_max_length", words, { param });
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
