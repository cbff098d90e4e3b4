/** The soak as one page: figures, tables, and a plot of each series. Nothing is loaded from elsewhere. */
import { rowsOf, summaryOf, windowOf } from "./report.ts";
import { SERIES, type SeriesName } from "./sampler.ts";
import type { Soak } from "./soak.ts";

const WIDTH = 640;
const HEIGHT = 170;
const LEFT = 56;
const BOTTOM = 22;
const TOP = 8;
const COLOURS: Record<string, string> = { kill: "#c0392b", restart: "#e67e22", full: "#8e44ad", clock: "#2980b9" };

const escaped = (text: string) => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
const shown = (value: number) => (Math.abs(value) >= 100 ? value.toFixed(0) : value.toFixed(1));

function plotOf(soak: Soak, series: SeriesName): string {
  const points = soak.sampler.samples.filter((sample) => Number.isFinite(sample[series]));
  const end = Math.max(1, soak.options.durationMs / 1000, ...points.map(({ at }) => at));
  const most = Math.max(1e-9, ...points.map((sample) => sample[series])) * 1.05;
  const x = (at: number) => LEFT + ((WIDTH - LEFT - 6) * at) / end;
  const y = (value: number) => HEIGHT - BOTTOM - ((HEIGHT - BOTTOM - TOP) * value) / most;
  const lives = new Map<number, string[]>();
  for (const sample of points)
    lives.set(sample.life, [
      ...(lives.get(sample.life) ?? []),
      `${x(sample.at).toFixed(1)},${y(sample[series]).toFixed(1)}`,
    ]);
  const lines = [...lives.values()].map((line) => `<polyline points="${line.join(" ")}"/>`).join("");
  const marks = soak.events
    .filter(({ what }) => what in COLOURS)
    .map(
      ({ at, what }) =>
        `<line class="mark" stroke="${COLOURS[what]}" x1="${x(at).toFixed(1)}" x2="${x(at).toFixed(1)}" y1="${TOP}" y2="${HEIGHT - BOTTOM}"/>`,
    )
    .join("");
  const window = windowOf(soak);
  const from = x(window[0]?.at ?? 0);
  const shade = `<rect class="window" x="${from.toFixed(1)}" y="${TOP}" width="${Math.max(0, x(window.at(-1)?.at ?? 0) - from).toFixed(1)}" height="${HEIGHT - BOTTOM - TOP}"/>`;
  const ticks = [0, 0.5, 1]
    .map(
      (part) =>
        `<text x="${LEFT - 4}" y="${y((most / 1.05) * part) + 4}" text-anchor="end">${shown((most / 1.05) * part)}</text>`,
    )
    .join("");
  const minutes = [0, 0.25, 0.5, 0.75, 1]
    .map(
      (part) =>
        `<text x="${x(end * part)}" y="${HEIGHT - 6}" text-anchor="middle">${((end * part) / 60).toFixed(1)}</text>`,
    )
    .join("");
  return `<figure><figcaption>${escaped(SERIES[series])}</figcaption><svg viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="${escaped(SERIES[series])}">${shade}${marks}${lines}${ticks}${minutes}</svg></figure>`;
}

function rowOf(cells: readonly string[], kind = "td"): string {
  return `<tr>${cells.map((cell) => `<${kind}>${escaped(cell)}</${kind}>`).join("")}</tr>`;
}

export function pageOf(soak: Soak): string {
  const { missing, families: _, happened, ...figures } = summaryOf(soak);
  const table = rowsOf(soak).map(({ title, trend, most, mayRise, isFlat }) =>
    rowOf([
      title,
      shown(trend.median),
      shown(most),
      shown(trend.rise),
      `${shown(trend.low)} to ${shown(trend.high)}`,
      mayRise === null ? "–" : shown(mayRise),
      isFlat === null ? "–" : isFlat ? "yes" : "NO",
    ]),
  );
  const counts = [...soak.ledger.counts].map(([name, { asked, ok, refused }]) =>
    rowOf([name, String(asked), String(ok), String(refused)]),
  );
  const done = [...soak.families].map(([name, one]) =>
    rowOf([name, String(one.done), String(one.interrupted), String(one.wrong)]),
  );
  return `<!doctype html><html lang="en"><meta charset="utf-8"><title>Lectern: a soak</title>
<style>body{font:14px/1.45 system-ui,sans-serif;margin:2rem auto;max-width:1340px;padding:0 1rem;color:#222}
table{border-collapse:collapse;margin:1rem 0}td,th{padding:.15rem .7rem;border-bottom:1px solid #ddd;text-align:left}
.plots{display:grid;grid-template-columns:repeat(auto-fit,minmax(420px,1fr));gap:.5rem}figure{margin:0}figcaption{font-weight:600}
svg{width:100%;background:#fafafa}svg text{font-size:10px;fill:#666}polyline{fill:none;stroke:#1b6ca8;stroke-width:1.2}
.mark{stroke-width:.6;opacity:.55}.window{fill:#1b6ca8;opacity:.06}</style>
<h1>A soak of ${(Number(figures["hours"]) * 60).toFixed(1)} minutes</h1>
<table>${Object.entries({
    ...figures,
    ...(happened as object),
    "operations never answered": (missing as string[]).join(", ") || "none",
  })
    .map(([name, value]) =>
      rowOf([name, typeof value === "number" ? String(Math.round(value * 1000) / 1000) : JSON.stringify(value)]),
    )
    .join("")}</table>
<h2>Flat or not</h2><p>Over the shaded part, the second half of the run, all of it in one life of the server: rise by the slope of Theil and Sen, its 95 % interval, and what it may be. At rest: nothing is asked, and garbage is collected.</p>
<table>${rowOf(["series", "median", "most", "rise", "95 % interval", "may rise", "flat"], "th")}${table.join("")}</table>
<p>Lines across: <b style="color:${COLOURS["kill"]}">kill -9</b>, <b style="color:${COLOURS["restart"]}">graceful restart</b>, <b style="color:${COLOURS["full"]}">disk full</b>, <b style="color:${COLOURS["clock"]}">clock moved</b>. Across: minutes.</p>
<div class="plots">${(Object.keys(SERIES) as SeriesName[]).map((series) => plotOf(soak, series)).join("")}</div>
<h2>Families</h2><table>${rowOf(["family", "done", "interrupted", "wrong"], "th")}${done.join("")}</table>
<h2>Operations</h2><table>${rowOf(["operation", "asked", "answered", "refused"], "th")}${counts.join("")}</table>
<h2>Wrong answers</h2><pre>${soak.wrong.length === 0 ? "none" : escaped(soak.wrong.join("\n"))}</pre></html>`;
}
