import { useEffect, useRef, useState } from "preact/hooks";
import { Field } from "../parts/fields.tsx";
import { Failure } from "../parts/load.tsx";
import { Name } from "../parts/text.tsx";
import { addressOf, type Route } from "../route.ts";
import { useConsole } from "../state/console.ts";
import { CodePoints } from "../text/code-points.ts";
import { visible } from "../text/visible.ts";
import { WORDS } from "../words.ts";
import { type AnswerOptions, askQuestion, type FileCitation, leftOut, type Turn } from "../state/answers.ts";
import { AnswerSettings } from "./answer-settings.tsx";

const WORD = WORDS.answers;

const AS_IT_IS: AnswerOptions = { stores: [], model: "", filter: "" };

/** Questions that the documents answer, each answer with the places that it quotes. */
export function AnswersPage({ route }: { route: Route }) {
  const { api } = useConsole();
  const [turns, setTurns] = useState<readonly Turn[]>([]);
  const [options, setOptions] = useState(AS_IT_IS);
  const [isAsking, setAsking] = useState(false);
  const over = useRef(new AbortController());
  useEffect(() => () => over.current.abort(), []);
  const ask = async (event: SubmitEvent) => {
    event.preventDefault();
    const form = event.currentTarget as HTMLFormElement;
    const question = String(new FormData(form).get("question") ?? "").trim();
    if (question === "" || isAsking) return;
    form.reset();
    setAsking(true);
    const before = turns;
    const previous = before.at(-1)?.responseId ?? null;
    const { signal } = over.current;
    for await (const turn of askQuestion(api, { store: route.store, question, options, previous, signal })) {
      // Another thread was begun meanwhile.
      if (signal.aborted) return;
      setTurns([...before, turn]);
    }
    setAsking(false);
  };
  const begin = () => {
    over.current.abort();
    over.current = new AbortController();
    setTurns([]);
    setAsking(false);
  };
  return (
    <>
      <form class="row fields" onSubmit={(event) => void ask(event)}>
        <Field label={WORD.question}>
          <input name="question" autoComplete="off" maxLength={10_000} />
        </Field>
        <button type="submit" class="primary" disabled={isAsking}>
          {WORD.ask}
        </button>
        {turns.length > 0 && (
          <button type="button" onClick={begin}>
            {WORD.fresh}
          </button>
        )}
      </form>
      <AnswerSettings store={route.store} options={options} onChange={setOptions} />
      {turns.length === 0 && <p class="quiet">{WORD.before}</p>}
      <ol class="plain turns" aria-live="polite">
        {turns.map((turn, i) => (
          <li key={i} class="turn">
            <Answer turn={turn} store={route.store} />
          </li>
        ))}
      </ol>
    </>
  );
}

function Answer({ turn, store }: { turn: Turn; store: string }) {
  return (
    <article>
      <h2>{visible(turn.question)}</h2>
      {turn.text === "" && turn.state === "running" && <p class="quiet">{WORD.thinking}</p>}
      <div class="answer" dir="auto">
        {cited(turn).map(({ text, citation, number }) => (
          <span key={number}>
            {visible(text, { keepLines: true })}
            {citation !== null && <Citation citation={citation} number={number} store={store} />}
          </span>
        ))}
      </div>
      {turn.state === "broken" && <p role="alert">{WORD.broken}</p>}
      {turn.error !== null && <Failure error={turn.error} />}
      {turn.citations.length > 0 && <Sources turn={turn} store={store} />}
      {turn.searched.length > 0 && (
        <details>
          <summary>{WORD.searched}</summary>
          <ul>
            {turn.searched.map((query) => (
              <li key={query}>{visible(query)}</li>
            ))}
          </ul>
        </details>
      )}
      <LeftOut turn={turn} store={store} />
    </article>
  );
}

function LeftOut({ turn, store }: { turn: Turn; store: string }) {
  const left = turn.state === "running" ? [] : leftOut(turn);
  if (left.length === 0) return null;
  return (
    <details>
      <summary>{WORD.leftOut(left.length)}</summary>
      <ol>
        {left.map((passage, i) => (
          <li key={i}>
            <a href={placeOf(passage, store)}>
              <Name of={passage.filename} />
            </a>{" "}
            <span class="quiet">{WORD.score(passage.score)}</span>
            <p class="passage">{visible(passage.text, { keepLines: true })}</p>
          </li>
        ))}
      </ol>
    </details>
  );
}

function Sources({ turn, store }: { turn: Turn; store: string }) {
  return (
    <>
      <h3>{WORD.sources}</h3>
      <ol>
        {turn.citations.map((citation, i) => (
          <li key={i}>
            <a href={placeOf(citation, store)}>
              <Name of={citation.filename} />
            </a>{" "}
            <q>{visible(citation.quote ?? "", { keepLines: true })}</q>
          </li>
        ))}
      </ol>
    </>
  );
}

function Citation({ citation, number, store }: { citation: FileCitation; number: number; store: string }) {
  return (
    <a class="cite" href={placeOf(citation, store)} aria-label={WORD.citation(number, visible(citation.filename))}>
      [{number}]
    </a>
  );
}

const PLACE = ["vector_store_id", "file_id", "start_offset", "end_offset"] as const;

/** The document, at the range that is quoted. */
function placeOf(
  { vector_store_id, file_id: file, start_offset, end_offset }: Pick<FileCitation, (typeof PLACE)[number]>,
  store: string,
): string {
  const query = { start: String(start_offset ?? ""), end: String(end_offset ?? "") };
  return addressOf({ page: "document", store: vector_store_id ?? store, file, query });
}

/** The text, taken apart where something is cited. */
function cited({ text, citations }: Turn): { text: string; citation: FileCitation | null; number: number }[] {
  const points = new CodePoints(text);
  let from = 0;
  const parts = citations.map((citation, i) => {
    const part = { text: points.slice(from, citation.index), citation, number: i + 1 };
    from = Math.max(from, citation.index);
    return part;
  });
  return [...parts, { text: points.slice(from, points.length), citation: null, number: 0 }];
}
