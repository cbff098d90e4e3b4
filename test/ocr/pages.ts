/** The pages that OCR is measured on, each with the words that are on it. */
import { drawPage, hasFont, PAGE_WIDTH, type PageSpec, type Picture, setText, type TextLine } from "./draw.ts";

export interface TrialPage {
  name: string;
  dpi: number;
  words: string;
  /** The part of the words that may be wrong. */
  bound: number;
  draw: () => Picture;
}

const PROSE = `The harbour office at Saint Malo opens at seven in the morning and closes when the last ferry has left for the northern islands. Passengers who travel with a bicycle pay 12.50 euros each way; children under four years of age travel free of charge.
Refunds are paid within 14 days of cancellation, provided that form B-27 has been returned to the cashier. Tickets bought on board cannot be refunded. In winter, between 1 November and 31 March, boats run every 90 minutes and stop at three piers only.
Questions about freight, animals and dangerous goods go to the quartermaster, Mrs Kowalczyk, whose desk is on the second floor (room 214). She answers letters on Tuesdays. Complaints are kept for six years and then destroyed, as regulation 2019/1148 requires.
The tide gauge beside the old lighthouse has been read every hour since 1846, which makes it one of the longest series in Europe. Its readings are printed below each timetable. When the water stands above 6.80 metres the lower pier is closed and all departures move to the upper one.`;

const LEFT = `Boats that carry more than twelve passengers need a certificate, which the prefect grants for five years. Before it is granted an engineer inspects the hull, the engines and the rescue equipment, and writes a report of his findings.
The owner keeps a copy of that report on board and shows it whenever an officer of the coast guard asks for it.`;
const RIGHT = `Smaller boats need no certificate but must be registered. Their number is painted on both sides of the bow in letters at least ten centimetres high, dark on a light ground.
Whoever sells a boat tells the registry within a month; otherwise the former owner remains liable for its fees and for any damage that it causes.`;

const TABLE: readonly (readonly string[])[] = [
  ["Item", "Quantity", "Price", "Amount"],
  ["Anchor chain", "3", "118.00", "354.00"],
  ["Mooring line", "12", "27.50", "330.00"],
  ["Signal flare", "24", "9.95", "238.80"],
  ["Life jacket", "16", "64.20", "1027.20"],
  ["Total", "", "", "1950.00"],
];

const prose = (font: string, size: number): TextLine[] =>
  setText(PROSE, { x: 70, y: 100, width: PAGE_WIDTH - 140, size, font });
const columns = (font: string): TextLine[] => [
  ...setText(LEFT, { x: 50, y: 100, width: 230, size: 10, font }),
  ...setText(RIGHT, { x: 315, y: 100, width: 230, size: 10, font }),
];
const table: TextLine[] = TABLE.flatMap((row, r) =>
  row.map((text, c) => ({ text, x: 70 + 120 * c, y: 120 + 22 * r, size: 11, font: r === 0 ? "bold" : "sans" })),
);

function page(name: string, bound: number, spec: PageSpec, words = PROSE): TrialPage {
  return { name, dpi: spec.dpi, bound, words, draw: () => drawPage(spec) };
}

/** Fonts that this machine lacks leave their pages out. */
export function trialPages(): TrialPage[] {
  const sans = prose("sans", 11);
  const lastTable = TABLE.flat().join(" ");
  return [
    page("sans 11 pt, 300 dpi", 0.01, { lines: sans, dpi: 300 }),
    page("sans 11 pt, 200 dpi", 0.02, { lines: sans, dpi: 200 }),
    page("sans 11 pt, 150 dpi", 0.03, { lines: sans, dpi: 150 }),
    page("sans 8 pt, 200 dpi", 0.04, { lines: prose("sans", 8), dpi: 200 }),
    page("italic 10 pt, 200 dpi", 0.04, { lines: prose("italic", 10), dpi: 200 }),
    page("bold 12 pt, 200 dpi", 0.03, { lines: prose("bold", 12), dpi: 200 }),
    ...(hasFont("serif") ? [page("serif 10 pt, 200 dpi", 0.03, { lines: prose("serif", 10), dpi: 200 })] : []),
    ...(hasFont("mono") ? [page("typewriter 9 pt, 200 dpi", 0.05, { lines: prose("mono", 9), dpi: 200 })] : []),
    page("spotted", 0.05, { lines: sans, dpi: 200, spots: 0.004, grain: 25 }),
    page("blurred and pale", 0.05, { lines: sans, dpi: 200, blur: 1, ink: 110, paper: 225, grain: 12 }),
    page("skewed by 1 degree", 0.04, { lines: sans, dpi: 200, skew: 1 }),
    page("skewed by 3 degrees", 0.05, { lines: sans, dpi: 200, skew: 3 }),
    page("skewed by -6 degrees", 0.08, { lines: sans, dpi: 200, skew: -6 }),
    page("turned right", 0.04, { lines: sans, dpi: 200, turns: 1 }),
    page("upside down", 0.04, { lines: sans, dpi: 200, turns: 2 }),
    page("turned left, skewed", 0.06, { lines: sans, dpi: 200, turns: 3, skew: 1.5 }),
    page("two columns", 0.05, { lines: columns("sans"), dpi: 200 }, `${LEFT} ${RIGHT}`),
    page("a table", 0.12, { lines: table, dpi: 200 }, lastTable),
  ];
}
