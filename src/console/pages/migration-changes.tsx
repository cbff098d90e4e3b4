import type { Migration, MigrationChange } from "../../api/migrations/schema.ts";
import { Load } from "../parts/load.tsx";
import { Name } from "../parts/text.tsx";
import { addressOf } from "../route.ts";
import { mayWrite, useConsole } from "../state/console.ts";
import { useLoad } from "../state/use-load.ts";
import { visible } from "../text/visible.ts";
import { MODEL_WORDS } from "../words-model.ts";

const WORD = MODEL_WORDS.changes;
type Hit = MigrationChange["from"][number];

/** The queries that both indexes answer most differently, each with what both find. */
export function MigrationChanges({ migration }: { migration: Migration }) {
  const { api } = useConsole();
  const { id, report, vector_store_id: store } = migration;
  const path = `vector_stores/${encodeURIComponent(store)}/migrations/${encodeURIComponent(id)}/changes`;
  const changes = useLoad(path, (signal) => api.get<{ data: MigrationChange[] }>(path, signal));
  if (report === null) return null;
  return (
    <section class="stack" aria-label={WORD.title}>
      <h3>{WORD.title}</h3>
      <p class="quiet">{WORD.help}</p>
      <Load of={changes}>
        {({ data }) =>
          data.length === 0 ? (
            <p>{WORD.empty}</p>
          ) : (
            <ol class="plain">
              {data.map((change) => (
                <li key={change.query}>
                  <Change change={change} migration={migration} />
                </li>
              ))}
            </ol>
          )
        }
      </Load>
    </section>
  );
}

function Change({ change, migration }: { change: MigrationChange; migration: Migration }) {
  const known = useConsole();
  const { query, from, to } = change;
  const [before, after] = [new Set(from.map(keyOf)), new Set(to.map(keyOf))];
  const { id, status, vector_store_id: store } = migration;
  return (
    <details class="change">
      <summary>
        <bdi>{visible(query)}</bdi> <span class="quiet">{WORD.overlap(change.overlap_at_10)}</span>
      </summary>
      <div class="sides">
        <Side word={WORD.before} hits={from} others={after} store={store} sign={WORD.isLost} />
        <Side word={WORD.after} hits={to} others={before} store={store} sign={WORD.isNew} />
      </div>
      {status === "ready" && mayWrite(known) && (
        <p>
          <a href={addressOf({ page: "playground", store, query: { q: query, mode: "vector", compare: id } })}>
            {WORD.compare}
          </a>
        </p>
      )}
    </details>
  );
}

interface SideProps {
  word: string;
  hits: readonly Hit[];
  /** What the other side has. */
  others: ReadonlySet<string>;
  store: string;
  /** Of what only this side has. */
  sign: string;
}

function Side({ word, hits, others, store, sign }: SideProps) {
  return (
    <div>
      <h4>{word}</h4>
      {hits.length === 0 && <p class="quiet">{WORD.nothing}</p>}
      <ol>
        {hits.map((hit) => (
          <li key={keyOf(hit)}>
            <a href={addressOf({ page: "document", store, file: hit.file_id, query: placeOf(hit) })}>
              <Name of={hit.filename} />
            </a>
            {!others.has(keyOf(hit)) && <span class="badge">{sign}</span>}
            <div class="quiet clip" dir="auto">
              {visible(hit.excerpt)}
            </div>
          </li>
        ))}
      </ol>
    </div>
  );
}

function keyOf({ file_id: file, start_offset: start }: Hit): string {
  return `${file} ${start}`;
}

function placeOf({ start_offset: start, end_offset: end }: Hit): Record<string, string> {
  return { start: String(start), end: String(end) };
}
