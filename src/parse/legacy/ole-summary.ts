import { canonicalEncoding, decodeAs } from "../text/encoding.ts";
import type { OleFile } from "./ole.ts";

const NAMES: Record<number, string> = {
  2: "title",
  3: "subject",
  4: "author",
  5: "keywords",
  12: "created",
  13: "modified",
};

/** Title, author and dates from an old Office file's summary; what cannot be read is left out. */
export function readSummary(
  ole: OleFile,
  out: { title: string | null; metadata: Record<string, string | number | boolean> },
): void {
  const bytes = ole.read("\u0005SummaryInformation");
  if (bytes === null || bytes.length < 48) return;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  try {
    const section = view.getUint32(44, true);
    const count = Math.min(64, view.getUint32(section + 4, true));
    const places = new Map<number, number>();
    for (let i = 0; i < count; i++)
      places.set(view.getUint32(section + 8 + i * 8, true), section + view.getUint32(section + 12 + i * 8, true));
    const pageAt = places.get(1);
    const codePage = pageAt === undefined ? 1252 : view.getUint16(pageAt + 4, true);
    for (const [id, at] of places) {
      const name = NAMES[id];
      if (name === undefined) continue;
      const value = propertyText(bytes, view, at, codePage);
      if (value === "") continue;
      if (name === "title") out.title = value;
      else out.metadata[name] = value;
    }
  } catch (cause) {
    if (!(cause instanceof RangeError)) throw cause;
  }
}

function propertyText(bytes: Uint8Array, view: DataView, at: number, codePage: number): string {
  const type = view.getUint16(at, true);
  if (type === 30)
    return textOf(bytes.subarray(at + 8, at + 8 + Math.min(1000, view.getUint32(at + 4, true))), codePage);
  if (type === 31)
    return textOf(bytes.subarray(at + 8, at + 8 + 2 * Math.min(500, view.getUint32(at + 4, true))), 1200);
  if (type === 64) return fileTime(view, at + 4);
  return "";
}

function textOf(bytes: Uint8Array, codePage: number): string {
  const encoding =
    codePage === 1200
      ? "utf-16le"
      : codePage === 65_001
        ? "utf-8"
        : (canonicalEncoding(`windows-${codePage}`) ?? canonicalEncoding(`cp${codePage}`) ?? "windows-1252");
  return decodeAs(bytes, encoding)
    .replace(/\0[^]*$/, "")
    .replace(/\s+/g, " ")
    .trim()
    .slice(0, 500);
}

/** 100 ns steps since 1601 as ISO 8601; "" for none. */
export function fileTime(view: DataView, at: number): string {
  const ticks = view.getUint32(at, true) + view.getUint32(at + 4, true) * 4_294_967_296;
  const date = new Date(ticks / 10_000 - 11_644_473_600_000);
  return ticks === 0 || Number.isNaN(date.getTime()) || date.getUTCFullYear() < 1970 ? "" : date.toISOString();
}
