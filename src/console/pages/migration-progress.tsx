import { useState } from "preact/hooks";
import type { Migration } from "../../api/migrations/schema.ts";
import { Bar, Name, State } from "../parts/text.tsx";
import { mayWrite, useConsole } from "../state/console.ts";
import type { Migrations } from "../state/use-migrations.ts";
import { visible } from "../text/visible.ts";
import { MODEL_WORDS } from "../words-model.ts";
import { Decision } from "./decision.tsx";

const WORD = MODEL_WORDS.progress;

/** A migration that is being built: how far it is, why it waits, and the way out. */
export function MigrationProgress({ migration, migrations }: { migration: Migration; migrations: Migrations }) {
  const known = useConsole();
  const [isCancelling, setCancelling] = useState(false);
  const { progress, status, to } = migration;
  const { chunks_done: done, chunks_total: total, eta_seconds: left, cost_usd: cost } = progress;
  const isAsked = migrations.asked?.id === migration.id;
  const facts = [
    WORD.done(done, total),
    progress.chunks_per_second > 0 && status === "building" ? WORD.rate(progress.chunks_per_second) : "",
    left === null ? "" : WORD.left(left),
    cost === null ? "" : WORD.paid(cost),
  ];
  return (
    <section class="stack" aria-label={visible(WORD.title(to.embedding_model, to.dimensions))}>
      <h2>
        <Name of={WORD.title(to.embedding_model, to.dimensions)} />
      </h2>
      <p>
        <State kind={status === "paused" ? "bad" : "busy"} word={WORD.statuses[status]} />
      </p>
      <div class="row">
        <Bar part={total === 0 ? 0 : done / total} label={WORD.statuses[status]} kind="busy" />
        <span>{facts.filter((fact) => fact !== "").join(", ")}</span>
      </div>
      {migration.last_error !== null && (
        <p class="banner">
          {WORD.pause}: {visible(migration.last_error.message)}
        </p>
      )}
      {mayWrite(known) && (
        <div class="row">
          <button type="button" disabled={isAsked} onClick={() => setCancelling(true)}>
            {isAsked ? WORD.cancelling : WORD.cancel}
          </button>
        </div>
      )}
      {isCancelling && (
        <Decision
          title={WORD.cancel}
          help={WORD.cancelHelp}
          submit={WORD.cancel}
          isDangerous
          act={() => migrations.ask(migration.id, "cancel")}
          onClose={() => setCancelling(false)}
        />
      )}
    </section>
  );
}
