import { dateBySection } from "./format-date.ts";
import { numberBySection } from "./format-number.ts";
import { generalText } from "./decimal.ts";
import { numberFormat, sectionFor, textSection } from "./number-format.ts";

/** Formats that a file names by their number only. Those of currencies leave out the sign, which is the reader's own. */
const BUILT_IN: Record<number, string> = {
  0: "General",
  1: "0",
  2: "0.00",
  3: "#,##0",
  4: "#,##0.00",
  5: "#,##0;-#,##0",
  6: "#,##0;-#,##0",
  7: "#,##0.00;-#,##0.00",
  8: "#,##0.00;-#,##0.00",
  9: "0%",
  10: "0.00%",
  11: "0.00E+00",
  12: "# ?/?",
  13: "# ??/??",
  14: "yyyy-mm-dd",
  15: "d-mmm-yy",
  16: "d-mmm",
  17: "mmm-yy",
  18: "h:mm AM/PM",
  19: "h:mm:ss AM/PM",
  20: "h:mm",
  21: "h:mm:ss",
  22: "yyyy-mm-dd h:mm",
  37: "#,##0;(#,##0)",
  38: "#,##0;(#,##0)",
  39: "#,##0.00;(#,##0.00)",
  40: "#,##0.00;(#,##0.00)",
  41: '#,##0;(#,##0);"-"',
  42: '#,##0;(#,##0);"-"',
  43: '#,##0.00;(#,##0.00);"-"',
  44: '#,##0.00;(#,##0.00);"-"',
  45: "mm:ss",
  46: "[h]:mm:ss",
  47: "mm:ss.0",
  48: "##0.0E+0",
  49: "@",
};

/** East Asian dates and times; the others between 27 and 58 are dates. */
const EAST_ASIAN_TIMES = new Set([32, 33, 34, 35]);

/** The code of a format by its number; `own` are the formats that the file spells out. */
export function formatCode(id: number, own: ReadonlyMap<number, string>): string {
  const code = own.get(id) ?? BUILT_IN[id];
  if (code !== undefined) return code;
  if (EAST_ASIAN_TIMES.has(id)) return "h:mm:ss";
  return (id >= 27 && id <= 36) || (id >= 50 && id <= 58) ? "yyyy-mm-dd" : "General";
}

/** What a format fills up with blanks. */
const LOOSE = /^\s|\s\s|\s$/;

export interface CellFormat {
  code: string;
  epoch1904: boolean;
}

/** A number as its cell shows it. */
export function numberText(value: number, { code, epoch1904 }: CellFormat): string {
  if (!Number.isFinite(value)) return "";
  if (code === "General" || code === "") return generalText(value);
  const { section, unsigned } = sectionFor(numberFormat(code), value);
  if (section === null) return generalText(value);
  const text =
    section.kind === "date"
      ? (dateBySection(value, section, epoch1904) ?? generalText(value))
      : numberBySection(value, section, unsigned);
  return LOOSE.test(text) ? text.replace(/\s+/g, " ").trim() : text;
}

const ERRORS: Record<number, string> = {
  0x00: "#NULL!",
  0x07: "#DIV/0!",
  0x0f: "#VALUE!",
  0x17: "#REF!",
  0x1d: "#NAME?",
  0x24: "#NUM!",
  0x2a: "#N/A",
};

/** What a cell shows for an error, by its code in the binary formats. */
export function errorText(code: number): string {
  return ERRORS[code] ?? "";
}

/** A text as its cell shows it: a format may stand words around it, or hide it. */
export function shownText(text: string, code: string): string {
  if (code === "General" || code === "@" || text === "") return text;
  const section = textSection(numberFormat(code));
  if (section === null) return text;
  return section.tokens
    .map((token) =>
      token.type === "text" || token.type === "general" ? text : token.type === "literal" ? token.text : "",
    )
    .join("");
}
