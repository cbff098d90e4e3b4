import type { DocumentBuilder } from "../builder.ts";
import { oneLine } from "../builder.ts";
import { numberText } from "../sheets/cells.ts";
import { attribute, readXml } from "../xml.ts";

interface Series {
  name: string;
  categories: Map<number, string>;
  values: Map<number, string>;
}

/** Points beyond this are a scatter of measurements, not something to be read. */
const MAX_POINTS = 5000;
/** As many as Excel draws. A row has a place for each, so that their number counts as often as there are points. */
const MAX_SERIES = 255;

/** Titles of a chart and its axes. */
export function appendChartTitles(bytes: Uint8Array, out: DocumentBuilder): void {
  const reader = new ChartReader();
  readXml(bytes, reader);
  for (const title of reader.titles) out.block(oneLine(title));
}

/** Titles, then a row a category with the series as columns. */
export function appendChart(bytes: Uint8Array, out: DocumentBuilder): void {
  const reader = new ChartReader();
  readXml(bytes, reader);
  for (const title of reader.titles) out.block(oneLine(title));
  out.table(
    chartRows(reader.series),
    reader.series.some((one) => one.name !== ""),
  );
}

/** Which list a point belongs to. Charts of 2016 (waterfall, funnel, …) name their lists by the kind of dimension. */
const PARTS: Record<string, "categories" | "values"> = {
  cat: "categories",
  xVal: "categories",
  strDim: "categories",
  val: "values",
  yVal: "values",
  numDim: "values",
};

class ChartReader {
  readonly titles: string[] = [];
  readonly series: Series[] = [];
  #begun = 0;
  #part: "name" | "categories" | "values" | null = null;
  #point = 0;
  #format = "General";
  #epoch1904 = false;
  #text = "";
  #inTitle = 0;

  open(name: string, attributes: Record<string, string>): void {
    this.#text = "";
    switch (name) {
      case "title":
        if (this.#inTitle++ === 0) this.titles.push("");
        break;
      case "p":
        // Paragraphs and lines of a title are words apart.
        if (this.#inTitle > 0 && this.titles.at(-1) !== "") this.titles[this.titles.length - 1] += " ";
        break;
      case "br":
        if (this.#inTitle > 0) this.titles[this.titles.length - 1] += " ";
        break;
      case "data":
      case "ser":
        if (++this.#begun <= MAX_SERIES) this.series.push({ name: "", categories: new Map(), values: new Map() });
        break;
      case "tx":
        if (this.#inTitle === 0) this.#part = "name";
        break;
      case "date1904":
        this.#epoch1904 = attribute(attributes, "val") !== "0";
        break;
      case "numCache":
      case "strCache":
      case "lvl":
        this.#format = attribute(attributes, "formatCode") ?? "General";
        break;
      case "pt":
        this.#point = Number(attribute(attributes, "idx")) || 0;
        break;
      default:
        this.#part = PARTS[name] ?? this.#part;
    }
  }

  text(piece: string): void {
    this.#text += piece;
  }

  close(name: string): void {
    if (name === "title") this.#inTitle--;
    else if (this.#inTitle > 0) {
      if (name === "t" || name === "v") this.titles[this.titles.length - 1] += this.#text;
    } else if (name === "formatCode") this.#format = this.#text.trim();
    else if (name === "ser" || name === "tx" || Object.hasOwn(PARTS, name)) this.#part = null;
    else if (name === "v" || name === "pt") this.#value();
  }

  #value(): void {
    const current = this.#begun > MAX_SERIES ? undefined : this.series.at(-1);
    const text = this.#text.trim();
    this.#text = "";
    if (current === undefined || this.#point >= MAX_POINTS || text === "") return;
    if (this.#part === "name") current.name += (current.name === "" ? "" : " ") + text;
    else if (this.#part === "categories") {
      // Categories of several levels come one after the other, the inner one first.
      const inner = current.categories.get(this.#point);
      const shown = this.#shown(text);
      current.categories.set(this.#point, inner === undefined ? shown : `${shown} ${inner}`);
    } else if (this.#part === "values") current.values.set(this.#point, this.#shown(text));
  }

  #shown(text: string): string {
    if (!/^-?\d*\.?\d+(?:E[+-]?\d+)?$/i.test(text)) return text;
    const shown = numberText(Number(text), { code: this.#format, epoch1904: this.#epoch1904 });
    return shown === "" ? text : shown;
  }
}

function chartRows(series: readonly Series[]): string[][] {
  const points = [...new Set(series.flatMap((one) => [...one.categories.keys(), ...one.values.keys()]))];
  const rows = points
    .toSorted((a, b) => a - b)
    .map((point) => [
      series.find((one) => one.categories.has(point))?.categories.get(point) ?? "",
      ...series.map((one) => one.values.get(point) ?? ""),
    ]);
  const names = series.map((one) => one.name);
  return names.some((name) => name !== "") ? [["", ...names], ...rows] : rows;
}
