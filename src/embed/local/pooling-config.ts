/** 1_Pooling/config.json. */
import type { PoolingMode } from "./pooling.ts";
import type { JsonFiles, JsonObject } from "./json-files.ts";
import { numberOf, stringOf } from "./json-files.ts";

export interface PoolingConfig {
  modes: PoolingMode[];
  includePrompt: boolean;
  /** Values of one token vector as the file says, or null. */
  width: number | null;
}

/** In the order in which sentence-transformers joins the vectors of several modes. */
const FLAGS: readonly [flag: string, name: string, mode: PoolingMode][] = [
  ["pooling_mode_cls_token", "cls", "cls"],
  ["pooling_mode_max_tokens", "max", "max"],
  ["pooling_mode_mean_tokens", "mean", "mean"],
  ["pooling_mode_mean_sqrt_len_tokens", "mean_sqrt_len_tokens", "mean_sqrt_len"],
  ["pooling_mode_weightedmean_tokens", "weightedmean", "weighted_mean"],
  ["pooling_mode_lasttoken", "lasttoken", "last_token"],
];

/** @param path the module's folder with a slash at its end, or null where the model names none: then the mean */
export async function readPooling(json: JsonFiles, path: string | null, notes: string[]): Promise<PoolingConfig> {
  if (path === null) {
    notes.push("no pooling is configured: the mean of the token vectors is taken, as sentence-transformers does");
    return { modes: ["mean"], includePrompt: true, width: null };
  }
  const name = `${path}config.json`;
  const config = (await json.required(name)) ?? {};
  const modes = modesOf(config);
  if (json.has(name) && modes.length === 0) {
    json.problems.push(`${name} chooses no pooling mode (${FLAGS.map(([flag]) => flag).join(", ")})`);
  }
  return {
    modes,
    includePrompt: config["include_prompt"] !== false,
    width: numberOf(config["word_embedding_dimension"]) ?? numberOf(config["embedding_dimension"]),
  };
}

function modesOf(config: JsonObject): PoolingMode[] {
  const flagged = FLAGS.filter(([flag]) => config[flag] === true).map(([, , mode]) => mode);
  if (flagged.length > 0) return flagged;
  const named = config["pooling_mode"];
  const names = Array.isArray(named) ? named.map(String) : (stringOf(named)?.split("+") ?? []);
  return FLAGS.filter(([, name]) => names.includes(name)).map(([, , mode]) => mode);
}
