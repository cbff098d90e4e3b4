/** Escapes of data formats -> the characters that they stand for. What is no escape of a format stays as it is. */
import { decodeHTMLStrict } from "entities";

const NAMED: Record<string, string> = {
  "r\\n": "\n",
  n: "\n",
  t: "\t",
  r: "\n",
  b: " ",
  f: " ",
  v: " ",
  0: " ",
  a: " ",
  e: " ",
};

const JSON_ESCAPE = /\\(?:u\{([0-9a-fA-F]{1,6})\}|u([0-9a-fA-F]{4})|x([0-9a-fA-F]{2})|(\r?\n)|(r\\n|["'\\/bfnrtv0]))/g;

/** Escapes of JSON and JSON5. They stand in strings only, so a whole document may be given. */
export function decodeJsonEscapes(text: string): string {
  if (!text.includes("\\")) return text;
  return text.replace(
    JSON_ESCAPE,
    (_, braced?: string, unit?: string, byte?: string, lineEnd?: string, sign?: string) => {
      const hex = braced ?? unit ?? byte;
      if (hex !== undefined) return characterOf(Number.parseInt(hex, 16));
      return lineEnd !== undefined ? "" : (NAMED[sign!] ?? sign!);
    },
  );
}

const ANY_UNICODE = /\\(?:\\|u([0-9a-fA-F]{4}))/g;

/** "\uXXXX" of characters outside ASCII alone, for texts in which a backslash may mean anything. */
export function decodeUnicodeEscapes(text: string): string {
  if (!text.includes("\\u")) return text;
  return text.replace(ANY_UNICODE, (found, hex?: string) => {
    const code = hex === undefined ? 0 : Number.parseInt(hex, 16);
    return code < 0xa0 ? found : characterOf(code);
  });
}

/** Control characters become blanks; halves of a surrogate pair are put together by standing side by side. */
function characterOf(code: number): string {
  if (code === 0x0a || code === 0x09) return String.fromCharCode(code);
  if (code < 0x20 || (code >= 0x7f && code < 0xa0) || code > 0x10ffff) return " ";
  return code > 0xffff ? String.fromCodePoint(code) : String.fromCharCode(code);
}

const YAML_ESCAPE =
  /\\(?:u([0-9a-fA-F]{4})|x([0-9a-fA-F]{2})|U([0-9a-fA-F]{8})|([ \t]*\n[ \t]*)|(["\\/ntrbfave0 \t])|([N_LP]))/g;
const YAML_SPACES: Record<string, string> = { N: "\n", _: "\u00a0", L: "\n", P: "\n" };

/** Escapes between double quotes in YAML and TOML. A backslash at a line's end continues it. */
function decodeYamlEscapes(text: string): string {
  return text.replace(
    YAML_ESCAPE,
    (_, unit?: string, byte?: string, long?: string, lineEnd?: string, sign?: string, space?: string) => {
      const hex = unit ?? byte ?? long;
      if (hex !== undefined) return characterOf(Number.parseInt(hex, 16));
      if (lineEnd !== undefined) return "";
      return sign === undefined ? YAML_SPACES[space!]! : (NAMED[sign] ?? sign);
    },
  );
}

/** The end of a line below which a text stands as it is: "key: |". */
const BLOCK_SCALAR = /(?:^|[:?-] +(?:[!&]\S* +)*)[|>][-+\d]{0,2}[ \t]*(?:[ \t]#.*)?$/;

/** YAML: what stands between double quotes, outside of block scalars, in which neither quotes nor escapes mean anything. */
export function decodeYaml(text: string): string {
  if (!text.includes("\\")) return text;
  const out: string[] = [];
  let done = 0;
  let scalarIndent = -1;
  let scalarStart = 0;
  for (let at = 0; at < text.length;) {
    const end = text.indexOf("\n", at);
    const stop = end < 0 ? text.length : end;
    const line = text.slice(at, stop);
    const indent = line.search(/\S/);
    if (scalarIndent >= 0 && indent >= 0 && indent <= scalarIndent) {
      out.push(text.slice(scalarStart, at));
      done = at;
      scalarIndent = -1;
    }
    if (scalarIndent < 0 && indent >= 0 && BLOCK_SCALAR.test(line.slice(indent, indent + MAX_KEY))) {
      out.push(decodeQuoted(text.slice(done, stop + 1)));
      scalarIndent = indent;
      scalarStart = done = stop + 1;
    }
    at = stop + 1;
  }
  out.push(scalarIndent >= 0 ? text.slice(scalarStart) : decodeQuoted(text.slice(done)));
  return out.join("");
}

const MAX_KEY = 300;

const QUOTED_START = /["'#]/g;
/** What may stand before a quote that opens a string, or before the mark of a comment. */
const BEFORE_QUOTE = /[\s:=[{,(-]/;
const MAX_TAG = 100;

/**
 * Decodes what stands between double quotes, alone or in threes, and leaves comments and what stands between single
 * quotes. A quote without its end closes nothing, and none after it can be closed either.
 */
export function decodeQuoted(text: string): string {
  if (!text.includes("\\")) return text;
  const parts: string[] = [];
  let done = 0;
  for (let at = nextStart(text, 0); at >= 0; at = nextStart(text, Math.max(at + 1, done))) {
    const mark = text[at]!;
    if (at > 0 && !BEFORE_QUOTE.test(text[at - 1]!)) continue;
    if (mark !== "#" && isAmidWords(text, at)) continue;
    let end: number;
    if (mark === "#") {
      end = text.indexOf("\n", at);
    } else {
      const fence = text.startsWith(mark.repeat(3), at) ? mark.repeat(3) : mark;
      end = stringEnd(text, at + fence.length, fence);
      if (end >= 0 && mark === '"') {
        parts.push(text.slice(done, at + fence.length), decodeYamlEscapes(text.slice(at + fence.length, end)));
        done = end;
      }
      end = end < 0 ? -1 : end + fence.length;
    }
    if (end < 0) {
      // Nothing of this kind ends any more; an apostrophe or a comment at the end of the text hides nothing else.
      if (mark !== "'") break;
      continue;
    }
    parts.push(text.slice(done, end));
    done = end;
  }
  parts.push(text.slice(done));
  return parts.join("");
}

/** A quote behind words begins no string: `size: 5 "inch`. Tags and anchors are no words. */
function isAmidWords(text: string, at: number): boolean {
  let before = at - 1;
  while (text[before] === " " || text[before] === "\t") before--;
  if (before < 0 || before === at - 1 || /[\n:=[{,(?-]/.test(text[before]!)) return false;
  return !/(?:^|\s)[!&]\S*$/.test(text.slice(Math.max(0, before - MAX_TAG), before + 1));
}

function nextStart(text: string, from: number): number {
  QUOTED_START.lastIndex = from;
  return QUOTED_START.exec(text)?.index ?? -1;
}

/** A string between single quotes ends on its line, since an apostrophe may look like its beginning. */
function stringEnd(text: string, from: number, fence: string): number {
  if (fence === "'") {
    for (let i = from; i < text.length && text[i] !== "\n"; i++) {
      if (text[i] !== "'") continue;
      if (text[i + 1] !== "'") return i;
      i++;
    }
    return -1;
  }
  for (let i = from; i < text.length; i++) {
    if (text[i] === "\\" && fence.startsWith('"')) i++;
    else if (text.startsWith(fence, i)) return i;
  }
  return -1;
}

const PROPERTY_ESCAPE = /\\(?:u([0-9a-fA-F]{4})|\n[ \t]*|([^\n]))/g;

/** Java's properties: characters, signs that would end a key, and lines that go on below. Comments are no exception. */
export function decodeProperties(text: string): string {
  if (!text.includes("\\")) return text;
  return text.replace(PROPERTY_ESCAPE, (_, hex?: string, sign?: string) => {
    if (hex !== undefined) return characterOf(Number.parseInt(hex, 16));
    return sign === undefined ? "" : (({ n: " ", t: "\t", r: " ", f: " " } as Record<string, string>)[sign] ?? sign);
  });
}

/** Message catalogues: strings that go on in the next line are one, and their escapes are decoded. */
export function decodeMessages(text: string): string {
  const joined = text.replace(/"[ \t]*\n(?:#~ ?)?[ \t]*"/g, "");
  // Apple writes "\U00fc".
  return decodeJsonEscapes(joined.replace(/\\(?:\\|U(?=[0-9a-fA-F]{4}))/g, (found) => found.replace("U", "u")));
}

/** LDIF: lines that go on below are one, and values in base64 are text where they are sound UTF-8. */
export function decodeLdif(text: string): string {
  return text
    .replace(/\n /g, "")
    .replace(/^([\w;.-]{1,100}):: ?([A-Za-z0-9+/=]+)$/gm, (line, name: string, value: string) => {
      const decoded = Buffer.from(value, "base64").toString("utf8");
      return /[\x00-\x08\ufffd]/.test(decoded) ? line : `${name}: ${decoded}`;
    });
}

/** Bytes behind "=XX", and lines that go on after "=". */
export function decodeQuotedPrintable(bytes: Uint8Array): Uint8Array {
  const out = new Uint8Array(bytes.length);
  let length = 0;
  for (let i = 0; i < bytes.length; i++) {
    const byte = bytes[i]!;
    if (byte !== 0x3d) {
      out[length++] = byte;
      continue;
    }
    const end = bytes[i + 1] === 0x0d ? 2 : 1;
    if (bytes[i + end] === 0x0a) {
      i += end;
      continue;
    }
    const first = bytes[i + 1] ?? 0;
    const hex = first === 0x3d ? NaN : Number.parseInt(String.fromCharCode(first, bytes[i + 2] ?? 0), 16);
    if (Number.isNaN(hex)) out[length++] = byte;
    else {
      out[length++] = hex;
      i += 2;
    }
  }
  return out.subarray(0, length);
}

/** HTML's named and numbered entities, each ended by ";", as CommonMark reads them. */
export function decodeEntities(text: string): string {
  return text.includes("&") ? decodeHTMLStrict(text).replaceAll("\u00a0", " ") : text;
}
