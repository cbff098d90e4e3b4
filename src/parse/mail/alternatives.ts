import { DocumentBuilder } from "../builder.ts";
import { decodeText } from "../text/encoding.ts";
import { parseHtml } from "../text/html.ts";
import { htmlCharset } from "../text/markup-text.ts";
import type { MimePart } from "./mime.ts";
import { bodyBytes } from "./mime.ts";

/**
 * Of a message's alternatives the plain text, unless it says less than the page beside it: many senders put no more
 * than an address or "view this in a browser" there. What invites to an appointment is kept beside either.
 */
export function chosenAlternatives(parts: readonly MimePart[], limit: number): MimePart[] {
  const plain = parts.find((part) => part.type === "text/plain");
  const rich = parts.findLast((part) => part.type === "text/html" || part.parts.length > 0);
  const calendar = parts.find((part) => part.type === "text/calendar");
  const chosen = plain === undefined || (rich !== undefined && saysLess(plain, rich, limit)) ? rich : plain;
  const out = [chosen ?? plain ?? parts[0]!];
  if (calendar !== undefined && calendar !== out[0]) out.push(calendar);
  return out;
}

/** Words that a page has more than its twin before that is worth a thought. */
const FEW_WORDS = 4;
/** Share of the page's words that its twin must have. */
const ENOUGH = 0.5;
const POINTS_ELSEWHERE =
  /\b(?:browser|html|online|web ?(?:page|site|version)|view|display|click|anzeigen|darstell\w*|ansehen|navigateur|afficher|navegador|visualiza\w*|bekijk\w*|webbläsar\w*|przeglądar\w*)\b|https?:|браузер|ブラウザ|浏览器|瀏覽器/i;

function saysLess(plain: MimePart, rich: MimePart, limit: number): boolean {
  const page = htmlLeaf(rich);
  if (page === null) return false;
  const text = decodeText(bodyBytes(plain), plain.parameters.get("charset") ?? null).text;
  const said = wordsOf(text);
  const shown = wordsOf(pageText(page, limit));
  const missing = [...shown].filter((word) => !said.has(word)).length;
  if (missing < FEW_WORDS || missing < (1 - ENOUGH) * shown.size) return said.size === 0 && shown.size > 0;
  return POINTS_ELSEWHERE.test(text) || shown.size > said.size;
}

function wordsOf(text: string): Set<string> {
  return new Set(text.toLowerCase().match(/[\p{L}\p{N}]+/gu));
}

function pageText(page: MimePart, limit: number): string {
  const out = new DocumentBuilder(limit);
  const bytes = bodyBytes(page);
  parseHtml(decodeText(bytes, page.parameters.get("charset") ?? htmlCharset(bytes)).text, out);
  return out.build("html").text;
}

/** The page in a part that may hold its pictures as well. */
function htmlLeaf(part: MimePart): MimePart | null {
  const open = [part];
  while (open.length > 0) {
    const one = open.shift()!;
    if (one.type === "text/html") return one;
    open.push(...one.parts);
  }
  return null;
}
