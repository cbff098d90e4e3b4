/**
 * Counters, gauges and histograms in Prometheus' text format (version 0.0.4).
 * Label values are short fixed words (a route, a lane, a status), never ids or text of a tenant.
 */
export interface Metrics {
  count(name: string, labels?: Labels, by?: number): void;
  /** A value read when the metrics are rendered. */
  gauge(name: string, read: () => GaugeValue | Promise<GaugeValue>): void;
  /** Seconds, in fixed buckets from 0.5 ms to 60 s. */
  observe(name: string, seconds: number, labels?: Labels): void;
  render(): Promise<string>;
}

export type Labels = Record<string, string>;

export type GaugeValue = number | [Labels, number][];

export interface MetricHelp {
  [name: string]: string;
}

const BUCKETS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];

interface Histogram {
  labels: Labels;
  buckets: number[];
  sum: number;
  count: number;
}

export function createMetrics(help: MetricHelp = {}): Metrics {
  const counters = new Map<string, Map<string, number>>();
  const gauges = new Map<string, () => GaugeValue | Promise<GaugeValue>>();
  const histograms = new Map<string, Map<string, Histogram>>();

  return {
    count(name, labels = {}, by = 1) {
      const series = getOrAdd(counters, name, () => new Map<string, number>());
      const key = labelText(labels);
      series.set(key, (series.get(key) ?? 0) + by);
    },
    gauge(name, read) {
      gauges.set(name, read);
    },
    observe(name, seconds, labels = {}) {
      const series = getOrAdd(histograms, name, () => new Map<string, Histogram>());
      const histogram = getOrAdd(series, labelText(labels), () => ({
        labels,
        buckets: BUCKETS.map(() => 0),
        sum: 0,
        count: 0,
      }));
      histogram.sum += seconds;
      histogram.count += 1;
      const bucket = BUCKETS.findIndex((bound) => seconds <= bound);
      if (bucket >= 0) histogram.buckets[bucket] = (histogram.buckets[bucket] ?? 0) + 1;
    },
    async render() {
      const lines: string[] = [];
      const header = (name: string, type: string) => {
        lines.push(`# HELP ${name} ${help[name] ?? name}`, `# TYPE ${name} ${type}`);
      };
      for (const [name, series] of counters) {
        header(name, "counter");
        for (const [key, value] of series) lines.push(`${name}${key} ${value}`);
      }
      for (const [name, read] of gauges) {
        header(name, "gauge");
        const value = await read();
        if (typeof value === "number") lines.push(`${name} ${value}`);
        else for (const [labels, number] of value) lines.push(`${name}${labelText(labels)} ${number}`);
      }
      for (const [name, series] of histograms) {
        header(name, "histogram");
        for (const histogram of series.values()) lines.push(...histogramLines(name, histogram));
      }
      return `${lines.join("\n")}\n`;
    },
  };
}

function histogramLines(name: string, histogram: Histogram): string[] {
  let cumulative = 0;
  const lines = BUCKETS.map((bound, i) => {
    cumulative += histogram.buckets[i] ?? 0;
    return `${name}_bucket${labelText({ ...histogram.labels, le: String(bound) })} ${cumulative}`;
  });
  lines.push(`${name}_bucket${labelText({ ...histogram.labels, le: "+Inf" })} ${histogram.count}`);
  lines.push(`${name}_sum${labelText(histogram.labels)} ${histogram.sum}`);
  lines.push(`${name}_count${labelText(histogram.labels)} ${histogram.count}`);
  return lines;
}

function labelText(labels: Labels): string {
  const pairs = Object.entries(labels).map(([key, value]) => `${key}="${value.replace(/[\\"\n]/g, "_")}"`);
  return pairs.length === 0 ? "" : `{${pairs.join(",")}}`;
}

function getOrAdd<K, V>(map: Map<K, V>, key: K, make: () => V): V {
  const known = map.get(key);
  if (known !== undefined) return known;
  const made = make();
  map.set(key, made);
  return made;
}
