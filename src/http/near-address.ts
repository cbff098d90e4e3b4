import { canonicalPath, FAMILIES, pathParams } from "./address.ts";

/**
 * The address that a client may have meant by one that nothing answers to: a base address with `/v1` too much, or with
 * another version or folder before it, or a word that is misspelt. Null where none is near.
 */
export function nearAddress(path: string, patterns: readonly string[]): string | null {
  if (path.length > LONGEST) return null;
  const parts = path.split("/").filter((part) => part !== "");
  const from = parts.findLastIndex((part) => VERSION.test(part)) + 1;
  const spelt = ["v1", ...parts.slice(from)];
  for (const pattern of patterns) {
    const candidate = respelt(spelt, pattern.split("/").slice(1));
    if (candidate !== null && candidate !== path) return candidate;
  }
  // Folders of a proxy before the first word that begins an address.
  const first = parts.findIndex((part) => FAMILIES.includes(part));
  const candidate = first < 0 ? path : canonicalPath(`/v1/${parts.slice(first).join("/")}`);
  if (candidate !== path && patterns.some((pattern) => pathParams(pattern, candidate) !== null)) return candidate;
  return null;
}

/** Characters; whoever writes a longer address did not misspell one. */
const LONGEST = 200;
const VERSION = /^(v\d{1,2}|api|openai)$/;

/** The parts with the pattern's words in place of words like them, or null where they are not alike. */
function respelt(parts: readonly string[], pattern: readonly string[]): string | null {
  if (parts.length !== pattern.length) return null;
  const words = parts.map((part, i) => {
    const word = pattern[i] ?? "";
    if (word.startsWith("{")) return part;
    return bare(part) === bare(word) ? word : null;
  });
  return words.includes(null) ? null : `/${words.join("/")}`;
}

/** `vectorStores`, `vector-stores` and `vector_store` are `vector_stores`. */
function bare(word: string): string {
  return word
    .toLowerCase()
    .replace(/[^a-z0-9]/g, "")
    .replace(/s$/, "");
}
