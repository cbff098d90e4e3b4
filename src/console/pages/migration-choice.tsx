import { useState } from "preact/hooks";
import type { Model } from "../../api/models/schema.ts";
import type { VectorStore } from "../../api/store-schema.ts";
import { Choice, Field } from "../parts/fields.tsx";
import { visible } from "../text/visible.ts";
import { MODEL_WORDS } from "../words-model.ts";
import { WORDS } from "../words.ts";
import type { Wanted } from "./migration-wanted.ts";

const WORD = MODEL_WORDS.choose;
/** What the server cuts by where nobody says otherwise. */
const USUAL = { size: 800, overlap: 400 };

export interface MigrationChoiceProps {
  store: VectorStore;
  models: readonly Model[];
  initial: Wanted | null;
  onCancel: () => void;
  onChosen: (wanted: Wanted) => void;
}

/** Another model, other dimensions, other chunks. */
export function MigrationChoice({ store, models, initial, onCancel, onChosen }: MigrationChoiceProps) {
  const live = store.index;
  const usable = models.filter(({ type, location }) => type === "embedding" && location !== "alias");
  // The model that made the index may be gone.
  const first = usable.find(({ id }) => id === live?.model) ?? usable[0];
  const [model, setModel] = useState(initial?.model ?? first?.id ?? "");
  const [dimensions, setDimensions] = useState(String(initial?.dimensions ?? ""));
  const [chunking, setChunking] = useState(initial?.chunking ?? null);
  const one = usable.find(({ id }) => id === model);
  const size = dimensions === "" ? (one?.dimensions ?? null) : Number(dimensions);
  const isSame = model === live?.model && size === live.dimensions && chunking === null;
  const isBad = chunking !== null && chunking.overlap * 2 > chunking.size;
  const submit = (event: Event) => {
    event.preventDefault();
    if (isSame || isBad) return;
    onChosen({ model, dimensions: dimensions === "" ? null : Number(dimensions), chunking });
  };
  const options = usable.map((known) => {
    const where = [WORD.where[known.location ?? ""] ?? "", known.id === live?.model ? WORD.current : ""];
    const word = where.filter((part) => part !== "").join(", ");
    return [known.id, WORD.option(visible(known.id), known.dimensions ?? null, word)] as const;
  });
  return (
    <form class="stack" onSubmit={submit}>
      <Choice label={WORD.model} value={model} options={options} onChange={setModel} />
      {one?.location === "remote" && <p class="banner">{WORD.remote}</p>}
      <Field label={WORD.dimensions}>
        <input
          type="number"
          name="dimensions"
          min={1}
          max={16384}
          value={dimensions}
          onInput={(event) => setDimensions(event.currentTarget.value)}
        />
      </Field>
      <Choice
        label={WORD.chunking}
        value={chunking === null ? "keep" : "cut"}
        options={[
          ["keep", WORD.keep],
          ["cut", WORD.cut],
        ]}
        onChange={(choice) => setChunking(choice === "cut" ? USUAL : null)}
      />
      {chunking !== null && (
        <div class="row fields">
          <Tokens
            name="size"
            label={WORD.size}
            bounds={[100, 4096]}
            value={chunking.size}
            onChange={(value) => setChunking({ ...chunking, size: value })}
          />
          <Tokens
            name="overlap"
            label={WORD.overlap}
            bounds={[0, 2048]}
            value={chunking.overlap}
            onChange={(value) => setChunking({ ...chunking, overlap: value })}
          />
        </div>
      )}
      {isBad && <p role="alert">{WORD.badOverlap}</p>}
      {isSame && <p class="quiet">{WORD.same}</p>}
      <div class="row">
        <button type="button" onClick={onCancel}>
          {WORDS.cancel}
        </button>
        <button type="submit" class="primary" disabled={isSame || isBad}>
          {WORD.next}
        </button>
      </div>
    </form>
  );
}

interface TokensProps {
  name: string;
  label: string;
  bounds: readonly [number, number];
  value: number;
  onChange: (value: number) => void;
}

function Tokens({ name, label, bounds: [least, most], value, onChange }: TokensProps) {
  return (
    <Field label={label}>
      <input
        type="number"
        name={name}
        min={least}
        max={most}
        required
        value={value}
        onInput={(event) => onChange(Number(event.currentTarget.value))}
      />
    </Field>
  );
}
