import type { Dialect } from "../../http/dialect.ts";
import { aqueduct } from "./aqueduct.ts";
import { fightclub } from "./fightclub.ts";
import { legacy } from "./legacy.ts";
import { openaiStrict } from "./openai-strict.ts";
import { openai } from "./openai.ts";
import type { Presenter } from "./presenter.ts";
import { ragwalla } from "./ragwalla.ts";

const PRESENTERS: Record<Dialect, Presenter> = {
  openai,
  "openai-strict": openaiStrict,
  fightclub,
  aqueduct,
  ragwalla,
  legacy,
};

export const presenterFor = (dialect: Dialect): Presenter => PRESENTERS[dialect];
