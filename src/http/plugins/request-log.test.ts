import { expect, test } from "bun:test";
import { createLog } from "../../platform/log.ts";
import { createMetrics } from "../../platform/metrics.ts";
import { RequestLog } from "./request-log.ts";
import type { Refusal } from "./request-log.ts";

const RECORD = {
  method: "GET",
  route: "/v1/x",
  status: 200,
  heldMs: 0,
  requestId: "req_1",
  keyId: "key_1",
  refusal: null,
};

async function recorded(times: { durationMs: number; heldMs: number; refusal?: Refusal }) {
  const lines: Record<string, unknown>[] = [];
  const write = (line: string) => void lines.push(JSON.parse(line) as Record<string, unknown>);
  const metrics = createMetrics();
  const log = createLog({ level: "info", format: "json", write });
  new RequestLog({ log, metrics, slowRequestMs: 1000 }).record({ ...RECORD, ...times });
  return { line: lines[0], metrics: await metrics.render() };
}

test("a request slower than the limit is a warning", async () => {
  expect((await recorded({ durationMs: 1200.04, heldMs: 0 })).line).toMatchObject({
    level: "warn",
    message: "slow request",
    ms: 1200,
  });
});

test("the time that a client asked to be kept waiting makes no request slow, in the log or in the metric", async () => {
  const { line, metrics } = await recorded({ durationMs: 20_003, heldMs: 20_000 });
  expect(line).toMatchObject({ level: "info", message: "request", ms: 20_003, held_ms: 20_000 });
  expect(metrics).toMatch(/lectern_http_request_seconds_sum\S* 0\.003/);
});

test("the line of a refused request says why, that of another does not", async () => {
  const refused = async (refusal: Refusal) => (await recorded({ durationMs: 1, heldMs: 0, refusal })).line;
  expect(await refused({ code: "invalid_type", param: "filters.key" })).toMatchObject({
    code: "invalid_type",
    param: "filters.key",
  });
  expect(await refused({ code: "invalid_api_key", param: null })).not.toHaveProperty("param");
  expect((await recorded({ durationMs: 1, heldMs: 0 })).line).not.toHaveProperty("code");
});

test("of requests without a valid key some lines are written, and the rest counted in the next one", () => {
  const lines: Record<string, unknown>[] = [];
  const write = (line: string) => void lines.push(JSON.parse(line) as Record<string, unknown>);
  const log = createLog({ level: "info", format: "json", write });
  const metrics = createMetrics();
  let now = 0;
  const requests = new RequestLog({ log, metrics, slowRequestMs: 1000 }, () => now);
  const stranger = {
    ...RECORD,
    status: 401,
    keyId: null,
    durationMs: 1,
    refusal: { code: "invalid_api_key", param: null },
  };
  for (let i = 0; i < 100; i++) requests.record({ ...stranger, status: i % 2 === 0 ? 401 : 403 });
  expect(lines).toHaveLength(20);
  for (let i = 0; i < 3; i++) requests.record({ ...RECORD, durationMs: 1, refusal: null });
  expect(lines).toHaveLength(23);
  now = 10_000;
  requests.record(stranger);
  requests.record(stranger);
  expect(lines.slice(23).map((line) => line["omitted"])).toEqual([80, undefined]);
});
