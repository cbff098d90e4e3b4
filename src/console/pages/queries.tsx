import type { LoggedQuery } from "../../api/queries/schema.ts";
import type { StoreStats } from "../../api/stats/schema.ts";
import { Choice } from "../parts/fields.tsx";
import { Load } from "../parts/load.tsx";
import { Name } from "../parts/text.tsx";
import { addressOf, type Route } from "../route.ts";
import { useConsole } from "../state/console.ts";
import { useLoad } from "../state/use-load.ts";
import { setQuery } from "../state/use-route.ts";
import { useRows } from "../state/use-rows.ts";
import { numberText } from "../text/format.ts";
import { QUALITY_WORDS } from "../words-quality.ts";
import { QueryLog } from "./query-log.tsx";
import { StageTimes, StatsPlots } from "./stats-plots.tsx";

const WORD = QUALITY_WORDS.queries;

/** What is asked of a store, how often, how fast, and what found nothing. */
export function QueriesPage({ route }: { route: Route }) {
  const { api } = useConsole();
  const asked = route.query["window"] ?? "";
  const window = asked in WORD.windows ? asked : "24h";
  const path = `vector_stores/${encodeURIComponent(route.store)}`;
  const stats = useLoad(`${path}/stats?window=${window}`, (signal) =>
    api.get<StoreStats>(`${path}/stats?window=${window}`, signal),
  );
  const empty = useRows<LoggedQuery>(`${path}/queries?limit=100&empty=true`);
  return (
    <>
      <div class="row fields">
        <Choice
          label={WORD.window}
          value={window}
          options={Object.entries(WORD.windows)}
          onChange={(next) => setQuery(route, { window: next === "24h" ? "" : next })}
        />
      </div>
      <Load of={stats}>
        {(loaded) => (
          <>
            <p>
              {WORD.sums(
                numberText(loaded.queries.count),
                numberText(loaded.queries.empty),
                QUALITY_WORDS.quality.ms(loaded.queries.latency_ms.p50),
              )}
            </p>
            <StatsPlots stats={loaded} />
            <StageTimes stats={loaded} />
            <div class="beside">
              <section class="stack" aria-label={WORD.top}>
                <h2>{WORD.top}</h2>
                <Often route={route} queries={loaded.queries.top} none={WORD.noTop} />
              </section>
              <section class="stack" aria-label={WORD.topEmpty}>
                <h2>{WORD.topEmpty}</h2>
                <Load of={empty}>
                  {({ data }) => (
                    <>
                      {data.length > 0 && <p class="quiet">{WORD.topEmptyHelp}</p>}
                      <Often route={route} queries={oftenOf(data)} none={WORD.noEmpty} />
                    </>
                  )}
                </Load>
              </section>
            </div>
          </>
        )}
      </Load>
      <QueryLog route={route} />
    </>
  );
}

interface Counted {
  query: string | null;
  query_sha256: string;
  count: number;
}

const MOST_OFTEN = 10;

/** The most frequent of some logged queries. */
function oftenOf(logged: readonly LoggedQuery[]): Counted[] {
  const counts = new Map<string, Counted>();
  for (const { query, query_sha256: sha256 } of logged) {
    const text = query?.join(" ") ?? null;
    const key = text ?? sha256;
    const counted = counts.get(key) ?? { query: text, query_sha256: sha256, count: 0 };
    counts.set(key, { ...counted, count: counted.count + 1 });
  }
  return [...counts.values()].toSorted((a, b) => b.count - a.count).slice(0, MOST_OFTEN);
}

function Often({ route, queries, none }: { route: Route; queries: readonly Counted[]; none: string }) {
  if (queries.length === 0) return <p>{none}</p>;
  return (
    <ol class="often">
      {queries.map(({ query, query_sha256: sha256, count }) => (
        <li key={query ?? sha256}>
          {query === null ? (
            <span>{WORD.hash(sha256)}</span>
          ) : (
            <a href={addressOf({ page: "playground", store: route.store, query: { q: query } })}>
              <Name of={query} />
            </a>
          )}{" "}
          <span class="quiet">{WORD.times(count)}</span>
        </li>
      ))}
    </ol>
  );
}
