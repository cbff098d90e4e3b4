import { expect, test } from "bun:test";
import { counter, createMetrics } from "../platform/metrics.ts";
import { traced } from "../platform/tracing.ts";
import { openTelemetry } from "./telemetry-export.ts";

const ASKED = counter("lectern_test_asked_total", "What was asked", ["kind"]);

/** What a collector was sent, by path, as texts. */
function collector() {
  const sent = new Map<string, string[]>();
  const server = Bun.serve({
    port: 0,
    async fetch(request) {
      const { pathname } = new URL(request.url);
      sent.set(pathname, [...(sent.get(pathname) ?? []), `${request.headers.get("x-key")} ${await request.text()}`]);
      return Response.json({});
    },
  });
  return { sent, url: server.url.origin, [Symbol.asyncDispose]: () => server.stop(true) };
}

test("spans and metrics go to the collector, what is left at the end too, and none is made afterwards", async () => {
  await using f = collector();
  const metrics = createMetrics();
  metrics.count(ASKED, { kind: "search" }, 3);
  const problems: string[] = [];
  {
    await using _telemetry = openTelemetry({
      traces: `${f.url}/v1/traces`,
      metrics: `${f.url}/v1/metrics`,
      headers: { "x-key": "secret" },
      sample: 1,
      version: "1.2.3",
      everyMs: 60_000,
      withinMs: 5000,
      read: () => metrics.collect(),
      onProblem: (problem) => problems.push(problem),
    });
    await traced("search.index", { "lectern.hits": 4 }, async () => {});
  }
  await traced("later", {}, async () => {});
  const [traces = "", values = ""] = ["/v1/traces", "/v1/metrics"].map((path) => (f.sent.get(path) ?? []).join("\n"));
  expect(traces).toStartWith("secret ");
  for (const part of ["search.index", "lectern.hits", "service.version", "1.2.3"]) expect(traces).toContain(part);
  expect(traces).not.toContain("later");
  for (const part of [ASKED.name, "kind", '"asDouble":3']) expect(values).toContain(part);
  expect(problems).toEqual([]);
});
