const FILE_NAME = /^(?:[a-z]:\\|\/|\w+:\/\/)|\.(?:png|jpe?g|gif|bmp|tiff?|emf|wmf|svg)$/i;
/** Names that programs give: "Picture 4", "image001"; and the cells that a chart is drawn from. */
const GIVEN_NAME =
  /^(?:image|img|picture|photo|grafik|bild|chart|diagramm?)[ _-]?\d*$|^\S.{0,80}[.!]\$?[A-Z]{1,3}\$?\d{1,7}:/i;
/** Programs say that they wrote it, in the reader's own language; it stands in a line of its own. */
const WRITTEN_BY_PROGRAM =
  /\n[^\S\n]*(?:description automatically generated|automatisch generierte beschreibung|description générée automatiquement|descripción generada automáticamente)[^\n]*$/i;

/** UTF-16 units. */
const MAX_WORDS = 20_000;

/** What an author wrote for those who cannot see a picture, chart or diagram; "" for what programs fill in. */
export function pictureText(attributes: Record<string, string>): string {
  const text = (attributes["descr"] ?? attributes["alt"] ?? "")
    .slice(0, MAX_WORDS)
    .replace(WRITTEN_BY_PROGRAM, "")
    .replace(/\s+/g, " ")
    .trim();
  return text.length < 4 || FILE_NAME.test(text) || GIVEN_NAME.test(text) || !/\p{L}{2}/u.test(text)
    ? ""
    : `[Image: ${text}]`;
}
