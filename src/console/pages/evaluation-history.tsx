import type { Evaluation } from "../../api/evals/schema.ts";
import { Plot } from "../parts/plot.tsx";
import { State, stateKind, Time } from "../parts/text.tsx";
import { addressOf, type Route } from "../route.ts";
import { numberText } from "../text/format.ts";
import { QUALITY_WORDS } from "../words-quality.ts";

const WORD = QUALITY_WORDS.quality;
const MODES = ["hybrid", "vector", "keyword"] as const;

export interface EvaluationHistoryProps {
  route: Route;
  /** The newest first. */
  evaluations: readonly Evaluation[];
  /** The one that the page shows. */
  shown: string;
}

/** How each mode did in every evaluation. */
export function EvaluationHistory({ route, evaluations, shown }: EvaluationHistoryProps) {
  const done = evaluations.filter(({ status }) => status === "completed").toReversed();
  const measured = MODES.filter((mode) => done.some(({ metrics }) => metrics[mode] !== undefined));
  return (
    <section class="stack" aria-label={WORD.history}>
      <h2>{WORD.history}</h2>
      <div class="beside">
        <Plot
          label={WORD.historyPlot}
          times={done.map(({ completed_at: at }) => at ?? 0)}
          most={1}
          series={measured.map((mode) => ({
            word: WORD.modes[mode] ?? mode,
            values: done.map(({ metrics }) => metrics[mode]?.ndcg_at_k ?? null),
          }))}
        />
        <div class="scroller" role="region" aria-label={WORD.historyTable} tabIndex={0}>
          <table class="cards">
            <thead>
              <tr>
                <th scope="col">{WORD.when}</th>
                <th scope="col">{WORD.generation}</th>
                <th scope="col" class="number">
                  {WORD.queries}
                </th>
                {measured.map((mode) => (
                  <th key={mode} scope="col" class="number">
                    {WORD.modes[mode]}
                  </th>
                ))}
              </tr>
            </thead>
            <tbody>
              {evaluations.map((one) => (
                <Row key={one.id} route={route} evaluation={one} measured={measured} isShown={one.id === shown} />
              ))}
            </tbody>
          </table>
        </div>
      </div>
    </section>
  );
}

interface RowProps {
  route: Route;
  evaluation: Evaluation;
  measured: readonly (typeof MODES)[number][];
  isShown: boolean;
}

function Row({ route, evaluation, measured, isShown }: RowProps) {
  const { id, status, completed_at: at, created_at: asked, generation, queries, metrics } = evaluation;
  return (
    <tr>
      <th scope="row">
        {status === "completed" ? (
          <a
            href={addressOf({ ...route, query: { ...route.query, eval: id } })}
            aria-current={isShown ? "true" : undefined}
          >
            <Time at={at} />
          </a>
        ) : (
          <>
            <Time at={asked} /> <State kind={stateKind(status)} word={WORD.status[status] ?? status} />
          </>
        )}
      </th>
      <td data-label={WORD.generation}>{generation}</td>
      <td class="number" data-label={WORD.queries}>
        {numberText(queries)}
      </td>
      {measured.map((mode) => (
        <td key={mode} class="number" data-label={WORD.modes[mode]}>
          {metrics[mode]?.ndcg_at_k.toFixed(3) ?? "–"}
        </td>
      ))}
    </tr>
  );
}
