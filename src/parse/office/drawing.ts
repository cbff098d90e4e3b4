import type { DocumentBuilder } from "../builder.ts";
import { attribute, readXml, textOfElements } from "../xml.ts";
import type { ZipArchive } from "../zip.ts";

/** Charts as the tables they are drawn from, diagrams as their labels, pictures as what is said about them. */
export function appendDrawing(zip: ZipArchive, target: string, out: DocumentBuilder): void {
  const bytes = target === "" ? null : zip.read(target);
  if (bytes === null) return;
  if (target.includes("chart")) appendChart(bytes, out);
  else out.block(textOfElements(bytes, new Set(["t"])).join("\n"));
}

interface Series {
  name: string;
  categories: Map<number, string>;
  values: Map<number, string>;
}

/** Points beyond this are a scatter of measurements, not something to be read. */
const MAX_POINTS = 5000;

/** Titles, then a row a category with the series as columns. */
function appendChart(bytes: Uint8Array, out: DocumentBuilder): void {
  const titles: string[] = [];
  const series: Series[] = [];
  let part: "name" | "categories" | "values" | null = null;
  let point = 0;
  let text = "";
  let inTitle = 0;
  readXml(bytes, {
    open(name, attributes) {
      text = "";
      if (name === "title") {
        if (inTitle++ === 0) titles.push("");
      } else if (name === "ser") series.push({ name: "", categories: new Map(), values: new Map() });
      else if (name === "tx" && inTitle === 0) part = "name";
      else if (name === "cat" || name === "xVal") part = "categories";
      else if (name === "val" || name === "yVal") part = "values";
      else if (name === "pt") point = Number(attribute(attributes, "idx")) || 0;
    },
    text(piece) {
      text += piece;
    },
    close(name) {
      const current = series.at(-1);
      if (name === "title") inTitle--;
      else if (inTitle > 0 && (name === "t" || name === "v")) titles.push((titles.pop() ?? "") + text);
      else if (
        name === "ser" ||
        name === "tx" ||
        name === "cat" ||
        name === "val" ||
        name === "xVal" ||
        name === "yVal"
      )
        part = null;
      else if (name === "v" && current !== undefined && point < MAX_POINTS) {
        if (part === "name") current.name += (current.name === "" ? "" : " ") + text;
        else if (part === "categories") current.categories.set(point, label(current.categories.get(point), text));
        else if (part === "values") current.values.set(point, plainNumber(text));
      }
    },
  });
  for (const title of titles) out.block(title);
  out.table(
    chartRows(series),
    series.some((one) => one.name !== ""),
  );
}

/** Categories of several levels come one after the other, the inner one first. */
function label(inner: string | undefined, outer: string): string {
  return inner === undefined ? plainNumber(outer) : `${outer} ${inner}`;
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

/** Without the noise of binary fractions. */
function plainNumber(text: string): string {
  return /^-?\d+\.\d{9,}(?:E-?\d+)?$/i.test(text) ? String(Number(Number(text).toPrecision(12))) : text;
}

const FILE_NAME = /^(?:[a-z]:\\|\/|\w+:\/\/)|\.(?:png|jpe?g|gif|bmp|tiff?|emf|wmf|svg)$/i;

/** What an author wrote for those who cannot see the picture; "" for what programs fill in. */
export function pictureText(attributes: Record<string, string>): string {
  const text = (attributes["descr"] ?? "").replace(/\s+/g, " ").trim();
  return text.length < 4 || FILE_NAME.test(text) || !/\p{L}{2}/u.test(text) ? "" : `[Image: ${text}]`;
}
