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
