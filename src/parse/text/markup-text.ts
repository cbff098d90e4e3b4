/** Text of markup: the encoding that a document declares for it, and a block of it as it shows. */

/** Encoding that a page declares in its first bytes, read as the HTML standard's prescan does in essence. */
export function htmlCharset(bytes: Uint8Array): string | null {
  const head = Buffer.from(bytes.subarray(0, 4096))
    .toString("latin1")
    .replace(/<!--[^]*?-->/g, "");
  const meta = /<meta\s[^>]*?charset\s*=\s*["']?\s*([\w.:-]+)/i.exec(head)?.[1];
  return meta ?? xmlCharset(bytes);
}

/** Encoding named by an XML declaration. */
export function xmlCharset(bytes: Uint8Array): string | null {
  const head = Buffer.from(bytes.subarray(0, 400)).toString("latin1");
  return /^\s*(?:\xef\xbb\xbf)?<\?xml[^>]*?encoding\s*=\s*["']([\w.:-]+)/i.exec(head)?.[1] ?? null;
}

/** Anything but white space and characters without width, with which mail fills its previews. */
export const SHOWN = /[^\s\u00ad\u034f\u061c\u200b-\u200f\u2060\ufeff]/;

/** A block's text without what does not show: runs of blanks, blanks around line ends, soft hyphens. */
export function tidy(text: string): string {
  return text
    .replaceAll("\u00ad", "")
    .replace(/[\t\u00a0][ \t\u00a0]*| [ \t\u00a0]+/g, " ")
    .replace(/ ?\n ?/g, "\n")
    .replace(/\n{3,}/g, "\n\n")
    .trim();
}
