/** Traces and metrics over OTLP: the server over HTTP, and a collector that is a real HTTP server. */
import { expect, test } from "bun:test";
import { toFile } from "openai";
import { runLectern, startServer } from "../helpers/server.ts";

interface Attribute {
  key: string;
  value: { stringValue?: string; intValue?: number | string; doubleValue?: number };
}
interface SpanSent {
  traceId: string;
  spanId: string;
  parentSpanId?: string;
  name: string;
  attributes: Attribute[];
  status?: { code?: number; message?: string };
}
interface MetricSent {
  name: string;
  sum?: { isMonotonic: boolean; dataPoints: { asDouble?: number; attributes: Attribute[] }[] };
  histogram?: { dataPoints: { count: number | string; bucketCounts: (number | string)[]; explicitBounds: number[] }[] };
  gauge?: { dataPoints: unknown[] };
}

/** Keeps what is sent, and says so. */
function collector(status = 200) {
  const bodies: string[] = [];
  const spans: SpanSent[] = [];
  const metrics: MetricSent[] = [];
  const headers: Headers[] = [];
  const server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    async fetch(request) {
      const text = await request.text();
      bodies.push(text);
      headers.push(request.headers);
      const body = JSON.parse(text);
      for (const of of body.resourceSpans ?? []) for (const scope of of.scopeSpans) spans.push(...scope.spans);
      for (const of of body.resourceMetrics ?? []) for (const scope of of.scopeMetrics) metrics.push(...scope.metrics);
      return new Response("{}", { status, headers: { "content-type": "application/json" } });
    },
  });
  const endpoint = `http://127.0.0.1:${server.port}`;
  return { endpoint, bodies, spans, metrics, headers, [Symbol.asyncDispose]: () => server.stop(true) };
}

const valueOf = (span: SpanSent, key: string) => {
  const value = span.attributes.find((one) => one.key === key)?.value;
  return value?.stringValue ?? value?.intValue;
};

const SECRET = "The heron stands in the reeds";

test("a request's trace goes on from its traceparent to the parts of the work, without any text, and metrics come too", async () => {
  await using sink = collector();
  const args = ["--otlp-endpoint", sink.endpoint, "--otlp-headers", "x-team=docs%20team"];
  await using server = await startServer({ args });
  const { client } = server;
  const store = await client.vectorStores.create({ name: "birds of the secret marsh" });
  const file = await client.files.create({
    file: await toFile(Buffer.from(SECRET), "heron.txt"),
    purpose: "assistants",
  });
  await client.vectorStores.files.createAndPoll(store.id, { file_id: file.id });
  const traceId = "0af7651916cd43dd8448eb211c80319c";
  const found = await server.fetch(`/v1/vector_stores/${store.id}/search`, {
    method: "POST",
    headers: { "content-type": "application/json", traceparent: `00-${traceId}-b7ad6b7169203331-01` },
    body: JSON.stringify({ query: "Where does the heron stand?" }),
  });
  expect(found.status).toBe(200);
  expect((await server.fetch("/v1/vector_stores/vs_none")).status).toBe(404);
  expect(await server.stop()).toBe(0);

  const ours = sink.spans.filter((span) => span.traceId === traceId);
  const root = ours.find((span) => span.parentSpanId === "b7ad6b7169203331");
  expect(root?.name).toBe("POST /v1/vector_stores/{vector_store_id}/search");
  expect(root && [valueOf(root, "http.response.status_code"), valueOf(root, "lectern.request_id")].map(String)).toEqual(
    ["200", found.headers.get("x-request-id") ?? ""],
  );
  const search = ours.find((span) => span.name === "search");
  expect(search?.parentSpanId).toBe(root?.spanId);
  const below = ours.filter((span) => span.parentSpanId === search?.spanId).map((span) => span.name);
  expect(below).toEqual(["search.open", "search.embed", "search.index", "search.read"]);
  const embedding = ours.find((span) => span.name === "search.embed");
  expect(ours.find((span) => span.name === "embed")?.parentSpanId).toBe(embedding?.spanId);

  const job = sink.spans.find((span) => span.name === "job ingest");
  expect(job && valueOf(job, "lectern.outcome")).toBe("done");
  const ofJob = sink.spans.filter((span) => span.traceId === job?.traceId).map((span) => span.name);
  expect(ofJob).toEqual(expect.arrayContaining(["parse", "embed"]));
  const refused = sink.spans.find((span) => valueOf(span, "http.response.status_code")?.toString() === "404");
  expect(refused && valueOf(refused, "error.type")).toBe("vector_store_not_found");

  const requests = sink.metrics.find((one) => one.name === "lectern_http_requests_total");
  expect(requests?.sum?.isMonotonic).toBe(true);
  const seconds = sink.metrics.find((one) => one.name === "lectern_http_request_seconds")?.histogram?.dataPoints[0];
  const counts = seconds?.bucketCounts.map(Number) ?? [];
  expect([counts.length, counts.reduce((sum, one) => sum + one, 0)]).toEqual([
    (seconds?.explicitBounds.length ?? 0) + 1,
    Number(seconds?.count),
  ]);
  expect(sink.metrics.some((one) => one.gauge !== undefined)).toBe(true);

  const sent = sink.bodies.join("\n");
  for (const text of ["heron", "marsh", store.id, file.id, server.key, server.dataDir])
    expect(sent).not.toContain(text);
  expect(sink.headers.every((one) => one.get("x-team") === "docs team")).toBe(true);
});

test("a collector that is away or refuses costs a line in the log and nothing else", async () => {
  await using sink = collector(503);
  const args = ["--otlp-endpoint", sink.endpoint];
  await using server = await startServer({ args });
  expect((await server.fetch("/v1/vector_stores")).status).toBe(200);
  expect(await server.stop()).toBe(0);
  await using other = await startServer({ args: ["--otlp-endpoint", "http://127.0.0.1:9"] });
  expect((await other.fetch("/v1/vector_stores")).status).toBe(200);
  expect(await other.stop()).toBe(0);
  expect(other.log()).toMatch(/could not be sent/);
});

test("a caller that samples nothing is not sent, and neither is a share of none", async () => {
  await using sink = collector();
  await using server = await startServer({ args: ["--otlp-endpoint", sink.endpoint, "--otlp-sample", "0"] });
  const headers = (flags: string) => ({ traceparent: `00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-${flags}` });
  await server.fetch("/v1/vector_stores");
  await server.fetch("/v1/files", { headers: headers("00") });
  await server.fetch("/v1/models", { headers: headers("01") });
  expect(await server.stop()).toBe(0);
  expect(sink.spans.map((span) => span.name)).toEqual(["GET /v1/models"]);
});

test("a start says what is wrong with the endpoint", async () => {
  const start = async (...args: string[]) =>
    await runLectern(["serve", "--port", "0", "--data", "/nonexistent/x", ...args]);
  for (const args of [
    ["--otlp-endpoint", "collector:4318"],
    ["--otlp-endpoint", "http://127.0.0.1:4318", "--offline"],
  ]) {
    const { status } = await start(...args);
    expect(status).not.toBe(0);
  }
});
