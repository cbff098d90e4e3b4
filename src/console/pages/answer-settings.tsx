import type { Model } from "../../api/models/schema.ts";
import { Choice } from "../parts/fields.tsx";
import { StoreChoice } from "../parts/store-choice.tsx";
import type { AnswerOptions } from "../state/answers.ts";
import { useConsole } from "../state/console.ts";
import { useLoad } from "../state/use-load.ts";
import { visible } from "../text/visible.ts";
import { WORDS } from "../words.ts";
import { StoreFilter } from "./filter-builder.tsx";

const WORD = WORDS.answers;
/** What quotes, without a language model. */
const QUOTING = "lectern-extractive";
/** Stores that an answer may search, the page's own included. */
const MOST_STORES = 10;

export interface AnswerSettingsProps {
  store: string;
  options: AnswerOptions;
  onChange: (options: AnswerOptions) => void;
}

/** Who answers, and where it is looked for. */
export function AnswerSettings({ store, options, onChange }: AnswerSettingsProps) {
  const { api } = useConsole();
  const models = useLoad("models", (signal) => api.get<{ data: Model[] }>("models", signal));
  const chat = (models.data?.data ?? []).filter(({ kind, id }) => kind === "chat" && id !== QUOTING);
  const choices: [string, string][] = [
    ["", WORD.asServed],
    [QUOTING, WORD.quoted],
    ...chat.map(({ id }): [string, string] => [id, visible(id)]),
  ];
  return (
    <>
      <details>
        <summary>{WORD.settings}</summary>
        {chat.length > 0 && (
          <div class="row fields">
            <Choice
              label={WORD.by}
              value={options.model}
              options={choices}
              onChange={(model) => onChange({ ...options, model })}
            />
          </div>
        )}
        <StoreChoice
          legend={WORD.alsoIn}
          none={WORD.noOther}
          chosen={options.stores}
          without={store}
          most={MOST_STORES - 1}
          onChange={(stores) => onChange({ ...options, stores })}
        />
      </details>
      <StoreFilter store={store} filter={options.filter} onChange={(filter) => onChange({ ...options, filter })} />
    </>
  );
}
