import { useEffect, useRef } from "preact/hooks";
import type { Model } from "../../api/models/schema.ts";
import type { VectorStore } from "../../api/store-schema.ts";
import { Load } from "../parts/load.tsx";
import type { Route } from "../route.ts";
import { useConsole } from "../state/console.ts";
import { useLoad } from "../state/use-load.ts";
import { setQuery } from "../state/use-route.ts";
import { MODEL_WORDS } from "../words-model.ts";
import { MigrationChoice } from "./migration-choice.tsx";
import { MigrationCost } from "./migration-cost.tsx";
import { MigrationGate } from "./migration-gate.tsx";
import { wantedOf, wantedQuery } from "./migration-wanted.ts";

export interface WizardProps {
  route: Route;
  store: VectorStore;
  /** A migration is under way. */
  onStarted: () => void;
}

const STEPS = ["choose", "cost", "gate"] as const;
type Step = (typeof STEPS)[number];

/** From a wish to a migration: what to, what it costs, what must hold. */
export function MigrationWizard({ route, store, onStarted }: WizardProps) {
  const { api } = useConsole();
  const models = useLoad("models", (signal) => api.get<{ data: Model[] }>("models", signal));
  const wanted = wantedOf(route);
  const asked = STEPS.find((one) => one === route.query["step"]) ?? "choose";
  const step = wanted === null ? "choose" : asked;
  const heading = useRef<HTMLHeadingElement>(null);
  useEffect(() => heading.current?.focus({ preventScroll: true }), [step]);
  const go = (next: Step, changes: Record<string, string> = {}) => setQuery(route, { step: next, ...changes });
  return (
    <section class="stack wizard" aria-label={MODEL_WORDS.wizard}>
      <h2 ref={heading} tabIndex={-1}>
        {MODEL_WORDS.wizard}
      </h2>
      <p class="quiet">{MODEL_WORDS.step(STEPS.indexOf(step) + 1, STEPS.length, MODEL_WORDS.steps[step] ?? step)}</p>
      <Load of={models}>
        {({ data }) =>
          step === "choose" || wanted === null ? (
            <MigrationChoice
              store={store}
              models={data}
              initial={wanted}
              onCancel={() => setQuery(route, { ...wantedQuery(null), step: "" })}
              onChosen={(next) => go("cost", wantedQuery(next))}
            />
          ) : step === "cost" ? (
            <MigrationCost
              store={store}
              wanted={wanted}
              isRemote={data.find(({ id }) => id === wanted.model)?.location === "remote"}
              onBack={() => go("choose")}
              onNext={() => go("gate")}
            />
          ) : (
            <MigrationGate
              store={store}
              wanted={wanted}
              onBack={() => go("cost")}
              onStarted={() => {
                setQuery(route, { ...wantedQuery(null), step: "" });
                onStarted();
              }}
            />
          )
        }
      </Load>
    </section>
  );
}
