/**
 * A pattern for SQLite's GLOB that fits every text which contains this one, whatever the case of either. LIKE knows case
 * in ASCII only; GLOB knows none, but takes both letters of every pair.
 */
export function containsPattern(text: string): string {
  return `*${[...text].map(anyCase).join("")}*`;
}

function anyCase(character: string): string {
  const forms = new Set([character, character.toLowerCase(), character.toUpperCase()]);
  // "ß" is two letters in capitals: it stands for itself.
  const single = [...forms].filter((form) => [...form].length === 1);
  if (single.length > 1) return `[${single.join("")}]`;
  return "*?[".includes(character) ? `[${character}]` : character;
}
