import type { Migration } from "../../api/migrations/schema.ts";
import { Name, State, Time } from "../parts/text.tsx";
import type { Route } from "../route.ts";
import type { Migrations } from "../state/use-migrations.ts";
import { setQuery } from "../state/use-route.ts";
import { visible } from "../text/visible.ts";
import { MODEL_WORDS } from "../words-model.ts";
import { strategyText } from "./chunking-in-use.tsx";
import { MigrationChanges } from "./migration-changes.tsx";
import { ReportBody } from "./migration-report.tsx";

const WORD = MODEL_WORDS.history;

export interface MigrationHistoryProps {
  route: Route;
  all: readonly Migration[];
  migrations: Migrations;
}

/** The migrations that have ended, whose reports stay. */
export function MigrationHistory({ route, all, migrations: { current } }: MigrationHistoryProps) {
  const ended = all.filter(({ id }) => id !== current?.id);
  const shown = ended.find(({ id }) => id === route.query["report"]);
  if (ended.length === 0) return current === null ? <p class="quiet">{WORD.empty}</p> : null;
  return (
    <section class="stack" aria-label={WORD.title}>
      <h2>{WORD.title}</h2>
      <table class="cards">
        <thead>
          <tr>
            <th scope="col">{WORD.when}</th>
            <th scope="col">{WORD.from}</th>
            <th scope="col">{WORD.to}</th>
            <th scope="col">{WORD.state}</th>
            <th scope="col">{WORD.report}</th>
          </tr>
        </thead>
        <tbody>
          {ended.map((one) => (
            <Row key={one.id} migration={one} route={route} isShown={one === shown} />
          ))}
        </tbody>
      </table>
      {shown !== undefined && (
        <section class="stack" aria-label={MODEL_WORDS.report.title}>
          <h3>
            {MODEL_WORDS.report.title} <Time at={shown.created_at} />
          </h3>
          {shown.last_error !== null && (
            <p class="failure">
              {MODEL_WORDS.progress.failure}: {visible(shown.last_error.message)}
            </p>
          )}
          <ReportBody migration={shown} />
          <MigrationChanges key={shown.id} migration={shown} />
        </section>
      )}
    </section>
  );
}

function Row({ migration, route, isShown }: { migration: Migration; route: Route; isShown: boolean }) {
  const { id, status, from, to } = migration;
  const kind = status === "completed" ? "good" : status === "failed" ? "bad" : "off";
  return (
    <tr>
      <th scope="row" data-label={WORD.when}>
        <Time at={migration.created_at} />
      </th>
      <td data-label={WORD.from}>
        <Name of={WORD.identity(from.embedding_model, from.dimensions)} />
      </td>
      <td data-label={WORD.to}>
        <Name of={WORD.identity(to.embedding_model, to.dimensions)} />
        {to.chunking_strategy !== null && <div class="quiet">{strategyText(to.chunking_strategy)}</div>}
      </td>
      <td data-label={WORD.state}>
        <State kind={kind} word={MODEL_WORDS.progress.statuses[status]} />
      </td>
      <td data-label={WORD.report}>
        <div class="actions">
          <button
            type="button"
            aria-expanded={isShown}
            onClick={() => setQuery(route, { report: isShown ? "" : id, step: "" })}
          >
            {isShown ? WORD.hide : WORD.show}
          </button>
        </div>
      </td>
    </tr>
  );
}
