/** How many tokens the model takes at once: the smallest of the limits that its files name. */
import type { JsonObject } from "./json-files.ts";
import { numberOf, stringOf } from "./json-files.ts";

/** Models whose positions start after the padding id, so that two of them are not for tokens. */
const OFFSET_POSITIONS = ["roberta", "xlm-roberta", "camembert", "mpnet", "longformer"];
/** Models without a table of positions (static ones) may name any length; runs of the graph stay bounded by this. */
const LONGEST_WINDOW = 32_768;
const USUAL_WINDOW = 512;

export interface WindowSources {
  config: JsonObject;
  sentence: JsonObject;
  tokenizerConfig: JsonObject;
  asked: number | undefined;
}

/** Tokens of a window, special tokens included; null with a problem noted where that is not possible. */
export function readWindow(sources: WindowSources, problems: string[]): number | null {
  const { config, sentence, tokenizerConfig, asked } = sources;
  const offset = OFFSET_POSITIONS.includes(stringOf(config["model_type"]) ?? "") ? 2 : 0;
  const positions = numberOf(config["max_position_embeddings"]);
  const hard = positions === null || positions <= 0 ? null : positions - offset;
  const trained = numberOf(sentence["max_seq_length"]);
  const usual = numberOf(tokenizerConfig["model_max_length"]);
  const limits = [hard, asked ?? trained ?? usual, LONGEST_WINDOW].filter((n): n is number => n !== null && n > 0);
  const window = Math.floor(limits.length === 1 ? USUAL_WINDOW : Math.min(...limits));
  if (asked !== undefined && hard !== null && asked > hard) {
    problems.push(`a window of ${asked} tokens was asked for, but config.json allows ${hard}`);
    return null;
  }
  if (window < 8) {
    problems.push(`the window of ${window} tokens is too short (max_seq_length, max_position_embeddings)`);
    return null;
  }
  return window;
}
