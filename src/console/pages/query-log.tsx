import { useEffect, useId, useRef, useState } from "preact/hooks";
import type { Judgment } from "../../api/judgment-schema.ts";
import type { LoggedQuery } from "../../api/queries/schema.ts";
import { Field } from "../parts/fields.tsx";
import { Load, More } from "../parts/load.tsx";
import { Name, State, Time } from "../parts/text.tsx";
import { addressOf, parseRoute, type Route } from "../route.ts";
import { mayWrite, useConsole } from "../state/console.ts";
import { useLoad } from "../state/use-load.ts";
import { setQuery } from "../state/use-route.ts";
import { useRows } from "../state/use-rows.ts";
import { localText, numberText, secondsOf } from "../text/format.ts";
import { visible } from "../text/visible.ts";
import { QUALITY_WORDS } from "../words-quality.ts";
import { JudgmentDialog } from "./judgment-dialog.tsx";
import { queryOf } from "./search-state.ts";

const WORD = QUALITY_WORDS.queries;
const MS = QUALITY_WORDS.quality.ms;

/** The searches that were made, the newest first, as the address chooses them. */
export function QueryLog({ route }: { route: Route }) {
  const known = useConsole();
  const [judged, setJudged] = useState<string | null>(null);
  const wanted = listQuery(route.query);
  const rows = useRows<LoggedQuery>(`vector_stores/${encodeURIComponent(route.store)}/queries?limit=50${wanted}`);
  const keys = [...new Set((rows.data?.data ?? []).map(({ key_id: key }) => key))];
  const close = () => setJudged(null);
  return (
    <section class="stack" aria-label={WORD.log}>
      <h2>{WORD.log}</h2>
      <Filters route={route} keys={keys} />
      <Load of={rows}>
        {({ data }) => (
          <>
            {data.length === 0 && <p>{wanted === "" ? WORD.noneYet : WORD.none}</p>}
            {data.length > 0 && <Table route={route} logged={data} onJudge={mayWrite(known) ? setJudged : null} />}
            <More of={rows} />
          </>
        )}
      </Load>
      {judged !== null && <JudgeLogged store={route.store} query={judged} onClose={close} />}
    </section>
  );
}

/** What the address says, as the API is asked. */
function listQuery({ text = "", empty = "", slow = "", key = "", since = "", until = "" }: Route["query"]): string {
  const query = new URLSearchParams();
  if (text !== "") query.set("query", text);
  if (empty === "1") query.set("empty", "true");
  if (Number(slow) > 0) query.set("min_latency_ms", slow);
  if (key !== "") query.set("key_id", key);
  if (/^\d+$/.test(since)) query.set("since", since);
  if (/^\d+$/.test(until)) query.set("until", until);
  return query.size === 0 ? "" : `&${query}`;
}

function Filters({ route, keys }: { route: Route; keys: readonly string[] }) {
  const id = useId();
  const { query } = route;
  const typed = useTyped();
  const time = (name: "since" | "until") => (
    <Field label={WORD[name]}>
      <input
        type="datetime-local"
        name={name}
        defaultValue={localText(query[name])}
        onChange={(event) => setQuery(route, { [name]: secondsOf(event.currentTarget.value) })}
      />
    </Field>
  );
  return (
    <div class="row fields" role="group" aria-label={WORD.log}>
      <Field label={WORD.text}>
        <input
          type="search"
          name="text"
          maxLength={256}
          defaultValue={query["text"] ?? ""}
          onInput={(event) => typed({ text: event.currentTarget.value })}
        />
      </Field>
      <Field label={WORD.slow}>
        <input
          type="number"
          name="slow"
          min={0}
          defaultValue={query["slow"] ?? ""}
          onInput={(event) => typed({ slow: event.currentTarget.value })}
        />
      </Field>
      <Field label={WORD.key}>
        <input
          list={id}
          name="key"
          placeholder={WORD.anyKey}
          defaultValue={query["key"] ?? ""}
          onChange={(event) => setQuery(route, { key: event.currentTarget.value.trim() })}
        />
      </Field>
      <datalist id={id}>
        {keys.map((key) => (
          <option key={key} value={key} />
        ))}
      </datalist>
      {time("since")}
      {time("until")}
      <label class="check">
        <input
          type="checkbox"
          name="empty"
          checked={query["empty"] === "1"}
          onChange={(event) => setQuery(route, { empty: event.currentTarget.checked ? "1" : "" })}
        />
        <span>{WORD.onlyEmpty}</span>
      </label>
    </div>
  );
}

/** The address follows what is typed after a moment: the server looks through many searches for each wish. */
const REST_MS = 300;

