/** What `docs/deploy/` asks Prometheus for is what the program has. */
import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { ROOT } from "../helpers/server.ts";

/** As the generated table of docs/operation.md has them. */
const KNOWN = new Set(
  [...readFileSync(join(ROOT, "docs/operation.md"), "utf8").matchAll(/^\| `(lectern_\w+)`/gm)].map((match) => match[1]),
);

test.each(["grafana.json", "alerts.yml"])("%s asks for metrics that there are", (name) => {
  const text = readFileSync(join(ROOT, "docs/deploy", name), "utf8");
  const asked = new Set(text.match(/lectern_\w+/g));
  expect(asked.size).toBeGreaterThan(5);
  const ofHistogram = (metric: string) => metric.replace(/(?<=_seconds)_(bucket|sum|count)$/, "");
  expect([...asked].filter((metric) => !KNOWN.has(ofHistogram(metric)))).toEqual([]);
});

test("the board has a title and a question in each panel", () => {
  const { panels } = JSON.parse(readFileSync(join(ROOT, "docs/deploy/grafana.json"), "utf8"));
  const titles = panels.map((panel: { title: string }) => panel.title);
  expect(new Set(titles).size).toBe(panels.length);
  for (const { targets } of panels) expect(targets.every(({ expr }: { expr: string }) => expr.length > 10)).toBe(true);
});
