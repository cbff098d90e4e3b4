import type { DocumentBuilder } from "../builder.ts";
import { BREAK } from "../document.ts";
import { decodeText } from "./encoding.ts";
import { decodeQuotedPrintable } from "./escapes.ts";

/** iCalendar and vCard: the lines as their writers meant them, unfolded and decoded; each event or card is a record. */

const BEGIN = /^(?:\xef\xbb\xbf)?\s*BEGIN:(?:VCALENDAR|VCARD)\b/i;

export function looksLikeCalendar(bytes: Uint8Array): boolean {
  return BEGIN.test(Buffer.from(bytes.subarray(0, 100)).toString("latin1"));
}

export interface Calendar {
  text: string;
  encoding: string;
  warnings: string[];
}

/** Lines are put together while they are bytes, since folds may cut a character in two. */
export function decodeCalendar(bytes: Uint8Array, declared: string | null): Calendar {
  const lines = Buffer.from(bytes)
    .toString("latin1")
    .replace(/\r\n?/g, "\n")
    .replace(/\n[ \t]/g, "");
  // Version 2.1 of vCard may leave out the name "ENCODING". The last line of a quoted-printable value is the first one that does not end with "=".
  const whole = lines.replace(
    /^([^:\n]{0,1000};(?:ENCODING=)?QUOTED-PRINTABLE[^:\n]{0,1000}:)((?:.*=\n)*.*)$/gim,
    quotedValue,
  );
  const { text, encoding, warnings } = decodeText(Buffer.from(whole, "latin1"), declared);
  return { text, encoding, warnings };
}

function quotedValue(_line: string, head: string, value: string): string {
  const charset = /CHARSET=([\w.:-]+)/i.exec(head)?.[1] ?? null;
  const decoded = decodeText(decodeQuotedPrintable(Buffer.from(value, "latin1")), charset).text;
  return Buffer.from(head + decoded.replaceAll("\n", "\\n"), "utf8").toString("latin1");
}

/** Properties whose value is a picture, a sound or a key written as text. */
const BINARY = /^(?:[\w-]+\.)?(?:PHOTO|LOGO|SOUND|KEY|ATTACH)\b[^:\n]*(?:ENCODING=(?:b|BASE64)\b|:data:)/i;

export function writeCalendar(text: string, out: DocumentBuilder): void {
  out.beginRegion(null);
  for (const line of text.split("\n")) {
    if (line.trim() === "" || BINARY.test(line)) continue;
    const begins = /^BEGIN:(?!VCALENDAR|VALARM|STANDARD|DAYLIGHT)/i.test(line);
    out.line(unescaped(line), begins ? BREAK.row : BREAK.line);
  }
  out.endRegion();
}

function unescaped(line: string): string {
  return line.replace(/\\([nN,;:\\"])/g, (_, sign: string) => (/n/i.test(sign) ? "\n" : sign));
}
