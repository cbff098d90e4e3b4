import { decodeHTMLStrict } from "entities";

/** HTML's named and numbered entities, each ended by ";", as CommonMark reads them. */
export function decodeEntities(text: string): string {
  return text.includes("&") ? decodeHTMLStrict(text).replaceAll("\u00a0", " ") : text;
}
