import { useState } from "preact/hooks";
import type { VectorStore } from "../../api/store-schema.ts";
import { Choice, Field } from "../parts/fields.tsx";
import { Failure } from "../parts/load.tsx";
import { useConsole } from "../state/console.ts";
import { MODEL_WORDS } from "../words-model.ts";
import { bodyOf, type Wanted } from "./migration-wanted.ts";

const WORD = MODEL_WORDS.gate;
/** The end of the slider of the latency, where nothing is asked. */
const ANY_LATENCY = 10.5;
const DAY_HOURS = 24;

/** Where the sliders stand. At 0, and the latency's at its end, nothing is asked. */
interface Limits {
  overlap: number;
  recall: number;
  latency: number;
}

export interface MigrationGateProps {
  store: VectorStore;
  wanted: Wanted;
  onBack: () => void;
  onStarted: () => void;
}

/** What must hold before the new index goes live, and what happens then. */
export function MigrationGate({ store, wanted, onBack, onStarted }: MigrationGateProps) {
  const { api } = useConsole();
  const [limits, setLimits] = useState<Limits>({ overlap: 0.5, recall: 0.9, latency: 3 });
  const [isLive, setLive] = useState(false);
  const [days, setDays] = useState("7");
  const [isStarting, setStarting] = useState(false);
  const [error, setError] = useState<Error | null>(null);
  const start = async (event: Event) => {
    event.preventDefault();
    setStarting(true);
    setError(null);
    const gate = gateOf(limits);
    try {
      await api.send("POST", `vector_stores/${encodeURIComponent(store.id)}/migrate`, {
        ...bodyOf(wanted),
        ...(Object.keys(gate).length === 0 ? {} : { gate }),
        dry_run: !isLive,
        retain_hours: Number(days) * DAY_HOURS,
      });
      onStarted();
    } catch (thrown) {
      setError(thrown instanceof Error ? thrown : new Error(String(thrown)));
      setStarting(false);
    }
  };
  return (
    <form class="stack" onSubmit={(event) => void start(event)}>
      <p>{WORD.help}</p>
      <Sliders limits={limits} onChange={setLimits} />
      <div class="row fields">
        <Choice
          label={WORD.afterwards}
          value={isLive ? "live" : "stop"}
          options={[
            ["stop", WORD.stop],
            ["live", WORD.live],
          ]}
          onChange={(choice) => setLive(choice === "live")}
        />
        <Field label={WORD.retain}>
          <input
            type="number"
            name="days"
            min={0}
            max={365}
            required
            value={days}
            onInput={(event) => setDays(event.currentTarget.value)}
          />
        </Field>
      </div>
      {error !== null && <Failure error={error} />}
      <div class="row">
        <button type="button" onClick={onBack}>
          {MODEL_WORDS.back}
        </button>
        <button type="submit" class="primary" disabled={isStarting}>
          {WORD.start}
        </button>
      </div>
    </form>
  );
}

function Sliders({ limits, onChange }: { limits: Limits; onChange: (limits: Limits) => void }) {
  const { overlap, recall, latency } = limits;
  return (
    <>
      <Slider
        label={WORD.overlap}
        name="overlap"
        value={overlap}
        words={WORD.overlapIs(overlap)}
        onInput={(value) => onChange({ ...limits, overlap: value })}
      />
      <Slider
        label={WORD.recall}
        name="recall"
        value={recall}
        words={WORD.recallIs(recall)}
        onInput={(value) => onChange({ ...limits, recall: value })}
      />
      <Slider
        label={WORD.latency}
        name="latency"
        range={[1, ANY_LATENCY, 0.5]}
        value={latency}
        words={WORD.latencyIs(latency === ANY_LATENCY ? null : latency)}
        onInput={(value) => onChange({ ...limits, latency: value })}
      />
    </>
  );
}

/** As it is sent: what is not asked is left out. */
function gateOf({ overlap, recall, latency }: Limits): Record<string, number> {
  return {
    ...(overlap === 0 ? {} : { min_overlap: overlap }),
    ...(recall === 0 ? {} : { min_recall: recall }),
    ...(latency === ANY_LATENCY ? {} : { max_latency_ratio: latency }),
  };
}

interface SliderProps {
  label: string;
  name: string;
  value: number;
  /** What the value means. */
  words: string;
  /** Least, most, step. */
  range?: readonly [number, number, number];
  onInput: (value: number) => void;
}

/** A limit that is set by pulling, and said in words. */
function Slider({ label, name, value, words, range: [least, most, step] = [0, 1, 0.05], onInput }: SliderProps) {
  return (
    <Field label={label}>
      <input
        type="range"
        name={name}
        min={least}
        max={most}
        step={step}
        value={value}
        aria-valuetext={words}
        onInput={(event) => onInput(Number(event.currentTarget.value))}
      />
      <small>{words}</small>
    </Field>
  );
}
