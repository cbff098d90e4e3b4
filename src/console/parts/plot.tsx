import { useEffect, useRef, useState } from "preact/hooks";
import { hourText, timeText } from "../text/format.ts";
import { linePath, ticksUpTo } from "../text/scale.ts";

export interface PlotSeries {
  word: string;
  /** One for each time; null where there is none. */
  values: readonly (number | null)[];
}

export interface PlotProps {
  label: string;
  /** Unix seconds, the oldest first. */
  times: readonly number[];
  /** At most three: each has a stroke of its own. */
  series: readonly PlotSeries[];
  /** The top of the axis, where it is known. */
  most?: number;
  unit?: string;
}

/** Pixels. */
const USUAL_WIDTH = 560;
/** Below it two words fit under the axis. */
const ROOM_FOR_THREE = 400;
const HEIGHT = 180;
const LEFT = 56;
const RIGHT = 12;
const TOP = 10;
const BOTTOM = 26;

/** Lines over time. Whatever it shows is in a table beside it too. */
export function Plot({ label, times, series, most, unit = "" }: PlotProps) {
  const [figure, width] = useWidth();
  const values = series.flatMap((one) => one.values.filter((value) => value !== null));
  const ticks = ticksUpTo(most ?? Math.max(0, ...values));
  const top = ticks.at(-1) ?? 1;
  const x = (i: number) => LEFT + (width - LEFT - RIGHT) * (times.length === 1 ? 0.5 : i / (times.length - 1));
  const y = (value: number) => HEIGHT - BOTTOM - ((HEIGHT - TOP - BOTTOM) * value) / top;
  const last = times.length - 1;
  const named = new Set(width < ROOM_FOR_THREE ? [0, last] : [0, last >> 1, last]).intersection(new Set(times.keys()));
  return (
    <figure class="plot" ref={figure}>
      <figcaption class="row">
        <strong>{label}</strong>
        {series.length > 1 &&
          series.map(({ word }, i) => (
            <span key={word} class="row tight">
              <svg class={`key line${i}`} viewBox="0 0 28 10" aria-hidden="true">
                <path d="M0 5H28" />
              </svg>
              {word}
            </span>
          ))}
      </figcaption>
      <svg viewBox={`0 0 ${width} ${HEIGHT}`} role="img" aria-label={label}>
        {ticks.map((tick) => (
          <g key={tick}>
            <path class="grid" d={`M${LEFT} ${y(tick)}H${width - RIGHT}`} />
            <text x={LEFT - 8} y={y(tick) + 4} text-anchor="end">
              {`${tick.toLocaleString("en")}${unit}`}
            </text>
          </g>
        ))}
        {[...named].map((i) => (
          <text key={i} x={x(i)} y={HEIGHT - 6} text-anchor={anchorOf(i, times.length)}>
            {hourText(times[i] ?? 0)}
          </text>
        ))}
        {series.map(({ word, values: own }, line) => (
          <g key={word} class={`line${line}`}>
            <path d={linePath(own.map((value, i) => [x(i), value === null ? null : y(value)] as const))} />
            {own.map((value, i) =>
              value === null ? null : (
                <circle key={i} cx={x(i)} cy={y(value)} r={own.length > 40 ? 1.5 : 3}>
                  <title>{`${timeText(times[i] ?? 0)}: ${word} ${value.toLocaleString("en")}${unit}`}</title>
                </circle>
              ),
            )}
          </g>
        ))}
      </svg>
    </figure>
  );
}

function anchorOf(i: number, count: number): "start" | "middle" | "end" {
  if (count === 1) return "middle";
  if (i === 0) return "start";
  return i === count - 1 ? "end" : "middle";
}

/** As wide as there is room, so that its words keep their size. */
function useWidth() {
  const figure = useRef<HTMLElement>(null);
  const [width, setWidth] = useState(USUAL_WIDTH);
  useEffect(() => {
    const element = figure.current;
    if (element === null) return;
    const observer = new ResizeObserver(() => setWidth(Math.max(200, Math.round(element.clientWidth))));
    observer.observe(element);
    return () => observer.disconnect();
  }, []);
  return [figure, width] as const;
}
