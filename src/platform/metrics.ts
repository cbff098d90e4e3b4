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
  /** What there is now. */
  collect(): Promise<Measured[]>;
}

/** A metric with its values, one for each set of labels that was seen. */
export type Measured =
  | { readonly metric: Counter | Gauge; readonly points: readonly Point[] }
  | { readonly metric: Histogram; readonly series: readonly Series[] };

export interface Point {
  readonly labels: Labels<string>;
  readonly value: number;
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

/** Upper bounds of a histogram's buckets, in seconds. */
export const BUCKETS: readonly number[] = [
  0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60,
];

/** One set of labels of a histogram. */
export interface Series {
  labels: Labels<string>;
  /** How many fell into each; those above the last bound are in `count` alone. */
  buckets: number[];
  sum: number;
  count: number;
}

export function createMetrics(): Metrics {
  return new Registry();
}

class Registry implements Metrics {
  readonly #counters = new Map<Counter, Map<string, { labels: Labels<string>; value: number }>>();
  readonly #gauges = new Map<Gauge, () => GaugeValue<string> | Promise<GaugeValue<string>>>();
  readonly #histograms = new Map<Histogram, Map<string, Series>>();

  count(counter: Counter, labels: Labels<string>, by = 1): void {
    const all = getOrAdd(this.#counters, counter, () => new Map<string, { labels: Labels<string>; value: number }>());
    getOrAdd(all, labelText(labels), () => ({ labels, value: 0 })).value += by;
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
    let bucket = 0;
    while (bucket < BUCKETS.length && !(seconds <= BUCKETS[bucket]!)) bucket++;
    if (bucket < BUCKETS.length) series.buckets[bucket]! += 1;
  }

  async render(): Promise<string> {
    const lines = (await this.collect()).flatMap((one) => [
      ...header(one.metric),
      ...("points" in one
        ? one.points.map(({ labels, value }) => `${one.metric.name}${labelText(labels)} ${value}`)
        : one.series.flatMap((series) => histogramLines(one.metric.name, series))),
    ]);
    return `${lines.join("\n")}\n`;
  }

  async collect(): Promise<Measured[]> {
    const counters = [...this.#counters].map(([metric, all]) => ({ metric, points: [...all.values()] }));
    const gauges: Measured[] = [];
    for (const [metric, read] of this.#gauges) {
      const value = await read();
      const values: [Labels<string>, number][] = typeof value === "number" ? [[{}, value]] : value;
      gauges.push({ metric, points: values.map(([labels, number]) => ({ labels, value: number })) });
    }
    const histograms = [...this.#histograms].map(([metric, all]) => ({ metric, series: [...all.values()] }));
    return [...counters, ...gauges, ...histograms];
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

const UNSAFE = /[\\"\n]/g;

/** Also the name of a series: made several times a request, so in one go. */
function labelText(labels: Labels<string>): string {
  let text = "";
  for (const key in labels) {
    const value = labels[key] ?? "";
    text += `${text === "" ? "{" : ","}${key}="${value.search(UNSAFE) < 0 ? value : value.replace(UNSAFE, "_")}"`;
  }
  return text === "" ? "" : `${text}}`;
}

function getOrAdd<K, V>(map: Map<K, V>, key: K, make: () => V): V {
  const known = map.get(key);
  if (known !== undefined) return known;
  const made = make();
  map.set(key, made);
  return made;
}
