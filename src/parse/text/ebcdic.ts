/** IBM mainframe code pages, which neither TextDecoder nor iconv-lite has. */

// Code page 037 in Unicode (Latin-1 only); the others are told by where they differ.
const CP037 =
  "000102039c09867f978d8e0b0c0d0e0f101112139d8508871819928f1c1d1e1f80818283840a171b88898a8b8c0506079091169394959604" +
  "98999a9b14159e1a20a0e2e4e0e1e3e5e7f1a22e3c282b7c26e9eaebe8edeeefecdf21242a293bac2d2fc2c4c0c1c3c5c7d1a62c255f3e3f" +
  "f8c9cacbc8cdcecfcc603a2340273d22d8616263646566676869abbbf0fdfeb1b06a6b6c6d6e6f707172aabae6b8c6a4b57e737475767778" +
  "797aa1bfd0dddeae5ea3a5b7a9a7b6bcbdbe5b5dafa8b4d77b414243444546474849adf4f6f2f3f57d4a4b4c4d4e4f505152b9fbfcf9faff" +
  "5cf7535455565758595ab2d4d6d2d3d530313233343536373839b3dbdcd9da9f";

const DIFFERENCES: Record<string, Record<number, string>> = {
  ibm037: {},
  ibm1140: { 0x9f: "€" },
  ibm500: { 0x4a: "[", 0x4f: "!", 0x5a: "]", 0x5f: "^", 0xb0: "¢", 0xba: "¬", 0xbb: "|" },
  ibm1148: { 0x4a: "[", 0x4f: "!", 0x5a: "]", 0x5f: "^", 0x9f: "€", 0xb0: "¢", 0xba: "¬", 0xbb: "|" },
  ibm1047: { 0x5f: "^", 0xad: "[", 0xb0: "¬", 0xba: "Ý", 0xbb: "¨", 0xbd: "]" },
  ibm273: {
    0x43: "{",
    0x4a: "Ä",
    0x4f: "!",
    0x59: "~",
    0x5a: "Ü",
    0x5f: "^",
    0x63: "[",
    0x6a: "ö",
    0x7c: "§",
    0xa1: "ß",
    0xb0: "¢",
    0xb5: "@",
    0xba: "¬",
    0xbb: "|",
    0xbc: "‾",
    0xc0: "ä",
    0xcc: "¦",
    0xd0: "ü",
    0xdc: "}",
    0xe0: "Ö",
    0xec: "\\",
    0xfc: "]",
  },
};

const NAME = /^(?:ibm|cp|x-ibm|csibm|ebcdic-cp-|x-ebcdic-|ibm-)-?0*(\d+)$/;

/** Canonical name of an EBCDIC code page that can be decoded here, or null. */
export function ebcdicName(label: string): string | null {
  const lower = label.trim().toLowerCase();
  if (lower === "ebcdic-us" || lower === "ebcdic-cp-us" || lower === "ebcdic") return "ibm037";
  if (lower === "ebcdic-international") return "ibm500";
  const digits = NAME.exec(lower)?.[1];
  if (digits === undefined) return null;
  const name = `ibm${digits.padStart(3, "0")}`;
  return name in DIFFERENCES ? name : null;
}

export function decodeEbcdic(bytes: Uint8Array, name: string): string {
  const table: string[] = [];
  for (let i = 0; i < 256; i++) {
    table.push(DIFFERENCES[name]?.[i] ?? String.fromCharCode(parseInt(CP037.slice(2 * i, 2 * i + 2), 16)));
  }
  // NEL is the line end of these systems.
  table[0x15] = "\n";
  const parts: string[] = [];
  for (let at = 0; at < bytes.length; at += 8192) {
    let part = "";
    for (const byte of bytes.subarray(at, at + 8192)) part += table[byte]!;
    parts.push(part);
  }
  return parts.join("");
}

/** EBCDIC text without a declaration: its blank is the commonest byte and ASCII's is nearly absent. */
export function looksEbcdic(bytes: Uint8Array): boolean {
  const sample = bytes.subarray(0, 16_384);
  if (sample.length < 32) return false;
  let blanks = 0;
  let letters = 0;
  let ascii = 0;
  for (const byte of sample) {
    if (byte === 0x40) blanks++;
    else if (isEbcdicAlphanumeric(byte)) letters++;
    if (byte === 0x20 || byte === 0x0a || (byte >= 0x61 && byte <= 0x69)) ascii++;
  }
  return (
    blanks > sample.length * 0.05 &&
    letters > sample.length * 0.25 &&
    letters + blanks > sample.length * 0.75 &&
    ascii < sample.length * 0.05
  );
}

function isEbcdicAlphanumeric(byte: number): boolean {
  const low = byte & 0x0f;
  const high = byte & 0xf0;
  if (high === 0xf0) return low <= 9;
  if (high === 0x80 || high === 0x90 || high === 0xc0 || high === 0xd0) return low >= 1 && low <= 9;
  return (high === 0xa0 || high === 0xe0) && low >= 2 && low <= 9;
}
