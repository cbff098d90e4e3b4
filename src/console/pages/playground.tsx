import { useEffect, useRef, useState } from "preact/hooks";
import type { Model } from "../../api/models/schema.ts";
import type { SearchPage } from "../../api/search/schema.ts";
import type { Timing } from "../api.ts";
import { CopyButton, Choice, Field } from "../parts/fields.tsx";
import { Load } from "../parts/load.tsx";
import { addressOf, type Route } from "../route.ts";
import { snippet, type Language } from "../snippets.ts";
import { useConsole } from "../state/console.ts";
import { useJudging } from "../state/judging.ts";
import { useKeys } from "../state/use-keys.ts";
import { useLoad } from "../state/use-load.ts";
import { setQuery } from "../state/use-route.ts";
import { visible } from "../text/visible.ts";
import { COMPARE_WORDS } from "../words-model.ts";
import { WORDS } from "../words.ts";
import { CompareChoice } from "./compare-choice.tsx";
import { bodiesOf, comparedOf, comparedQuery, SETTINGS } from "./compare-state.ts";
import { StoreFilter } from "./filter-builder.tsx";
import { Hits } from "./hits.tsx";
import { SideBySide } from "./side-by-side.tsx";
import { type Asked, askedOf, bodyOf, queryOf } from "./search-state.ts";

const WORD = WORDS.playground;
const LANGUAGES: readonly Language[] = ["curl", "Python", "TypeScript"];

/** Searching without a chat around it: what is found, where it stands, and how its score came about. */
export function PlaygroundPage({ route }: { route: Route }) {
  const { api } = useConsole();
  const address = addressOf(route);
  const asked = askedOf(route);
  const [draft, setDraft] = useState(asked);
  const compared = comparedOf(route);
  const [comparing, setComparing] = useState(compared);
  const isDrafted = useRef(address);
  const results = useRef<HTMLDivElement>(null);
  useEffect(() => {
    // Back and forward change the address without the form.
    if (isDrafted.current !== address) {
      setDraft(askedOf(route));
      setComparing(comparedOf(route));
    }
    isDrafted.current = address;
  }, [address]);
  const path = `vector_stores/${encodeURIComponent(route.store)}/search`;
  const result = useLoad(address, async (signal) =>
    asked.query === ""
      ? []
      : await Promise.all(
          bodiesOf(asked, compared).map((body) => api.timed<SearchPage>(path, { ...body, explain: true }, signal)),
        ),
  );
  const submit = (event: Event) => {
    event.preventDefault();
    // Keys are for the hits now; in the field they would be written.
    results.current?.focus({ preventScroll: true });
    const query = { ...queryOf(draft), ...comparedQuery(comparing) };
    const next = addressOf({ ...route, query });
    isDrafted.current = next;
    if (next === address) result.reload();
    else setQuery({ ...route, query: {} }, query);
  };
  return (
    <>
      <form class="stack" role="search" onSubmit={submit}>
        <div class="row fields">
          <QueryField value={draft.query} onChange={(query) => setDraft({ ...draft, query })} />
          <button type="submit" class="primary">
            {WORD.search}
          </button>
        </div>
        <Settings asked={draft} onChange={setDraft} />
        <StoreFilter store={route.store} filter={draft.filter} onChange={(filter) => setDraft({ ...draft, filter })} />
        <CompareChoice store={route.store} compared={comparing} onChange={setComparing}>
          <Settings
            label={COMPARE_WORDS.second}
            asked={comparing.other}
            onChange={(other) => setComparing({ ...comparing, other })}
          />
        </CompareChoice>
      </form>
      <div ref={results} tabIndex={-1} class="stack">
        <Load of={result}>{(found) => <Found route={route} found={found} />}</Load>
      </div>
    </>
  );
}

interface FoundProps {
  route: Route;
  /** One for each side; none where nothing is asked. */
  found: readonly { answer: SearchPage; timing: Timing }[];
}

function Found({ route, found }: FoundProps) {
  const { api } = useConsole();
  const asked = askedOf(route);
  const judging = useJudging(route.store, asked.query);
  const [first, second] = found;
  if (first === undefined) return asked.query === "" ? <p class="quiet">{WORD.before}</p> : null;
  if (second !== undefined) {
    const { left, right, live, candidate } = COMPARE_WORDS;
    const names = comparedOf(route).kind === SETTINGS ? ([left, right] as const) : ([live, candidate] as const);
    return <SideBySide store={route.store} left={first.answer} right={second.answer} names={names} />;
  }
  return (
    <>
      <Hits route={route} page={first.answer} timing={first.timing} judging={judging} />
      <div class="row">
        {LANGUAGES.map((language) => (
          <CopyButton
            key={language}
            label={WORD.copyAs(language)}
            text={() => snippet(language, { api: api.base, store: route.store, body: bodyOf(asked) })}
          />
        ))}
      </div>
      <p class="quiet">{judging.isAllowed ? WORD.judgingKeys : WORD.keys}</p>
    </>
  );
}

function QueryField({ value, onChange }: { value: string; onChange: (value: string) => void }) {
  const field = useRef<HTMLInputElement>(null);
  useKeys("/", (event) => {
    event.preventDefault();
    field.current?.select();
  });
  return (
    <Field label={WORD.query}>
      <input
        ref={field}
        name="query"
        type="search"
        autoComplete="off"
        value={value}
        onInput={(event) => onChange(event.currentTarget.value)}
      />
    </Field>
  );
}

interface AskedProps {
  asked: Asked;
  onChange: (asked: Asked) => void;
}

function Settings({ asked, onChange, label = WORD.options }: AskedProps & { label?: string }) {
  const { api } = useConsole();
  const models = useLoad("rerankers", (signal) => api.get<{ data: Model[] }>("models", signal));
  const rerankers = (models.data?.data ?? []).filter(({ type }) => type === "reranker");
  return (
    <details>
      <summary>{label}</summary>
      <div class="row fields">
        <Choice
          label={WORD.mode}
          value={asked.mode}
          options={Object.entries(WORD.modes)}
          onChange={(mode) => onChange({ ...asked, mode })}
        />
        <NumberField
          label={WORD.number}
          value={asked.number}
          most={50}
          least={1}
          onChange={(number) => onChange({ ...asked, number })}
        />
        <NumberField
          label={WORD.threshold}
          value={asked.threshold}
          most={1}
          step={0.01}
          onChange={(threshold) => onChange({ ...asked, threshold })}
        />
        <Choice
          label={WORD.ranker}
          value={asked.ranker}
          options={[...Object.entries(WORD.rankers), ...rerankers.map(({ id }) => [id, visible(id)] as const)]}
          onChange={(ranker) => onChange({ ...asked, ranker })}
        />
        <NumberField
          label={WORD.context}
          value={asked.context}
          most={5}
          onChange={(context) => onChange({ ...asked, context })}
        />
        <label class="check">
          <input
            type="checkbox"
            checked={asked.isRewritten}
            onChange={(event) => onChange({ ...asked, isRewritten: event.currentTarget.checked })}
          />
          <span>{WORD.rewrite}</span>
        </label>
      </div>
    </details>
  );
}

interface NumberFieldProps {
  label: string;
  value: number;
  least?: number;
  most: number;
  step?: number;
  onChange: (value: number) => void;
}

function NumberField({ label, value, least = 0, most, step = 1, onChange }: NumberFieldProps) {
  return (
    <Field label={label}>
      <input
        type="number"
        min={least}
        max={most}
        step={step}
        value={value}
        onChange={(event) => onChange(Math.min(most, Math.max(least, Number(event.currentTarget.value) || 0)))}
      />
    </Field>
  );
}
