import type { Evaluation, EvaluationResult } from "../../api/evals/schema.ts";
import { Choice } from "../parts/fields.tsx";
import { Load, More } from "../parts/load.tsx";
import { Bar, Name, State } from "../parts/text.tsx";
import { addressOf, type Route } from "../route.ts";
import { setQuery } from "../state/use-route.ts";
import { useRows } from "../state/use-rows.ts";
import { visible } from "../text/visible.ts";
import { QUALITY_WORDS } from "../words-quality.ts";

const WORD = QUALITY_WORDS.quality;

/** What an evaluation found for each query in one mode, in the server's order: what got worse is on top. */
export function EvaluationResults({ route, evaluation }: { route: Route; evaluation: Evaluation }) {
  const asked = route.query["mode"] ?? "";
  const mode = evaluation.modes.find((one) => one === asked) ?? evaluation.modes[0] ?? "hybrid";
  const store = `vector_stores/${encodeURIComponent(route.store)}`;
  const rows = useRows<EvaluationResult>(`${store}/evals/${evaluation.id}/results?limit=50&mode=${mode}`);
  return (
    <section class="stack" aria-label={WORD.perQuery}>
      <h2>{WORD.perQuery}</h2>
      <div class="row fields">
        <Choice
          label={WORD.mode}
          value={mode}
          options={evaluation.modes.map((one) => [one, WORD.modes[one] ?? one] as const)}
          onChange={(next) => setQuery(route, { mode: next })}
        />
      </div>
      <Load of={rows}>
        {({ data }) => (
          <>
            <p class="quiet">{data.length === 0 ? WORD.notKept : WORD.perQueryHelp}</p>
            <ol class="plain results">
              {data.map((result) => (
                <li key={result.id}>
                  <Result route={route} result={result} k={evaluation.k} />
                </li>
              ))}
            </ol>
            <More of={rows} />
          </>
        )}
      </Load>
    </section>
  );
}

function Result({ route, result, k }: { route: Route; result: EvaluationResult; k: number }) {
  const { query, mode, ndcg_at_k: ndcg, found } = result;
  const lost = result.relevant.filter(
    ({ grade, file_id: file, chunk_id: chunk }) =>
      grade > 0 && !found.some((hit) => (chunk === undefined ? hit.file_id === file : hit.chunk_id === chunk)),
  );
  const playground = { q: query, mode: mode === "hybrid" ? "" : mode, n: k === 10 ? "" : String(k) };
  return (
    <details>
      <summary>
        <Name of={query} />{" "}
        <span class="row tight">
          <Bar part={ndcg} label={WORD.ndcg(k)} /> {ndcg.toFixed(3)} <Change of={result} />
        </span>
      </summary>
      <div class="stack">
        <h3>{WORD.found}</h3>
        {found.length === 0 && <p>{WORD.foundNothing}</p>}
        <ol>
          {found.map((hit) => (
            <li key={hit.chunk_id}>
              <Found route={route} hit={hit} /> <Grade of={hit.grade} />
            </li>
          ))}
        </ol>
        {lost.length > 0 && (
          <p>
            {WORD.lost}:{" "}
            {lost.map(({ file_id: file, filename, chunk_id: chunk, grade }) => (
              <span key={`${file} ${chunk}`}>
                <Name of={WORD.answer(filename ?? file ?? chunk ?? "", grade)} />{" "}
              </span>
            ))}
          </p>
        )}
        <p>
          <a href={addressOf({ page: "playground", store: route.store, query: playground })}>{WORD.tryIt}</a>
        </p>
      </div>
    </details>
  );
}

/** The file, where it is still in the store. */
function Found({ route, hit }: { route: Route; hit: EvaluationResult["found"][number] }) {
  if (hit.filename === null) return <Name of={hit.file_id} />;
  return (
    <a href={addressOf({ page: "document", store: route.store, file: hit.file_id })} aria-label={visible(hit.filename)}>
      <Name of={hit.filename} />
    </a>
  );
}

function Grade({ of }: { of: number | null }) {
  if (of === null) return <State kind="off" word={WORD.unjudged} />;
  return of > 0 ? <State kind="good" word={WORD.good} /> : <State kind="bad" word={WORD.bad} />;
}

function Change({ of: { ndcg_at_k: now, previous_ndcg_at_k: before } }: { of: EvaluationResult }) {
  if (before === null) return <State kind="off" word={WORD.fresh} />;
  const change = now - before;
  if (Math.abs(change) < 0.0005) return <State kind="off" word={WORD.same} />;
  const by = Math.abs(change).toFixed(3);
  return change < 0 ? <State kind="bad" word={WORD.worse(by)} /> : <State kind="good" word={WORD.better(by)} />;
}
