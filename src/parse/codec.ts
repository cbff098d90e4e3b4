import { Packr } from "msgpackr/pack";

import type { ParsedDocument } from "./document.ts";

/** ParsedDocument <-> bytes, for the cache of parsed files. Bytes of another PARSER_VERSION are not decoded here. */

// Records would tie the bytes to the state of one encoder.
const packr = new Packr({ useRecords: false, moreTypes: false });

interface Stored extends Omit<ParsedDocument, "breaks"> {
  breaks: { offsets: Uint8Array; ranks: Uint8Array };
}

export function encodeDocument(document: ParsedDocument): Uint8Array {
  const { offsets, ranks } = document.breaks;
  // Little-endian whatever the machine is, so that a data directory can move.
  const bytes = new Uint8Array(offsets.length * 4);
  const view = new DataView(bytes.buffer);
  for (let i = 0; i < offsets.length; i++) view.setUint32(i * 4, offsets[i]!, true);
  const stored: Stored = { ...document, breaks: { offsets: bytes, ranks } };
  return packr.pack(stored);
}

export function decodeDocument(bytes: Uint8Array): ParsedDocument {
  const stored = packr.unpack(bytes) as Stored;
  const packed = stored.breaks.offsets;
  const view = new DataView(packed.buffer, packed.byteOffset, packed.byteLength);
  const offsets = new Uint32Array(packed.byteLength / 4);
  for (let i = 0; i < offsets.length; i++) offsets[i] = view.getUint32(i * 4, true);
  return { ...stored, breaks: { offsets, ranks: Uint8Array.from(stored.breaks.ranks) } };
}
