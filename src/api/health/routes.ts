import { Type } from "@sinclair/typebox";
import type { Metrics } from "../../platform/metrics.ts";
import { NO_BODY } from "../../http/body-limit.ts";
import { operation } from "../../http/operation.ts";
import type { Operation } from "../../http/operation.ts";

/** One thing that must work before requests make sense: "ok", or what is wrong in a few words. */
export type ReadinessCheck = () => string | Promise<string>;

export interface HealthDeps {
  checks: Record<string, ReadinessCheck>;
  metrics: Metrics;
  metricsPublic: boolean;
}

const Health = Type.Object({ status: Type.Literal("ok") }, { $id: "Health" });
const Readiness = Type.Object(
  {
    status: Type.String({ description: "`ok` or `unavailable`." }),
    checks: Type.Record(Type.String(), Type.String(), { description: "`ok`, or what is wrong." }),
  },
  { $id: "Readiness" },
);

/** `/healthz`, `/readyz`, `/metrics` */
export function healthOperations({ checks, metrics, metricsPublic }: HealthDeps): Operation[] {
  return [
    operation(
      {
        method: "GET",
        path: "/healthz",
        operationId: "getHealth",
        summary: "Is the process alive?",
        tag: "Service",
        role: "none",
        bodyLimit: NO_BODY,
        response: Health,
        returns: "It is.",
      },
      () => ({ status: "ok" }),
    ),
    operation(
      {
        method: "GET",
        path: "/readyz",
        operationId: "getReadiness",
        summary: "Can it serve requests?",
        tag: "Service",
        role: "none",
        bodyLimit: NO_BODY,
        response: Readiness,
        returns: "It can.",
        alsoAnswers: { 503: "A check fails, or the server is stopping." },
      },
      async ({ stopping, setStatus }) => {
        const results: Record<string, string> = {};
        for (const [name, check] of Object.entries(checks)) results[name] = await outcome(check);
        results["accepting"] = stopping.aborted ? "the server is stopping" : "ok";
        const ok = Object.values(results).every((result) => result === "ok");
        if (!ok) setStatus(503);
        return { status: ok ? "ok" : "unavailable", checks: results };
      },
    ),
    operation(
      {
        method: "GET",
        path: "/metrics",
        operationId: "getMetrics",
        summary: "Counters, gauges and histograms",
        description:
          "Prometheus text format. Needs an administrator's key unless the server runs with `--metrics-public`.",
        tag: "Service",
        role: metricsPublic ? "none" : "admin",
        operatorOnly: !metricsPublic,
        bodyLimit: NO_BODY,
        response: { mediaType: "text/plain", description: "Metrics in Prometheus text format." },
      },
      async () =>
        new Response(await metrics.render(), {
          headers: { "content-type": "text/plain; version=0.0.4; charset=utf-8" },
        }),
    ),
  ];
}

async function outcome(check: ReadinessCheck): Promise<string> {
  try {
    return await check();
  } catch {
    return "the check failed";
  }
}
