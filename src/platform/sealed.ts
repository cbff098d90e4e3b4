/**
 * A small frame around cached bytes: magic, format version, checksum. A torn, flipped or outdated file opens as null
 * and its cache entry is made again; it is never trusted.
 */
const MAGIC = 0x4c435431;
const HEADER_BYTES = 16;

export function seal(content: Uint8Array, version: number): Uint8Array {
  const sealed = new Uint8Array(HEADER_BYTES + content.byteLength);
  const header = new DataView(sealed.buffer);
  header.setUint32(0, MAGIC);
  header.setUint32(4, version);
  header.setBigUint64(8, checksum(content));
  sealed.set(content, HEADER_BYTES);
  return sealed;
}

/** The content of a sealed frame of this version whose checksum is right, else null. */
export function openSealed(sealed: Uint8Array, version: number): Uint8Array | null {
  if (sealed.byteLength < HEADER_BYTES) return null;
  const header = new DataView(sealed.buffer, sealed.byteOffset, HEADER_BYTES);
  const content = sealed.subarray(HEADER_BYTES);
  if (header.getUint32(0) !== MAGIC || header.getUint32(4) !== version) return null;
  return header.getBigUint64(8) === checksum(content) ? content : null;
}

function checksum(content: Uint8Array): bigint {
  return Bun.hash.xxHash64(content);
}
