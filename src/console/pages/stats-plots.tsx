import type { StoreStats } from "../../api/stats/schema.ts";
import { Plot } from "../parts/plot.tsx";
import { Time } from "../parts/text.tsx";
import { numberText } from "../text/format.ts";
import { QUALITY_WORDS } from "../words-quality.ts";

const WORD = QUALITY_WORDS.queries;
/** Below this an axis of counts would have halves. */
const LEAST_TOP = 4;

/** Searches, their times and files over time, with the same numbers in a table beside the plots. */
export function StatsPlots({ stats: { series } }: { stats: StoreStats }) {
  const times = series.map(({ start }) => start);
  const counts = (pick: (row: StoreStats["series"][number]) => number) => series.map(pick);
  const [searches, files] = [counts(({ queries }) => queries), counts(({ completed, failed }) => completed + failed)];
  return (
    <div class="beside">
      <div class="stack">
        <Plot
          label={WORD.searches}
          times={times}
          most={Math.max(LEAST_TOP, ...searches)}
          series={[
            { word: WORD.searches, values: searches },
            { word: WORD.empty, values: counts(({ empty }) => empty) },
          ]}
        />
        <Plot
          label={WORD.p95}
          times={times}
          unit=" ms"
          series={[
            // Where nothing was asked there is no time.
            { word: WORD.p95, values: series.map(({ queries, p95_ms: p95 }) => (queries === 0 ? null : p95)) },
          ]}
        />
        <Plot
          label={WORD.completed}
          times={times}
          most={Math.max(LEAST_TOP, ...files)}
          series={[
            { word: WORD.completed, values: counts(({ completed }) => completed) },
            { word: WORD.failed, values: counts(({ failed }) => failed) },
          ]}
        />
      </div>
      <div class="scroller" role="region" aria-label={WORD.table} tabIndex={0}>
        <table class="cards">
          <thead>
            <tr>
              <th scope="col">{WORD.start}</th>
              {[WORD.searches, WORD.empty, WORD.p95, WORD.completed, WORD.failed].map((word) => (
                <th key={word} scope="col" class="number">
                  {word}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {series.toReversed().map((row) => (
              <tr key={row.start}>
                <th scope="row">
                  <Time at={row.start} />
                </th>
                <td class="number" data-label={WORD.searches}>
                  {numberText(row.queries)}
                </td>
                <td class="number" data-label={WORD.empty}>
                  {numberText(row.empty)}
                </td>
                <td class="number" data-label={WORD.p95}>
                  {row.queries === 0 ? "–" : QUALITY_WORDS.quality.ms(row.p95_ms)}
                </td>
                <td class="number" data-label={WORD.completed}>
                  {numberText(row.completed)}
                </td>
                <td class="number" data-label={WORD.failed}>
                  {numberText(row.failed)}
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </div>
  );
}

/** Where the time of a search goes. */
export function StageTimes({ stats: { queries } }: { stats: StoreStats }) {
  const { latency_ms: whole, stages_ms: stages } = queries;
  const rows = [["total", whole] as const, ...Object.entries(stages)];
  // A stage that no search had has no time.
  const shown = rows.filter(([, { p99 }]) => p99 > 0);
  if (shown.length === 0) return null;
  return (
    <section class="stack" aria-label={WORD.stageTimes}>
      <h2>{WORD.stageTimes}</h2>
      <table class="cards">
        <thead>
          <tr>
            <th scope="col">{WORD.stage}</th>
            {[WORD.p50, WORD.p95, WORD.p99].map((word) => (
              <th key={word} scope="col" class="number">
                {word}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {shown.map(([stage, { p50, p95, p99 }]) => (
            <tr key={stage}>
              <th scope="row">{WORD.stageNames[stage] ?? stage}</th>
              {(
                [
                  [WORD.p50, p50],
                  [WORD.p95, p95],
                  [WORD.p99, p99],
                ] as const
              ).map(([word, ms]) => (
                <td key={word} class="number" data-label={word}>
                  {QUALITY_WORDS.quality.ms(ms)}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}
