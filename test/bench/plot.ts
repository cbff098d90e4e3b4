/** Line plots below each other over one axis, as an SVG of no more than needed; readable on light and dark pages. */
export interface Panel {
  title: string;
  lines: { name: string; values: readonly number[] }[];
}

const WIDTH = 900;
const PANEL = 150;
const LEFT = 70;
const RIGHT = 20;
const TOP = 50;
const GAP = 45;
const COLOURS = ["#2563eb", "#dc2626", "#059669"];
const INK = "#64748b";

export function drawPlot(title: string, axis: string, x: readonly number[], panels: readonly Panel[]): string {
  const height = TOP + panels.length * (PANEL + GAP);
  const lastX = Math.max(x.at(-1) ?? 1, 1e-9);
  const parts = [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" font-family="sans-serif" font-size="12" fill="${INK}">`,
    `<text x="${LEFT}" y="20" font-size="15">${escape(title)}</text>`,
  ];
  panels.forEach((panel, i) => parts.push(drawPanel(panel, x, lastX, TOP + i * (PANEL + GAP))));
  for (let tick = 0; tick <= 6; tick++) {
    const at = LEFT + ((WIDTH - LEFT - RIGHT) * tick) / 6;
    parts.push(`<text x="${at}" y="${height - 22}" text-anchor="middle">${short((lastX * tick) / 6)}</text>`);
  }
  parts.push(`<text x="${WIDTH - RIGHT}" y="${height - 6}" text-anchor="end">${escape(axis)}</text>`, "</svg>");
  return `${parts.join("\n")}\n`;
}

function drawPanel({ title, lines }: Panel, x: readonly number[], lastX: number, top: number): string {
  const most = Math.max(...lines.flatMap(({ values }) => values), 1e-9) * 1.05;
  const px = (value: number) => (LEFT + (value / lastX) * (WIDTH - LEFT - RIGHT)).toFixed(1);
  const py = (value: number) => (top + PANEL - (value / most) * PANEL).toFixed(1);
  const parts = [`<text x="${LEFT}" y="${top - 6}">${escape(title)}</text>`];
  for (const share of [0, 0.5, 1]) {
    const y = py((most / 1.05) * share);
    parts.push(
      `<line x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${y}" y2="${y}" stroke="${INK}" stroke-opacity="0.25"/>`,
      `<text x="${LEFT - 6}" y="${y}" dy="4" text-anchor="end">${short((most / 1.05) * share)}</text>`,
    );
  }
  lines.forEach(({ name, values }, i) => {
    const colour = COLOURS[i % COLOURS.length];
    const points = values.map((value, at) => `${px(x[at] ?? 0)},${py(value)}`).join(" ");
    parts.push(
      `<polyline points="${points}" fill="none" stroke="${colour}" stroke-width="1.5"/>`,
      `<text x="${WIDTH - RIGHT - i * 60}" y="${top - 6}" text-anchor="end" fill="${colour}">${escape(name)}</text>`,
    );
  });
  return parts.join("\n");
}

function short(value: number): string {
  return value >= 1000 ? `${(value / 1000).toPrecision(3)}k` : String(Number(value.toPrecision(3)));
}

function escape(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;");
}