function useTyped(): (changes: Record<string, string>) => void {
  const waiting = useRef<{ timer?: ReturnType<typeof setTimeout>; changes: Record<string, string> }>({ changes: {} });
  useEffect(() => () => clearTimeout(waiting.current.timer), []);
  return (changes) => {
    clearTimeout(waiting.current.timer);
    const all = { ...waiting.current.changes, ...changes };
    const tell = () => {
      waiting.current = { changes: {} };
      // Other wishes may have come meanwhile: the address has them.
      setQuery(parseRoute(location.hash), all);
    };
    waiting.current = { timer: setTimeout(tell, REST_MS), changes: all };
  };
}

interface TableProps {
  route: Route;
  logged: readonly LoggedQuery[];
  /** Null where the key may not judge. */
  onJudge: ((query: string) => void) | null;
}

function Table({ route, logged, onJudge }: TableProps) {
  return (
    <table class="cards">
      <thead>
        <tr>
          <th scope="col">{WORD.query}</th>
          <th scope="col">{WORD.when}</th>
          <th scope="col">{WORD.mode}</th>
          <th scope="col" class="number">
            {WORD.hits}
          </th>
          <th scope="col" class="number">
            {WORD.took}
          </th>
          <th scope="col">{WORD.key}</th>
          <th scope="col">{WORD.actions}</th>
        </tr>
      </thead>
      <tbody>
        {logged.map((one) => (
          <Row key={one.id} route={route} logged={one} onJudge={onJudge} />
        ))}
      </tbody>
    </table>
  );
}

function Row({ route, logged, onJudge }: Omit<TableProps, "logged"> & { logged: LoggedQuery }) {
  const { query, query_sha256: sha256, results, latency_ms: ms, search_mode: mode, source } = logged;
  const text = query?.join("\n") ?? null;
  const rank = ms.vector + ms.keyword;
  return (
    <tr>
      <th scope="row">
        {text === null ? WORD.hash(sha256) : <Name of={text} />}
        {source !== "search" && <span class="quiet"> {WORD.ofAnswer}</span>}
      </th>
      <td data-label={WORD.when}>
        <Time at={logged.created_at} />
      </td>
      <td data-label={WORD.mode}>{QUALITY_WORDS.quality.modes[mode] ?? mode}</td>
      <td class="number" data-label={WORD.hits}>
        {results.length === 0 ? <State kind="bad" word="0" /> : numberText(results.length)}
      </td>
      <td class="number" data-label={WORD.took} title={WORD.stages(MS(ms.embed), MS(rank))}>
        {MS(ms.total)}
      </td>
      <td data-label={WORD.key}>
        <Name of={logged.key_id} />
      </td>
      <td data-label={WORD.actions}>
        {text !== null && (
          <div class="actions">
            <a href={playgroundAddress(route.store, logged)}>{WORD.open}</a>
            {onJudge !== null && (
              <button
                type="button"
                aria-label={WORD.judgeOne(visible(text))}
                onClick={() => onJudge(query?.[0] ?? text)}
              >
                {WORD.judge}
              </button>
            )}
          </div>
        )}
      </td>
    </tr>
  );
}

/** The same search; of several queries at once the first. A filter that was cut cannot be asked again. */
function playgroundAddress(store: string, { query, search_mode: mode, filters, ...more }: LoggedQuery): string {
  const isWhole = typeof filters === "object" && filters !== null && more.filters_cut === undefined;
  const asked = {
    query: query?.[0] ?? "",
    mode,
    number: Math.min(50, Math.max(1, more.max_num_results)),
    threshold: 0,
    ranker: "",
    isRewritten: false,
    context: 0,
    filter: isWhole ? JSON.stringify(filters) : "",
  };
  return addressOf({ page: "playground", store, query: queryOf(asked) });
}

interface JudgeLoggedProps {
  store: string;
  query: string;
  onClose: () => void;
}

/** Begins with what is judged for the query already. */
function JudgeLogged({ store, query, onClose }: JudgeLoggedProps) {
  const { api } = useConsole();
  const path = `vector_stores/${encodeURIComponent(store)}/judgments?query=${encodeURIComponent(query)}`;
  const judged = useLoad(path, async (signal) => (await api.get<{ data: Judgment[] }>(path, signal)).data);
  return (
    <Load of={judged}>
      {([judgment]) => (
        <JudgmentDialog
          store={store}
          query={query}
          relevant={judgment?.relevant ?? []}
          isFixed
          onClose={onClose}
          onDone={onClose}
        />
      )}
    </Load>
  );
}
