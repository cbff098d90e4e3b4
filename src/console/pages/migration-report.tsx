import { useState } from "preact/hooks";
import type { Migration } from "../../api/migrations/schema.ts";
import { Bar, Name, State } from "../parts/text.tsx";
import { addressOf } from "../route.ts";
import { mayWrite, useConsole } from "../state/console.ts";
import type { Migrations } from "../state/use-migrations.ts";
import { numberText } from "../text/format.ts";
import { visible } from "../text/visible.ts";
import { MODEL_WORDS } from "../words-model.ts";
import { Decision } from "./decision.tsx";
import { MigrationChanges } from "./migration-changes.tsx";

const WORD = MODEL_WORDS.report;
type Report = NonNullable<Migration["report"]>;

/** A migration that waits for a decision: how both indexes compare, and what is to become of the new one. */
export function MigrationReport({ migration, migrations }: { migration: Migration; migrations: Migrations }) {
  const { progress, to } = migration;
  const title = MODEL_WORDS.progress.title(to.embedding_model, to.dimensions);
  return (
    <section class="stack" aria-label={visible(title)}>
      <h2>
        <Name of={title} />
      </h2>
      <p>
        <State kind="busy" word={MODEL_WORDS.progress.statuses[migration.status]} />
      </p>
      <ReportBody migration={migration} />
      {progress.files_behind > 0 && <p class="banner">{WORD.behind(progress.files_behind)}</p>}
      <Decisions migration={migration} migrations={migrations} />
      <MigrationChanges migration={migration} />
    </section>
  );
}

/** What a report says, whatever became of its migration. */
export function ReportBody({ migration: { report } }: { migration: Migration }) {
  if (report === null) return <p>{WORD.none}</p>;
  const kind = report.gate === "missed" ? "bad" : report.gate === "passed" ? "good" : "off";
  return (
    <>
      <p>
        <State kind={kind} word={WORD.gates[report.gate] ?? report.gate} />
      </p>
      {report.reasons.length > 0 && (
        <ul>
          {report.reasons.map((reason) => (
            <li key={reason}>{visible(reason)}</li>
          ))}
        </ul>
      )}
      <p class="quiet">{WORD.of(report.queries, report.source)}</p>
      <dl class="measures">
        <Measure word={WORD.overlap} part={report.overlap_at_10} help={WORD.overlapHelp} />
        <Measure word={WORD.correlation} part={report.rank_correlation} help={WORD.correlationHelp} isPlain />
        <Measure word={WORD.self} part={report.self_retrieval} help={WORD.selfHelp} />
      </dl>
      <Both report={report} />
    </>
  );
}

interface MeasureProps {
  word: string;
  part: number;
  help: string;
  /** A number of its own, and no share. */
  isPlain?: boolean;
}

function Measure({ word, part, help, isPlain = false }: MeasureProps) {
  return (
    <div>
      <dt>{word}</dt>
      <dd>
        <Bar part={part} label={word} kind="busy" /> <strong>{isPlain ? part.toFixed(2) : percent(part)}</strong>{" "}
        <span class="quiet">{help}</span>
      </dd>
    </div>
  );
}

/** What was measured of both. */
function Both({ report }: { report: Report }) {
  const { latency_ms: latency, counts, ndcg_at_10: ndcg, recall_at_10: recall } = report;
  const share = (value: number) => value.toFixed(3);
  const rows: [string, number, number, (value: number) => string][] = [
    ...(ndcg === null ? [] : [[WORD.rows.ndcg, ndcg.from, ndcg.to, share] satisfies Row]),
    ...(recall === null ? [] : [[WORD.rows.recall, recall.from, recall.to, share] satisfies Row]),
    [WORD.rows.p50, latency.from.p50, latency.to.p50, WORD.ms],
    [WORD.rows.p95, latency.from.p95, latency.to.p95, WORD.ms],
    [WORD.rows.chunks, counts.from, counts.to, numberText],
  ];
  return (
    <table class="cards narrow">
      <thead>
        <tr>
          <th scope="col">{WORD.measure}</th>
          <th scope="col">{WORD.now}</th>
          <th scope="col">{WORD.next}</th>
        </tr>
      </thead>
      <tbody>
        {rows.map(([word, from, to, text]) => (
          <tr key={word}>
            <th scope="row">{word}</th>
            <td data-label={WORD.now}>{text(from)}</td>
            <td data-label={WORD.next}>{text(to)}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

type Row = [string, number, number, (value: number) => string];

function Decisions({ migration, migrations }: { migration: Migration; migrations: Migrations }) {
  const known = useConsole();
  const [dialog, setDialog] = useState<"promote" | "cancel" | null>(null);
  const { id, vector_store_id: store } = migration;
  const asked = migrations.asked?.id === id ? migrations.asked.verb : null;
  const isMissed = migration.report?.gate === "missed";
  const promote = isMissed ? WORD.promoteAnyway : WORD.promote;
  const close = () => setDialog(null);
  if (!mayWrite(known)) return null;
  return (
    <div class="row">
      <button
        type="button"
        class={isMissed ? "" : "primary"}
        disabled={asked !== null}
        onClick={() => setDialog("promote")}
      >
        {asked === "promote" ? WORD.promoting : promote}
      </button>
      <button type="button" class="danger" disabled={asked !== null} onClick={() => setDialog("cancel")}>
        {asked === "cancel" ? MODEL_WORDS.progress.cancelling : WORD.discard}
      </button>
      <a href={addressOf({ page: "playground", store, query: { compare: id } })}>{WORD.compare}</a>
      {dialog === "promote" && (
        <Decision
          title={promote}
          help={WORD.promoteHelp}
          submit={promote}
          act={() => migrations.ask(id, "promote")}
          onClose={close}
        />
      )}
      {dialog === "cancel" && (
        <Decision
          title={WORD.discardTitle}
          help={MODEL_WORDS.progress.cancelHelp}
          submit={WORD.discard}
          isDangerous
          act={() => migrations.ask(id, "cancel")}
          onClose={close}
        />
      )}
    </div>
  );
}

/** One digit: of a few queries, a share of a hundredth is something. */
function percent(part: number): string {
  return `${Math.round(part * 1000) / 10} %`;
}
