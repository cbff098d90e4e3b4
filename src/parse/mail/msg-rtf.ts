/** Compressed RTF of Outlook messages (MS-OXRTFCP): references of up to 17 bytes into a ring that begins with common words. */

const COMMON =
  "{\\rtf1\\ansi\\mac\\deff0\\deftab720{\\fonttbl;}{\\f0\\fnil \\froman \\fswiss \\fmodern \\fscript \\fdecor MS Sans SerifSymbolArial" +
  "Times New RomanCourier{\\colortbl\\red0\\green0\\blue0\r\n\\par \\pard\\plain\\f0\\fs20\\b\\i\\u\\tab\\tx";
const RING = 4096;
const COMPRESSED = 0x75465a4c;
const PLAIN = 0x414c454d;

/** Null where it is no such stream. A stream that ends early gives what it holds. */
export function inflateRtf(bytes: Uint8Array, limit: number): Uint8Array | null {
  if (bytes.length < 16) return null;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const kind = view.getUint32(8, true);
  if (kind === PLAIN) return bytes.subarray(16);
  if (kind !== COMPRESSED) return null;
  // No byte gives more than nine, whatever size is promised.
  const out = new Uint8Array(Math.min(view.getUint32(4, true), limit, 9 * bytes.length));
  const ring = new Uint8Array(RING);
  for (let i = 0; i < COMMON.length; i++) ring[i] = COMMON.charCodeAt(i);
  let write = COMMON.length;
  let length = 0;
  const put = (byte: number): void => {
    out[length++] = byte;
    ring[write] = byte;
    write = (write + 1) % RING;
  };
  for (let at = 16; at < bytes.length && length < out.length;) {
    const flags = bytes[at++]!;
    for (let bit = 0; bit < 8 && at < bytes.length && length < out.length; bit++) {
      if (((flags >> bit) & 1) === 0) {
        put(bytes[at++]!);
        continue;
      }
      const reference = (bytes[at]! << 8) | (bytes[at + 1] ?? 0);
      at += 2;
      const from = reference >> 4;
      if (from === write) return out.subarray(0, length);
      for (let i = 0; i < (reference & 15) + 2 && length < out.length; i++) put(ring[(from + i) % RING]!);
    }
  }
  return out.subarray(0, length);
}
