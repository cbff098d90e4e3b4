import type { Config } from "../config/config.ts";
import { DEFAULT_BUNDLED_MODEL } from "../models/bundled-model.ts";
import type { Storage } from "../storage/storage.ts";

export interface DefaultModel {
  name: string;
  /** What a person should know of it, in a line. */
  notice: string | null;
}

/**
 * The model of clients that name none, or a hosted one: what the settings say, else what the data directory was made
 * with. Clients keep vectors of it elsewhere, so another version of Lectern does not change it.
 *
 * @param newest what a new data directory gets
 */
export async function defaultModelOf(
  { defaultModel }: Pick<Config, "defaultModel">,
  { instance }: Pick<Storage, "instance">,
  newest = DEFAULT_BUNDLED_MODEL,
): Promise<DefaultModel> {
  const kept = await instance.defaultModel(newest);
  if (defaultModel !== null || kept === newest) return { name: defaultModel ?? kept, notice: null };
  const notice =
    `This data directory was made with ${kept} as its default model and keeps it, also behind names of hosted models. ` +
    `Stores that exist are moved by a migration; new ones take --default-model ${newest}.`;
  return { name: kept, notice };
}
