/**
 * Traces and metrics to a collector that speaks OTLP over HTTP, by OpenTelemetry's own parts. They are loaded only where
 * `--otlp-endpoint` names one.
 */
import { messageOf } from "../errors.ts";
import type { Config } from "../config/config.ts";
import { version } from "../platform/build-info.ts";
import { StartError } from "../platform/data-dir.ts";
import type { Log } from "../platform/log.ts";
import type { Metrics } from "../platform/metrics.ts";

type TelemetrySettings = Pick<Config, "otlpEndpoint" | "otlpSample" | "otlpHeaders" | "offline">;

/** Metrics are sent this often. */
const METRICS_EVERY_MS = 60_000;
const SEND_WITHIN_MS = 10_000;
/** A stop does not wait longer for a collector. */
const LAST_WITHIN_MS = 2_000;
/** A collector that is away is complained of so often at most. */
const COMPLAIN_EVERY_MS = 60_000;

/** Nothing where no collector is named. A {@link StartError} where the setting cannot be meant. */
export async function startTelemetry(
  settings: TelemetrySettings,
  { metrics, log }: { metrics: Metrics; log: Log },
): Promise<AsyncDisposable> {
  const { otlpEndpoint: endpoint, offline } = settings;
  if (endpoint === null) return { [Symbol.asyncDispose]: async () => {} };
  if (offline) throw new StartError("--offline refuses every outbound connection, so --otlp-endpoint cannot be used");
  if (!/^https?:$/.test(URL.parse(endpoint)?.protocol ?? ""))
    throw new StartError(`--otlp-endpoint must be an address such as http://collector:4318, not "${endpoint}"`);
  const { openTelemetry } = await import("./telemetry-export.ts");
  const base = endpoint.replace(/\/+$/, "");
  const open = openTelemetry({
    traces: `${base}/v1/traces`,
    metrics: `${base}/v1/metrics`,
    headers: headersOf(settings.otlpHeaders),
    sample: settings.otlpSample,
    version,
    everyMs: METRICS_EVERY_MS,
    withinMs: SEND_WITHIN_MS,
    read: () => metrics.collect(),
    onProblem: complaints(log),
  });
  return {
    async [Symbol.asyncDispose]() {
      try {
        await Promise.race([open[Symbol.asyncDispose](), late(LAST_WITHIN_MS)]);
      } catch (error) {
        log.warn("the last traces and metrics could not be sent", { error: messageOf(error) });
      }
    },
  };
}

/** `name=value` pairs, separated by commas, as OpenTelemetry writes them. */
function headersOf(text: string | null): Record<string, string> {
  const pairs = (text ?? "").split(",").filter((pair) => pair.trim() !== "");
  return Object.fromEntries(
    pairs.map((pair) => {
      const at = pair.indexOf("=");
      if (at < 1)
        throw new StartError("--otlp-headers are pairs such as authorization=Bearer%20…, separated by commas");
      return [pair.slice(0, at).trim(), decodeURIComponent(pair.slice(at + 1).trim())];
    }),
  );
}

function late(ms: number): Promise<never> {
  return new Promise((_, reject) => {
    setTimeout(() => reject(new Error(`no answer within ${ms} ms`)), ms).unref();
  });
}

function complaints(log: Log): (problem: string) => void {
  let said = -Infinity;
  return (problem) => {
    const now = performance.now();
    if (now - said < COMPLAIN_EVERY_MS) return;
    said = now;
    log.warn("traces or metrics could not be sent", { error: problem.slice(0, 300) });
  };
}
