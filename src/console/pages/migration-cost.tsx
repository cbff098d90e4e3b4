import type { MigrationEstimate } from "../../api/migrations/schema.ts";
import type { VectorStore } from "../../api/store-schema.ts";
import { Failure } from "../parts/load.tsx";
import { useConsole } from "../state/console.ts";
import { useLoad } from "../state/use-load.ts";
import { bytesText, durationText, numberText } from "../text/format.ts";
import { MODEL_WORDS } from "../words-model.ts";
import { bodyOf, type Wanted } from "./migration-wanted.ts";

const WORD = MODEL_WORDS.cost;

export interface MigrationCostProps {
  store: VectorStore;
  wanted: Wanted;
  /** Whether the model is at a provider, who may ask for money. */
  isRemote: boolean;
  onBack: () => void;
  onNext: () => void;
}

/** What the migration would take, before anything is built. */
export function MigrationCost({ store, wanted, isRemote, onBack, onNext }: MigrationCostProps) {
  const { api } = useConsole();
  const body = bodyOf(wanted);
  const path = `vector_stores/${encodeURIComponent(store.id)}/migrate/estimate`;
  const cost = useLoad(`${path} ${JSON.stringify(body)}`, (signal) =>
    api.send<MigrationEstimate>("POST", path, body, signal),
  );
  return (
    <div class="stack">
      {cost.data === null && cost.error === null && <p role="status">{WORD.measuring}</p>}
      {cost.error !== null && <Failure error={cost.error} retry={cost.reload} />}
      {cost.data !== null && <Cost of={cost.data} isRemote={isRemote} />}
      <div class="row">
        <button type="button" onClick={onBack}>
          {MODEL_WORDS.back}
        </button>
        <button type="button" class="primary" disabled={cost.data === null} onClick={onNext}>
          {WORD.next}
        </button>
      </div>
    </div>
  );
}

function Cost({ of, isRemote }: { of: MigrationEstimate; isRemote: boolean }) {
  const { seconds, cost_usd: cost } = of;
  const free = isRemote ? WORD.unknownPrice : WORD.free;
  const facts: [string, string][] = [
    [WORD.chunks, WORD.about(numberText(of.chunks))],
    [WORD.tokens, WORD.about(numberText(of.tokens))],
    [WORD.memory, WORD.about(bytesText(of.memory_bytes))],
    [WORD.time, seconds === null ? WORD.unknown : WORD.about(durationText(seconds))],
    [WORD.money, cost === null ? free : WORD.dollars(cost)],
  ];
  return (
    <>
      <dl class="attributes">
        {facts.map(([word, value]) => (
          <div key={word}>
            <dt>{word}</dt>
            <dd>{value}</dd>
          </div>
        ))}
      </dl>
      <p class="quiet">{WORD.help(of.sampled_chunks)}</p>
    </>
  );
}
