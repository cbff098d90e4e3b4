/** The type and subtype of a content type as sent, or null where it is not well-formed: it becomes a header of answers. */
export function safeMime(sent: string): string | null {
  const mime = sent.split(";", 1)[0]?.trim().toLowerCase() ?? "";
  return mime.length <= 127 && /^[\w!#$&^.+-]+\/[\w!#$&^.+-]+$/.test(mime) ? mime : null;
}
