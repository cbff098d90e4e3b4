/** Searches of all engines in turns: latency on one connection and on sixteen, with filters, and the recall beside. */
import { type BenchContext, median, percentile, type Row, round } from "../bench.ts";
import { interval, ratios } from "../ratios.ts";
import type { Share } from "./engine.ts";
import { answersOf, type Contender, type Field } from "./field.ts";

const MANY = 16;

export interface Trial {
  trial: string;
  clients: number;
  share: Share;
}

export const TRIALS: readonly Trial[] = [
  { trial: "search, 1 connection", clients: 1, share: "all" },
  { trial: `search, ${MANY} connections`, clients: MANY, share: "all" },
  { trial: "search, filter keeps 10 %", clients: 1, share: "10 %" },
  { trial: "search, filter keeps 1 %", clients: 1, share: "1 %" },
];

/** Figures of one contender in one trial, one of each a turn. */
export interface Turns {
  p50: number[];
  p99: number[];
  perSecond: number[];
}

export interface Asked {
  vectors: number;
  cores: number;
  turns: number;
  seconds: number;
  queries: readonly Float32Array[];
  exact: ReadonlyMap<Share, readonly (readonly number[])[]>;
}

/** Whether it can do what the trial asks: others are not in its table. */
function isAble({ entrant: { engine } }: Contender, { clients, share }: Trial): boolean {
  return (clients === 1 || engine.concurrent) && (share === "all" || engine.filters);
}

export async function searches(context: BenchContext, field: Field, asked: Asked): Promise<void> {
  const recalls = new Map<string, number>();
  for (const share of new Set(TRIALS.map(({ share }) => share))) {
    await field.eachContender("its answers", 0, async (contender) => {
      if (share !== "all" && !contender.entrant.engine.filters) return;
      const { recall } = await answersOf(contender, asked.queries, share, asked.exact.get(share) ?? []);
      recalls.set(`${contender.name} ${share}`, recall);
    });
  }
  const taken = new Map<string, Turns>();
  const keyOf = (name: string, trial: string) => `${name}\n${trial}`;
  // The first turn warms up and is not counted.
  for (let turn = -1; turn < asked.turns; turn++) {
    for (const trial of TRIALS) {
      await field.eachContender(trial.trial, turn + 1, async (contender) => {
        if (!isAble(contender, trial)) return;
        const { searching, entrant } = contender;
        const load = { share: trial.share, clients: trial.clients, seconds: asked.seconds };
        const { times, perSecond } = await searching.drive(entrant.collection, asked.queries, load);
        if (turn < 0) return;
        const turns = taken.get(keyOf(contender.name, trial.trial)) ?? { p50: [], p99: [], perSecond: [] };
        taken.set(keyOf(contender.name, trial.trial), turns);
        turns.p50.push(percentile(times, 50));
        turns.p99.push(percentile(times, 99));
        turns.perSecond.push(perSecond);
      });
    }
  }
  for (const trial of TRIALS) {
    const [first] = field.entrants;
    const ours = taken.get(keyOf(first?.engine.name ?? "", trial.trial));
    for (const { name, entrant } of field.contenders()) {
      const turns = taken.get(keyOf(name, trial.trial));
      if (turns === undefined) continue;
      const { engine, version } = entrant;
      const about = { trial: trial.trial, engine: name, version, how: engine.how };
      const recall = round(recalls.get(`${name} ${trial.share}`) ?? Number.NaN, 4);
      context.report({
        ...about,
        vectors: asked.vectors,
        on_cores: asked.cores,
        ...figuresOf(trial, turns, ours),
        recall_at_10: recall,
      });
    }
  }
}

/**
 * Medians over the turns. `ratio` is of Lectern to this engine in time: of the median on one connection, of the time a
 * request takes of the whole (the inverse of requests a second) on several. Above 1 Lectern is the slower one.
 */
export function figuresOf({ clients }: Trial, turns: Turns, ours: Turns | undefined): Omit<Row, "trial"> {
  const pairs =
    ours === undefined ? [] : clients === 1 ? ratios(ours.p50, turns.p50) : ratios(turns.perSecond, ours.perSecond);
  return {
    p50_ms: round(median(turns.p50)),
    p99_ms: round(median(turns.p99)),
    per_s: Math.round(median(turns.perSecond)),
    ...ratioOf(pairs),
    p99_ratio: ours === undefined ? null : round(interval(ratios(ours.p99, turns.p99)).mean),
  };
}

export function ratioOf(pairs: readonly number[]): { ratio: number | null; low: number | null; high: number | null } {
  if (pairs.length === 0) return { ratio: null, low: null, high: null };
  const { mean, low, high } = interval(pairs);
  return { ratio: round(mean), low: round(low), high: round(high) };
}
