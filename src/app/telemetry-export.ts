import {
  type Attributes,
  context,
  diag,
  DiagLogLevel,
  type HrTime,
  propagation,
  trace,
  ValueType,
} from "@opentelemetry/api";
import { AsyncLocalStorageContextManager } from "@opentelemetry/context-async-hooks";
import { millisToHrTime, W3CTraceContextPropagator } from "@opentelemetry/core";
import { OTLPMetricExporter } from "@opentelemetry/exporter-metrics-otlp-http";
import { OTLPTraceExporter } from "@opentelemetry/exporter-trace-otlp-http";
import { resourceFromAttributes } from "@opentelemetry/resources";
import {
  AggregationTemporality,
  type CollectionResult,
  DataPointType,
  type MetricData,
  type MetricProducer,
  PeriodicExportingMetricReader,
} from "@opentelemetry/sdk-metrics";
import {
  BatchSpanProcessor,
  ParentBasedSampler,
  TraceIdRatioBasedSampler,
  TracerProvider,
} from "@opentelemetry/sdk-trace";
import { newId } from "../platform/ids.ts";
import { BUCKETS, type Measured } from "../platform/metrics.ts";
import { takeSpans } from "../platform/tracing.ts";

export interface ExportOptions {
  /** Addresses. */
  readonly traces: string;
  readonly metrics: string;
  readonly headers: Record<string, string>;
  /** Of traces that begin here, 0 … 1; one that a caller began is kept as the caller says. */
  readonly sample: number;
  readonly version: string;
  readonly everyMs: number;
  readonly withinMs: number;
  readonly read: () => Promise<readonly Measured[]>;
  /** Told of what could not be sent. */
  readonly onProblem: (problem: string) => void;
}

/** From here on spans are kept and sent; disposing of it sends what is left. */
export function openTelemetry(options: ExportOptions): AsyncDisposable {
  const { headers, sample, withinMs, everyMs } = options;
  const ignore = (): void => {};
  const tell = (message: string, ...more: unknown[]): void =>
    options.onProblem([message, ...more].map(String).join(" "));
  diag.setLogger({ error: tell, warn: tell, info: ignore, debug: ignore, verbose: ignore }, DiagLogLevel.WARN);
  const resource = resourceFromAttributes({
    "service.name": "lectern",
    "service.version": options.version,
    "service.instance.id": newId("run_"),
  });
  const sampler = new ParentBasedSampler({ root: new TraceIdRatioBasedSampler(sample) });
  const exporter = new OTLPTraceExporter({ url: options.traces, headers, timeoutMillis: withinMs });
  const provider = new TracerProvider({ resource, sampler, spanProcessors: [new BatchSpanProcessor({ exporter })] });
  const contexts = new AsyncLocalStorageContextManager().enable();
  context.setGlobalContextManager(contexts);
  propagation.setGlobalPropagator(new W3CTraceContextPropagator());
  trace.setGlobalTracerProvider(provider);
  takeSpans(true);
  const reader = new PeriodicExportingMetricReader({
    exporter: new OTLPMetricExporter({ url: options.metrics, headers, timeoutMillis: withinMs }),
    exportIntervalMillis: everyMs,
    exportTimeoutMillis: withinMs,
  });
  reader.setMetricProducer(new RegistryMetrics(resource, options.read));
  return {
    async [Symbol.asyncDispose]() {
      const ended = await Promise.allSettled([provider.shutdown(), reader.shutdown()]);
      takeSpans(false);
      trace.disable();
      propagation.disable();
      context.disable();
      for (const one of ended) if (one.status === "rejected") options.onProblem(String(one.reason));
    },
  };
}

/** The server's own metrics, as OpenTelemetry's readers take them. */
class RegistryMetrics implements MetricProducer {
  readonly #resource: ReturnType<typeof resourceFromAttributes>;
  readonly #read: () => Promise<readonly Measured[]>;
  readonly #startTime: HrTime = millisToHrTime(Date.now());

  constructor(resource: ReturnType<typeof resourceFromAttributes>, read: () => Promise<readonly Measured[]>) {
    this.#resource = resource;
    this.#read = read;
  }

  async collect(): Promise<CollectionResult> {
    const endTime = millisToHrTime(Date.now());
    const metrics = (await this.#read()).map((one) => this.#dataOf(one, endTime));
    return {
      resourceMetrics: { resource: this.#resource, scopeMetrics: [{ scope: { name: "lectern" }, metrics }] },
      errors: [],
    };
  }

  #dataOf(measured: Measured, endTime: HrTime): MetricData {
    const { name, help: description, kind } = measured.metric;
    const descriptor = {
      name,
      description,
      unit: kind === "histogram" || name.endsWith("_seconds") ? "s" : name.endsWith("_bytes") ? "By" : "",
      valueType: ValueType.DOUBLE,
    };
    const times = { startTime: this.#startTime, endTime };
    const aggregationTemporality = AggregationTemporality.CUMULATIVE;
    if ("series" in measured) {
      const dataPoints = measured.series.map(({ labels, buckets, sum, count }) => {
        const above = count - buckets.reduce((all, one) => all + one, 0);
        const value = { buckets: { boundaries: [...BUCKETS], counts: [...buckets, above] }, sum, count };
        return { ...times, attributes: attributesOf(labels), value };
      });
      return { descriptor, aggregationTemporality, dataPointType: DataPointType.HISTOGRAM, dataPoints };
    }
    const dataPoints = measured.points.map(({ labels, value }) => ({
      ...times,
      attributes: attributesOf(labels),
      value,
    }));
    if (kind === "counter")
      return { descriptor, aggregationTemporality, dataPointType: DataPointType.SUM, isMonotonic: true, dataPoints };
    return { descriptor, aggregationTemporality, dataPointType: DataPointType.GAUGE, dataPoints };
  }
}

function attributesOf(labels: Readonly<Record<string, string>>): Attributes {
  return { ...labels };
}
