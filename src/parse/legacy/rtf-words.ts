/** What RTF's control words and code pages mean. */

/** Where text goes. */
export type Destination =
  | "body"
  | "skip"
  | "info"
  | "fonts"
  | "styles"
  | "title"
  | "author"
  | "subject"
  | "keywords"
  | "instruction"
  | "form"
  | "formEntry"
  | "formula"
  | "aside";

export const CHARSETS: Record<number, string> = {
  77: "macintosh",
  128: "shift_jis",
  129: "euc-kr",
  134: "gb18030",
  136: "big5",
  161: "windows-1253",
  162: "windows-1254",
  163: "windows-1258",
  177: "windows-1255",
  178: "windows-1256",
  186: "windows-1257",
  204: "windows-1251",
  222: "windows-874",
  238: "windows-1250",
  255: "cp437",
};
export const DOUBLE_BYTE = new Set(["shift_jis", "euc-kr", "gb18030", "big5"]);
const CODE_PAGES: Record<number, string> = {
  437: "cp437",
  850: "cp850",
  852: "cp852",
  866: "ibm866",
  874: "windows-874",
  932: "shift_jis",
  936: "gb18030",
  949: "euc-kr",
  950: "big5",
  10000: "macintosh",
  65001: "utf-8",
};
export const SKIPPED = new Set(
  (
    "colortbl pict objdata filetbl revtbl rsidtbl listtable listoverridetable themedata colorschememapping datastore latentstyles generator " +
    "xmlnstbl wgrffmtfilter mmathPr private1 private bkmkstart bkmkend xe tc nonshppict nonesttables atrfstart atrfend atndate atntime atnref atnparent " +
    "ftnsep ftnsepc aftnsep aftnsepc pgptbl falt panose operator company doccomm category manager userprops hlinkbase vern creatim revtim printim buptim password sn sv"
  ).split(" "),
);
/** Words that open a place of another kind. */
export const DESTINATION_WORDS: Record<string, Destination> = {
  fonttbl: "fonts",
  stylesheet: "styles",
  info: "info",
  upr: "skip",
  fldinst: "instruction",
};
export const DESTINATIONS = new Set([
  "fonttbl",
  "stylesheet",
  "info",
  "atnauthor",
  "annotation",
  "footnote",
  "fldinst",
]);
export const SYMBOLS: Record<string, string> = {
  tab: "\t",
  line: "\n",
  emdash: "—",
  endash: "–",
  lquote: "‘",
  rquote: "’",
  ldblquote: "“",
  rdblquote: "”",
  bullet: "•",
  emspace: " ",
  enspace: " ",
};

export function codePageName(value: number | null): string {
  const page = value ?? 1252;
  return CODE_PAGES[page] ?? (page >= 1250 && page <= 1258 ? `windows-${page}` : "windows-1252");
}

/** Whether a byte that does not end a character begins one of two bytes. */
export function isLead(byte: number): boolean {
  return byte > 0x80 && byte !== 0xa0 && byte !== 0xff;
}

export function isLetter(byte: number): boolean {
  return (byte >= 0x61 && byte <= 0x7a) || (byte >= 0x41 && byte <= 0x5a);
}

/** ASCII that stands for itself: neither a control, nor what a control or a group begins with. */
export function isPlain(byte: number): boolean {
  return byte >= 0x20 && byte < 0x7f && byte !== 0x5c && byte !== 0x7b && byte !== 0x7d;
}

export function isDigit(byte: number): boolean {
  return byte >= 0x30 && byte <= 0x39;
}
