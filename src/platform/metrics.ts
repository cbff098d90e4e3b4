/**
 * Counters, gauges and histograms in Prometheus' text format (version 0.0.4).
 * Label values are short fixed words (a route, a lane, a status), never ids or text of a tenant.
 */
export interface Metrics {
  count<L extends string>(counter: Counter<L>, labels: Labels<L>, by?: number): void;
  /** A value read when the metrics are rendered. */
  gauge<L extends string>(gauge: Gauge<L>, read: () => GaugeValue<L> | Promise<GaugeValue<L>>): void;
  /** Seconds, in fixed buckets from 0.5 ms to 60 s. */
  observe<L extends string>(histogram: Histogram<L>, seconds: number, labels: Labels<L>): void;
  render(): Promise<string>;
}

/** What a metric is, declared once beside what counts it: its name, what it means, the labels it has. */
export interface Metric<K extends "counter" | "gauge" | "histogram", L extends string> {
  readonly kind: K;
  readonly name: string;
  readonly help: string;
  readonly labels: readonly L[];
}
export type Counter<L extends string = string> = Metric<"counter", L>;
export type Gauge<L extends string = string> = Metric<"gauge", L>;
export type Histogram<L extends string = string> = Metric<"histogram", L>;

export type Labels<L extends string> = Readonly<Record<L, string>>;

/** Without labels a number; with them one for each set of labels. */
export type GaugeValue<L extends string> = number | [Labels<L>, number][];

export function counter<L extends string = never>(name: string, help: string, labels: readonly L[] = []): Counter<L> {
  return { kind: "counter", name, help, labels };
}

export function gauge<L extends string = never>(name: string, help: string, labels: readonly L[] = []): Gauge<L> {
  return { kind: "gauge", name, help, labels };
}

export function histogram<L extends string = never>(
  name: string,
  help: string,
  labels: readonly L[] = [],
): Histogram<L> {
  return { kind: "histogram", name, help, labels };
}

const BUCKETS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];

/** One set of labels of a histogram. */
interface Series {
  labels: Labels<string>;
  buckets: number[];
  sum: number;
  count: number;
}

export function createMetrics(): Metrics {
  return new Registry();
}

class Registry implements Metrics {
  readonly #counters = new Map<Counter, Map<string, number>>();
  readonly #gauges = new Map<Gauge, () => GaugeValue<string> | Promise<GaugeValue<string>>>();
  readonly #histograms = new Map<Histogram, Map<string, Series>>();

  count(counter: Counter, labels: Labels<string>, by = 1): void {
    const series = getOrAdd(this.#counters, counter, () => new Map<string, number>());
    const key = labelText(labels);
    series.set(key, (series.get(key) ?? 0) + by);
  }

  gauge(gauge: Gauge, read: () => GaugeValue<string> | Promise<GaugeValue<string>>): void {
    this.#gauges.set(gauge, read);
  }

  observe(histogram: Histogram, seconds: number, labels: Labels<string>): void {
    const all = getOrAdd(this.#histograms, histogram, () => new Map<string, Series>());
    const empty = () => ({ labels, buckets: BUCKETS.map(() => 0), sum: 0, count: 0 });
    const series = getOrAdd(all, labelText(labels), empty);
    series.sum += seconds;
    series.count += 1;
    const bucket = BUCKETS.findIndex((bound) => seconds <= bound);
    if (bucket >= 0) series.buckets[bucket] = (series.buckets[bucket] ?? 0) + 1;
  }

  async render(): Promise<string> {
    const lines: string[] = [];
    for (const [counter, series] of this.#counters) {
      lines.push(...header(counter), ...[...series].map(([key, value]) => `${counter.name}${key} ${value}`));
    }
    for (const [gauge, read] of this.#gauges) {
      const value = await read();
      const values: [Labels<string>, number][] = typeof value === "number" ? [[{}, value]] : value;
      lines.push(...header(gauge), ...values.map(([labels, number]) => `${gauge.name}${labelText(labels)} ${number}`));
    }
    for (const [histogram, all] of this.#histograms) {
      lines.push(
        ...header(histogram),
        ...[...all.values()].flatMap((series) => histogramLines(histogram.name, series)),
      );
    }
    return `${lines.join("\n")}\n`;
  }
}

function header({ name, help, kind }: Counter | Gauge | Histogram): string[] {
  return [`# HELP ${name} ${help}`, `# TYPE ${name} ${kind}`];
}

function histogramLines(name: string, series: Series): string[] {
  let cumulative = 0;
  const lines = BUCKETS.map((bound, i) => {
    cumulative += series.buckets[i] ?? 0;
    return `${name}_bucket${labelText({ ...series.labels, le: String(bound) })} ${cumulative}`;
  });
  lines.push(`${name}_bucket${labelText({ ...series.labels, le: "+Inf" })} ${series.count}`);
  lines.push(`${name}_sum${labelText(series.labels)} ${series.sum}`);
  lines.push(`${name}_count${labelText(series.labels)} ${series.count}`);
  return lines;
}

function labelText(labels: Labels<string>): string {
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
