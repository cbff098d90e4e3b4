/** Offsets that clients see count code points; strings here count UTF-16 units. */

export function countCodePoints(text: string): number {
  let count = 0;
  for (const _ of text) count++;
  return count;
}

/** UTF-16 units that the first `codePoints` code points of `text` take. */
export function unitsOf(text: string, codePoints: number): number {
  let at = 0;
  for (let left = codePoints; left > 0 && at < text.length; left -= 1)
    at += (text.codePointAt(at) ?? 0) > 0xffff ? 2 : 1;
  return at;
}

/** Accents on one letter at most, as Unicode's Stream-Safe Text Format has it (UAX #15). */
const LONG_RUN = /\p{M}{31}/u;

/**
 * The text with its accents composed (NFC) or taken apart (NFD). Text with longer runs of accents than any language has
 * stays as it is: putting a run in order takes time with the square of its length, 100 s for 65,000.
 */
export function normalForm(text: string, form: "NFC" | "NFD"): string {
  return LONG_RUN.test(text) ? text : text.normalize(form);
}
