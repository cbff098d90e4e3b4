import { useId, useState } from "preact/hooks";
import type { StoreAttributes } from "../../api/attributes/schema.ts";
import {
  COMPARISONS,
  type Comparison,
  type Filter,
  filterJson,
  filterOf,
  type FilterRow,
  NO_FILTER,
  parsedJson,
  typedText,
} from "../filter.ts";
import { Choice, Field } from "../parts/fields.tsx";
import { useConsole } from "../state/console.ts";
import { useLoad } from "../state/use-load.ts";
import { WORDS } from "../words.ts";

const WORD = WORDS.playground;
const NEW_ROW: FilterRow = { key: "", comparison: "eq", value: "" };

interface FilterBuilderProps {
  /** JSON text, empty for none. */
  filter: string;
  /** Names of attributes and some of their values. */
  known: ReadonlyMap<string, ReadonlySet<string>>;
  onChange: (filter: string) => void;
}

/** A filter as rows or as JSON; either shows what the other says, where rows can say it. */
function FilterBuilder({ filter, known, onChange }: FilterBuilderProps) {
  const given = parsedJson(filter);
  const asRows = given.ok ? filterOf(given.json) : null;
  const [rows, setRows] = useState<Filter>(asRows ?? NO_FILTER);
  const [isJson, setJson] = useState(asRows === null);
  const [text, setText] = useState(filter);
  const change = (next: Filter) => {
    setRows(next);
    const json = filterJson(next);
    onChange(json === undefined ? "" : JSON.stringify(json));
  };
  const write = (next: string) => {
    setText(next);
    const read = parsedJson(next);
    if (read.ok) onChange(read.json === undefined ? "" : JSON.stringify(read.json));
  };
  const turn = (toJson: boolean) => {
    if (toJson) setText(filter === "" ? "" : JSON.stringify(JSON.parse(filter), null, 2));
    else setRows(asRows ?? NO_FILTER);
    setJson(toJson);
  };
  return (
    <details open={filter !== ""}>
      <summary>{WORD.filter}</summary>
      <div class="row" role="group" aria-label={WORD.filter}>
        <button type="button" aria-pressed={!isJson} disabled={isJson && asRows === null} onClick={() => turn(false)}>
          {WORD.filterRows}
        </button>
        <button type="button" aria-pressed={isJson} onClick={() => turn(true)}>
          {WORD.filterJson}
        </button>
      </div>
      {isJson ? (
        <>
          <Field label={WORD.filterJson}>
            <textarea class="code" rows={6} value={text} onInput={(event) => write(event.currentTarget.value)} />
          </Field>
          {!parsedJson(text).ok && <p role="alert">{WORD.badJson}</p>}
          {parsedJson(text).ok && asRows === null && <p class="quiet">{WORD.rowsCannot}</p>}
        </>
      ) : (
        <Rows filter={rows} known={known} onChange={change} />
      )}
    </details>
  );
}

interface RowsProps {
  filter: Filter;
  known: FilterBuilderProps["known"];
  onChange: (filter: Filter) => void;
}

function Rows({ filter, known, onChange }: RowsProps) {
  const { join, rows } = filter;
  const replace = (at: number, row: FilterRow) => onChange({ join, rows: rows.with(at, row) });
  return (
    <div class="stack">
      {rows.length > 1 && (
        <Choice
          label={WORD.join}
          value={join}
          options={Object.entries(WORD.joins)}
          onChange={(next) => onChange({ join: next === "or" ? "or" : "and", rows })}
        />
      )}
      {rows.map((row, at) => (
        <Row
          // Rows have no names: their place is what they are.
          key={at}
          row={row}
          known={known}
          onChange={(next) => replace(at, next)}
          onRemove={() => onChange({ join, rows: rows.toSpliced(at, 1) })}
        />
      ))}
      <div class="row">
        <button type="button" onClick={() => onChange({ join, rows: [...rows, NEW_ROW] })}>
          {WORD.addRow}
        </button>
      </div>
    </div>
  );
}

interface RowProps {
  row: FilterRow;
  known: FilterBuilderProps["known"];
  onChange: (row: FilterRow) => void;
  onRemove: () => void;
}

function Row({ row, known, onChange, onRemove }: RowProps) {
  const id = useId();
  return (
    <div class="row fields">
      <Field label={WORD.attribute}>
        <input
          list={`${id}k`}
          value={row.key}
          onInput={(event) => onChange({ ...row, key: event.currentTarget.value })}
        />
      </Field>
      <Choice
        label={WORD.comparison}
        value={row.comparison}
        options={COMPARISONS.map((one) => [one, WORD.comparisons[one] ?? one] as const)}
        onChange={(comparison) => onChange({ ...row, comparison: comparison as Comparison })}
      />
      <Field label={WORD.value}>
        <input
          list={`${id}v`}
          value={row.value}
          onInput={(event) => onChange({ ...row, value: event.currentTarget.value })}
        />
      </Field>
      <button type="button" onClick={onRemove}>
        {WORD.removeRow}
      </button>
      <datalist id={`${id}k`}>
        {[...known.keys()].map((name) => (
          <option key={name} value={name} />
        ))}
      </datalist>
      <datalist id={`${id}v`}>
        {[...(known.get(row.key) ?? [])].slice(0, 50).map((value) => (
          <option key={value} value={value} />
        ))}
      </datalist>
    </div>
  );
}

/** The filter, with names and values that the store's files have to choose from. */
export function StoreFilter({ store, ...given }: Omit<FilterBuilderProps, "known"> & { store: string }) {
  const { api } = useConsole();
  const path = `vector_stores/${encodeURIComponent(store)}/attributes`;
  const attributes = useLoad(path, (signal) => api.get<StoreAttributes>(path, signal));
  const known = new Map(
    (attributes.data?.data ?? []).map(({ key, values }) => [key, new Set(values.map(({ value }) => typedText(value)))]),
  );
  return <FilterBuilder {...given} known={known} />;
}
