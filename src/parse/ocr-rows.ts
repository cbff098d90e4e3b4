/**
 * Tables on a recognised page. Tesseract takes each of their columns for a column of text and reads it from top to
 * bottom, which parts every amount from what it is for; columns of short lines that stand level with each other are put
 * together again, row by row. Columns of prose are left as they are.
 */
type Line = readonly Word[];

export interface Word {
  block: string;
  paragraph: string;
  line: string;
  left: number;
  right: number;
  top: number;
  height: number;
  confidence: number;
  text: string;
}

/** Lines of one paragraph, or rows of cells. */
export type Part = { type: "lines"; lines: Line[] } | { type: "rows"; rows: Line[][] };

/** Words in half the lines of a column of cells, at most. */
const CELL_WORDS = 3;
/** The part of a column's lines that has to stand level with a cell. */
const LEVEL = 0.5;
/** A column of longer texts needs so many columns of cells beside it. */
const CELLS_BESIDE_TEXT = 2;
/** A page with more is none of print. */
const MAX_LINES = 1_000;

interface Column {
  lines: Line[];
  top: number;
  bottom: number;
}

/** `lines` in reading order -> paragraphs and tables in that order, a table where the first of its columns was. */
export function joinCells(lines: readonly Line[]): Part[] {
  const columns = [...Map.groupBy(lines, (line) => line[0]?.block).values()].map(columnOf);
  const tables = lines.length > MAX_LINES ? [] : tablesOf(columns);
  const tableOf = new Map(tables.flatMap((table) => table.map((column) => [column, table] as const)));
  const done = new Set<Column[]>();
  return columns.flatMap((column): Part[] => {
    const table = tableOf.get(column);
    if (table === undefined)
      return [...Map.groupBy(column.lines, (line) => line[0]?.paragraph).values()].map((list) => ({
        type: "lines",
        lines: list,
      }));
    if (done.has(table)) return [];
    done.add(table);
    return [{ type: "rows", rows: rowsOf(table.flatMap((one) => one.lines)) }];
  });
}

function columnOf(lines: Line[]): Column {
  return { lines, top: Math.min(...lines.map(topOf)), bottom: Math.max(...lines.map(bottomOf)) };
}

/** Groups of columns that are tables. */
function tablesOf(columns: readonly Column[]): Column[][] {
  const short = columns.filter((column) => {
    const counts = column.lines.map((line) => line.length).toSorted((a, b) => a - b);
    return (counts[counts.length >> 1] ?? 0) <= CELL_WORDS;
  });
  const isLevelWith = (column: Column, others: readonly Column[]) => {
    const beside = others.filter((other) => other !== column).flatMap((other) => other.lines);
    const level = column.lines.filter((line) => beside.some((other) => areLevel(line, other)));
    return level.length >= LEVEL * column.lines.length;
  };
  const cells = short.filter((column) => isLevelWith(column, short));
  const texts = columns.filter((column) => {
    if (cells.includes(column) || short.includes(column)) return false;
    const beside = cells.filter((cell) => isLevelWith(cell, [column]));
    return beside.length >= CELLS_BESIDE_TEXT && isLevelWith(column, beside);
  });
  const groups: Column[][] = [];
  for (const column of [...cells, ...texts].toSorted((a, b) => a.top - b.top)) {
    const group = groups.at(-1);
    const reach = group === undefined ? -Infinity : Math.max(...group.map((one) => one.bottom));
    if (group === undefined || column.top >= reach) groups.push([column]);
    else group.push(column);
  }
  return groups.filter((group) => group.length > 1);
}

/** Lines side by side, from the left; rows from the top. */
function rowsOf(lines: readonly Line[]): Line[][] {
  const rows: Line[][] = [];
  for (const line of lines.toSorted((a, b) => topOf(a) + bottomOf(a) - topOf(b) - bottomOf(b))) {
    const row = rows.at(-1);
    if (row !== undefined && row.every((other) => areLevel(line, other))) row.push(line);
    else rows.push([line]);
  }
  return rows.map((row) => row.toSorted((a, b) => leftOf(a) - leftOf(b)));
}

/** At one height, one beside the other. */
function areLevel(line: Line, other: Line): boolean {
  const overlap = Math.min(bottomOf(line), bottomOf(other)) - Math.max(topOf(line), topOf(other));
  const height = Math.min(bottomOf(line) - topOf(line), bottomOf(other) - topOf(other));
  return overlap > height / 2 && (rightOf(line) <= leftOf(other) || rightOf(other) <= leftOf(line));
}

const topOf = (line: Line) => Math.min(...line.map((word) => word.top));
const bottomOf = (line: Line) => Math.max(...line.map((word) => word.top + word.height));
const leftOf = (line: Line) => Math.min(...line.map((word) => word.left));
const rightOf = (line: Line) => Math.max(...line.map((word) => word.right));
