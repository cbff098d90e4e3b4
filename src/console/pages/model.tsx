import { useState } from "preact/hooks";
import type { Migration } from "../../api/migrations/schema.ts";
import type { VectorStore } from "../../api/store-schema.ts";
import { Failure, Load } from "../parts/load.tsx";
import { Name, Time } from "../parts/text.tsx";
import type { Route } from "../route.ts";
import { mayWrite, useConsole } from "../state/console.ts";
import { type Migrations, useMigrations } from "../state/use-migrations.ts";
import { setQuery } from "../state/use-route.ts";
import { numberText } from "../text/format.ts";
import { MODEL_WORDS } from "../words-model.ts";
import { MigrationHistory } from "./migration-history.tsx";
import { MigrationProgress } from "./migration-progress.tsx";
import { MigrationReport } from "./migration-report.tsx";
import { MigrationWizard } from "./migration-wizard.tsx";
import { ChunkingInUse } from "./chunking-in-use.tsx";

export interface ModelPageProps {
  route: Route;
  store: VectorStore;
  /** Another index answers. */
  onChange: () => void;
}

/** The model and the chunking of a store: what runs, changing it, and going back. */
export function ModelPage({ route, store, onChange }: ModelPageProps) {
  const known = useConsole();
  const migrations = useMigrations(known.api, store.id, onChange);
  const { list, current } = migrations;
  const isChoosing = (route.query["step"] ?? "") !== "" && mayWrite(known);
  return (
    <Load of={list}>
      {(all) => (
        <>
          <Runs store={store} all={all} migrations={migrations} />
          {current === null && !isChoosing && mayWrite(known) && store.index !== undefined && (
            <div class="row">
              <button type="button" class="primary" onClick={() => setQuery(route, { step: "choose", report: "" })}>
                {MODEL_WORDS.change}
              </button>
            </div>
          )}
          {current === null && isChoosing && <MigrationWizard route={route} store={store} onStarted={list.reload} />}
          {current !== null && current.status !== "ready" && (
            <MigrationProgress migration={current} migrations={migrations} />
          )}
          {current?.status === "ready" && <MigrationReport migration={current} migrations={migrations} />}
          <MigrationHistory route={route} all={all} migrations={migrations} />
        </>
      )}
    </Load>
  );
}

function Runs({ store, all, migrations }: { store: VectorStore; all: Migration[]; migrations: Migrations }) {
  const words = MODEL_WORDS;
  const { index } = store;
  if (index === undefined) return <p>{words.unsearchable}</p>;
  const live = all.find(({ status, to }) => status === "completed" && to.generation === index.generation);
  return (
    <section aria-label={words.runs} class="stack">
      <h2>{words.runs}</h2>
      <dl class="attributes">
        <div>
          <dt>{words.model}</dt>
          <dd>
            <Name of={index.model} />
          </dd>
        </div>
        {store.embedding_model !== undefined && store.embedding_model !== index.model && (
          <div>
            <dt>{words.askedAs}</dt>
            <dd>
              <Name of={store.embedding_model} />
            </dd>
          </div>
        )}
        {[
          [words.dimensions, numberText(index.dimensions)],
          [words.chunks, numberText(index.chunks)],
          [words.vectors, numberText(index.vectors)],
          [words.search, words.searches[index.type] ?? index.type],
        ].map(([word, value]) => (
          <div key={word}>
            <dt>{word}</dt>
            <dd>{value}</dd>
          </div>
        ))}
        <ChunkingInUse store={store} migrated={live?.to.chunking_strategy ?? null} />
      </dl>
      {live !== undefined && <LiveSince live={live} migrations={migrations} />}
    </section>
  );
}

/** Since when a migration's index answers, and the way back while there is one. */
function LiveSince({ live, migrations }: { live: Migration; migrations: Migrations }) {
  const known = useConsole();
  const [error, setError] = useState<Error | null>(null);
  const words = MODEL_WORDS;
  const { rollback_until: until } = live;
  const isOpen = until !== null && until * 1000 > Date.now();
  const isAsked = migrations.asked?.id === live.id;
  const back = () => {
    setError(null);
    migrations.ask(live.id, "rollback").catch((thrown: Error) => setError(thrown));
  };
  return (
    <>
      <div class="row">
        <p>
          {words.liveSince} <Time at={live.completed_at} />
          {isOpen && (
            <>
              . {words.rollBackUntil} <Time at={until} />.
            </>
          )}
        </p>
        {isOpen && mayWrite(known) && migrations.current === null && (
          <button type="button" disabled={isAsked} onClick={back}>
            {isAsked ? words.rollingBack : words.rollBack}
          </button>
        )}
      </div>
      {error !== null && <Failure error={error} />}
    </>
  );
}
