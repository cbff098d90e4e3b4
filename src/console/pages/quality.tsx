import { useEffect, useState } from "preact/hooks";
import type { Evaluation } from "../../api/evals/schema.ts";
import type { Judgment } from "../../api/judgment-schema.ts";
import { Field } from "../parts/fields.tsx";
import { Failure, Load } from "../parts/load.tsx";
import type { Route } from "../route.ts";
import { mayWrite, useConsole } from "../state/console.ts";
import { announce } from "../state/live.ts";
import { type Rows, useRows } from "../state/use-rows.ts";
import { timeText } from "../text/format.ts";
import { visible } from "../text/visible.ts";
import { QUALITY_WORDS } from "../words-quality.ts";
import { EvaluationHistory } from "./evaluation-history.tsx";
import { EvaluationResults } from "./evaluation-results.tsx";
import { JudgedList } from "./judged-list.tsx";

const WORD = QUALITY_WORDS.quality;
const LOOK_AGAIN_MS = 1000;

/** How well the store answers what people judged: figures, each query, how it went over time. */
export function QualityPage({ route }: { route: Route }) {
  const path = `vector_stores/${encodeURIComponent(route.store)}`;
  const evaluations = useRows<Evaluation>(`${path}/evals?limit=100`);
  const judged = useRows<Judgment>(`${path}/judgments?limit=50`);
  const all = evaluations.data?.data ?? [];
  const done = all.filter(({ status }) => status === "completed");
  const shown = done.find(({ id }) => id === route.query["eval"]) ?? done[0];
  useRunning(evaluations);
  return (
    <>
      <Runner store={route.store} evaluations={evaluations} isJudged={judged.data?.data.length !== 0} />
      <Load of={evaluations}>
        {() => (
          <>
            {shown === undefined && <p>{WORD.none}</p>}
            {shown !== undefined && <Figures of={shown} />}
            {shown !== undefined && <EvaluationResults route={route} evaluation={shown} />}
            {all.length > 0 && <EvaluationHistory route={route} evaluations={all} shown={shown?.id ?? ""} />}
          </>
        )}
      </Load>
      <JudgedList store={route.store} rows={judged} />
    </>
  );
}

function isRunning({ status }: Evaluation): boolean {
  return status === "queued" || status === "in_progress";
}

/** While one runs the list is looked at again and again. */
function useRunning({ data, isLoading, error, reload }: Rows<Evaluation>): void {
  const running = data?.data.some(isRunning) === true;
  useEffect(() => {
    if (!running || isLoading || error !== null) return;
    const timer = setTimeout(reload, LOOK_AGAIN_MS);
    return () => clearTimeout(timer);
  }, [running, isLoading, error]);
}

interface RunnerProps {
  store: string;
  evaluations: Rows<Evaluation>;
  isJudged: boolean;
}

function Runner({ store, evaluations, isJudged }: RunnerProps) {
  const known = useConsole();
  const [depth, setDepth] = useState(10);
  const [isStarting, setStarting] = useState(false);
  const [error, setError] = useState<Error | null>(null);
  const [newest] = evaluations.data?.data ?? [];
  const running = newest !== undefined && isRunning(newest);
  const start = async (event: Event) => {
    event.preventDefault();
    setError(null);
    setStarting(true);
    try {
      await known.api.send("POST", `vector_stores/${encodeURIComponent(store)}/evals`, { k: depth });
      announce(WORD.running);
      evaluations.reload();
    } catch (thrown) {
      setError(thrown instanceof Error ? thrown : new Error(String(thrown)));
    }
    setStarting(false);
  };
  return (
    <>
      {mayWrite(known) && (
        <form class="row fields" onSubmit={(event) => void start(event)}>
          <Field label={WORD.depth}>
            <input
              type="number"
              name="depth"
              min={1}
              max={50}
              value={depth}
              onChange={(event) =>
                setDepth(Math.min(50, Math.max(1, Math.round(Number(event.currentTarget.value)) || 10)))
              }
            />
          </Field>
          <button type="submit" class="primary" disabled={isStarting || running || !isJudged}>
            {WORD.run}
          </button>
        </form>
      )}
      {error !== null && <Failure error={error} />}
      {running && <p role="status">{WORD.running}</p>}
      {newest?.status === "failed" && (
        <p class="failure" role="alert">
          {WORD.failed}: {visible(newest.last_error?.message ?? "")}
        </p>
      )}
    </>
  );
}

/** The means of every mode. */
function Figures({ of: { completed_at: at, queries, missing, metrics, modes, k } }: { of: Evaluation }) {
  return (
    <section class="stack" aria-label={WORD.figures(timeText(at ?? 0), queries)}>
      <h2>{WORD.figures(timeText(at ?? 0), queries)}</h2>
      <table class="cards figures">
        <thead>
          <tr>
            <th scope="col">{WORD.mode}</th>
            {[WORD.ndcg(k), WORD.recall, WORD.mrr, WORD.median, WORD.p95].map((word) => (
              <th key={word} scope="col" class="number">
                {word}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {modes.map((mode) => {
            const figures = metrics[mode];
            if (figures === undefined) return null;
            const cells: [label: string, text: string][] = [
              [WORD.ndcg(k), figures.ndcg_at_k.toFixed(3)],
              [WORD.recall, figures.recall_at_k.toFixed(3)],
              [WORD.mrr, figures.mrr_at_k.toFixed(3)],
              [WORD.median, WORD.ms(figures.latency_ms.p50)],
              [WORD.p95, WORD.ms(figures.latency_ms.p95)],
            ];
            return (
              <tr key={mode}>
                <th scope="row">{WORD.modes[mode] ?? mode}</th>
                {cells.map(([label, text]) => (
                  <td key={label} class="number" data-label={label}>
                    {text}
                  </td>
                ))}
              </tr>
            );
          })}
        </tbody>
      </table>
      {missing > 0 && <p class="quiet">{WORD.missing(missing)}</p>}
    </section>
  );
}
