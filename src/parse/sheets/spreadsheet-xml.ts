import type { DocumentBuilder } from "../builder.ts";
import type { SheetCell } from "./rows.ts";
import { SheetRows } from "./rows.ts";
import { cellText } from "./cells.ts";
import { attribute, readXmlText } from "../xml.ts";

const MAX_COLUMNS = 16_384;

/** Excel 2003's workbook in one XML file: a page a sheet, its name as heading, rows as lines. */
export function parseSheetXml(text: string, out: DocumentBuilder): void {
  let sheets = 0;
  const rows = new SheetRows(out);
  let row: SheetCell[] | null = null;
  let column = 0;
  let cell = "";
  let inData = false;
  let isNumber = false;
  readXmlText(text, {
    open(name, attributes) {
      if (name === "Worksheet") {
        rows.end();
        out.page(++sheets);
        out.heading(1, attribute(attributes, "Name") ?? "");
      } else if (name === "Row") {
        row = [];
        column = 0;
      } else if (name === "Cell") {
        const index = Number(attribute(attributes, "Index"));
        if (index > column && index <= MAX_COLUMNS) column = index - 1;
        cell = "";
      } else if (name === "Data") {
        inData = true;
        isNumber = attribute(attributes, "Type") === "Number";
      }
    },
    text(part) {
      if (inData) cell += part;
    },
    close(name) {
      if (name === "Data") inData = false;
      else if (name === "Cell" && row !== null) {
        column++;
        // A day without a time is written as its midnight.
        const shown = (isNumber ? cellText(Number(cell), false, false) : cell.trim()).replace(
          /^(\d{4}-\d\d-\d\d)T00:00:00\.000$/,
          "$1",
        );
        if (shown !== "") row.push([column, shown]);
      } else if (name === "Row" && row !== null) {
        rows.add(row);
        row = null;
      }
    },
  });
  rows.end();
  out.metadata["sheets"] = sheets;
}
