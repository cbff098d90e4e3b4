import iconv from "iconv-lite";

/** Encodings that hide other scripts in ASCII bytes: what they hide is found by their own marks. */
export type SevenBit = "iso-2022-jp" | "iso-2022-kr" | "hz-gb-2312" | "utf-7";

/** For bytes that are all below 128; null is plain ASCII. `label` is what is declared. */
export function sevenBitEncoding(bytes: Uint8Array, label: string | null): SevenBit | null {
  if (label === "utf-7" || label === "iso-2022-jp") return label;
  // Three in four files have neither of the marks.
  const text = bytes.includes(0x1b) || bytes.includes(0x7e) ? Buffer.from(bytes).toString("latin1") : "";
  if (/\x1b\$[@B]/.test(text)) return "iso-2022-jp";
  if (/\x1b\$\)C/.test(text) && /\x0e[^]*\x0f/.test(text)) return "iso-2022-kr";
  if (isHz(text) || (label === "hz-gb-2312" && text.includes("~{"))) return "hz-gb-2312";
  return null;
}

const HZ_STRETCH = /~\{((?:[\x21-\x77][\x21-\x7e])+)~\}/g;
const CHINESE = /^[\u3000-\u303f\u4e00-\u9fff\uff00-\uffef]+$/;
/** A lone stretch of fewer characters may be program text. */
const LEAST_HZ_CHARACTERS = 4;

function isHz(text: string): boolean {
  let characters = 0;
  for (const [, stretch = ""] of text.matchAll(HZ_STRETCH)) {
    const decoded = doubleBytes(stretch, "gb2312");
    if (!CHINESE.test(decoded)) return false;
    characters += decoded.length;
  }
  return characters >= LEAST_HZ_CHARACTERS;
}

export function decodeSevenBit(bytes: Uint8Array, encoding: Exclude<SevenBit, "iso-2022-jp">): string {
  if (encoding === "utf-7") return iconv.decode(Buffer.from(bytes), "utf-7");
  const text = Buffer.from(bytes).toString("latin1");
  if (encoding === "hz-gb-2312") {
    return text
      .replace(HZ_STRETCH, (_, stretch: string) => doubleBytes(stretch, "gb2312"))
      .replace(/~\n/g, "")
      .replaceAll("~~", "~");
  }
  return text
    .replace(/\x1b\$\)C/g, "")
    .replace(/\x0e([^\x0f]*)\x0f?/g, (_, shifted: string) => doubleBytes(shifted, "euc-kr"));
}

/** The same bytes with their highest bit, which is how the eight-bit form has them. */
function doubleBytes(text: string, encoding: string): string {
  const bytes = Buffer.from(text, "latin1").map((byte) => (byte > 0x20 ? byte | 0x80 : byte));
  return iconv.decode(Buffer.from(bytes), encoding);
}
