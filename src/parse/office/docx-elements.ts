/** Which elements of a Word document are read at all. */

/** Tracked changes count as accepted; instructions of fields and phonetic guides are no text. */
export const SKIPPED = new Set([
  "del",
  "moveFrom",
  "delText",
  "delInstrText",
  "posOffset",
  "align",
  "rubyPr",
  "rt",
  // How a paragraph or table was set before a tracked change.
  "pPrChange",
  "rPrChange",
  "tblPrChange",
  "trPrChange",
  "tcPrChange",
  "sectPrChange",
]);

/**
 * All elements outside formulas that a document's reader, its tables, its fields or the choice between alternatives know.
 * Of the others, which are most and say how a text looks, only the attribute "alt" says anything.
 */
export const READ = new Set([
  ...SKIPPED,
  ...(
    "AlternateContent Choice Fallback chart relIds slicer timeslicer p r t tab ptab br cr noBreakHyphen sym instrText " +
    "oMath docPr cNvPr pStyle rStyle vanish vertAlign rFonts outlineLvl numPr ilvl numId pPr sdtPr trPr sdt sdtContent " +
    "showingPlcHdr footnoteReference endnoteReference commentReference altChunk tbl tr tc gridBefore gridSpan vMerge " +
    "vmerge fldChar fldSimple ddList checkBox listEntry result default checked"
  ).split(" "),
]);
