/** When what disturbs the server. */
import type { SeededRandom } from "../helpers/random.ts";
import type { Disturbance } from "./house.ts";

export interface Planned {
  atMs: number;
  kind: Disturbance | "sweep" | "fill" | "rest";
}

/** From here to the end the server lives one life. */
const LONG_LIFE_FROM = 0.42;
/** And from here to the end, when it has warmed up, its series are held against their bounds. */
export const WINDOW_FROM = 0.5;
const KILL_EVERY_MS = 75_000;
const OTHERS_EVERY_MS = { full: 240_000, clock: 100_000, sweep: 120_000 } as const;
/** Rests within the window, as many as a trend needs and one more. A shorter soak has none, and nothing is filled in it. */
const RESTS = 9;
const SHORTEST_WITH_RESTS_MS = 15 * 60_000;

/**
 * Storms of kills and restarts in the first and the fourth tenth, calm between them, and after that neither: a leak
 * shows in a long life alone. A full disk, moved clocks and the sweeping of what interrupted clients left go on throughout.
 * In the long life what is remembered is filled first, and the server rests now and then.
 */
export function scheduleOf(durationMs: number, random: SeededRandom): Planned[] {
  const planned: Planned[] = [];
  const every = (ms: number) => Math.min(ms, durationMs / 4);
  for (const [from, to] of [
    [0.02, 0.14],
    [0.3, 0.41],
  ] as const)
    for (let at = from * durationMs, n = 0; at < to * durationMs; at += every(KILL_EVERY_MS) * (0.5 + random()), n++)
      planned.push({ atMs: at, kind: n % 3 === 2 ? "restart" : "kill" });
  for (const [kind, ms] of Object.entries(OTHERS_EVERY_MS))
    for (let at = every(ms) * (0.5 + random()); at < durationMs * 0.97; at += every(ms) * (0.7 + 0.6 * random()))
      planned.push({ atMs: at, kind: kind as keyof typeof OTHERS_EVERY_MS });
  // One graceful stop at least, and the last start before the long life.
  planned.push({ atMs: LONG_LIFE_FROM * durationMs, kind: "restart" });
  if (durationMs >= SHORTEST_WITH_RESTS_MS) {
    planned.push({ atMs: LONG_LIFE_FROM * durationMs + 1, kind: "fill" });
    const between = ((0.98 - WINDOW_FROM) * durationMs) / (RESTS - 1);
    for (let n = 0; n < RESTS; n++) planned.push({ atMs: WINDOW_FROM * durationMs + n * between, kind: "rest" });
  }
  return planned.toSorted((a, b) => a.atMs - b.atMs);
}
