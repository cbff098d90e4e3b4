import type { ComponentChildren } from "preact";
import type { Migration } from "../../api/migrations/schema.ts";
import { Choice } from "../parts/fields.tsx";
import { mayWrite, useConsole } from "../state/console.ts";
import { useLoad } from "../state/use-load.ts";
import { visible } from "../text/visible.ts";
import { COMPARE_WORDS as WORD, MODEL_WORDS } from "../words-model.ts";
import { type Compared, SETTINGS } from "./compare-state.ts";

export interface CompareChoiceProps {
  store: string;
  compared: Compared;
  onChange: (compared: Compared) => void;
  /** The settings of the right side. */
  children: ComponentChildren;
}

/** What a search is put beside: nothing, other settings, or the index of a migration that waits for a decision. */
export function CompareChoice({ store, compared, onChange, children }: CompareChoiceProps) {
  const known = useConsole();
  const path = `vector_stores/${encodeURIComponent(store)}/migrations?limit=20`;
  const migrations = useLoad(path, (signal) => known.api.get<{ data: Migration[] }>(path, signal));
  const ready = mayWrite(known) ? (migrations.data?.data ?? []).filter(({ status }) => status === "ready") : [];
  const { kind } = compared;
  const isGone = kind !== "" && kind !== SETTINGS && !ready.some(({ id }) => id === kind);
  const nameOf = ({ to }: Migration) => visible(MODEL_WORDS.history.identity(to.embedding_model, to.dimensions));
  return (
    <>
      <Choice
        label={WORD.label}
        value={kind}
        options={[
          ...Object.entries(WORD.kinds),
          ...ready.map((one) => [one.id, WORD.against(nameOf(one))] as const),
          ...(isGone ? [[kind, WORD.against(visible(kind))] as const] : []),
        ]}
        onChange={(next) => onChange({ ...compared, kind: next })}
      />
      {isGone && migrations.data !== null && <p class="banner">{WORD.gone}</p>}
      {kind === SETTINGS && children}
    </>
  );
}
