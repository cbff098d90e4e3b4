/**
 * English stemming by Porter's algorithm (M. F. Porter, "An algorithm for suffix stripping", 1980, with its author's
 * two later corrections, -bli and -logi). Words must be lower-case a–z; one or two letters stay as they are.
 */
export function stemEnglish(word: string): string {
  if (word.length < 3) return word;
  let stem = plural(word);
  stem = pastAndGerund(stem);
  if (stem.endsWith("y") && hasVowel(stem, stem.length - 1)) stem = stem.slice(0, -1) + "i";
  stem = replaceSuffix(stem, DOUBLE_SUFFIXES);
  stem = replaceSuffix(stem, ADJECTIVE_SUFFIXES);
  stem = dropSuffix(stem);
  return finalE(stem);
}

type SuffixRule = readonly [suffix: string, replacement: string];

/** Ordered so that of two suffixes with one ending the longer comes first. */
const DOUBLE_SUFFIXES: readonly SuffixRule[] = [
  ["ational", "ate"],
  ["tional", "tion"],
  ["enci", "ence"],
  ["anci", "ance"],
  ["izer", "ize"],
  ["bli", "ble"],
  ["alli", "al"],
  ["entli", "ent"],
  ["eli", "e"],
  ["ousli", "ous"],
  ["ization", "ize"],
  ["ation", "ate"],
  ["ator", "ate"],
  ["alism", "al"],
  ["iveness", "ive"],
  ["fulness", "ful"],
  ["ousness", "ous"],
  ["aliti", "al"],
  ["iviti", "ive"],
  ["biliti", "ble"],
  ["logi", "log"],
];
const ADJECTIVE_SUFFIXES: readonly SuffixRule[] = [
  ["icate", "ic"],
  ["ative", ""],
  ["alize", "al"],
  ["iciti", "ic"],
  ["ical", "ic"],
  ["ful", ""],
  ["ness", ""],
];
const DROPPED_SUFFIXES = "al ance ence er ic able ible ant ement ment ent ion ou ism ate iti ous ive ize".split(" ");

function plural(word: string): string {
  if (!word.endsWith("s")) return word;
  if (word.endsWith("sses") || word.endsWith("ies")) return word.slice(0, -2);
  return word.endsWith("ss") ? word : word.slice(0, -1);
}

function pastAndGerund(word: string): string {
  if (word.endsWith("eed")) return measure(word, word.length - 3) > 0 ? word.slice(0, -1) : word;
  const cut = word.endsWith("ed") ? 2 : word.endsWith("ing") ? 3 : 0;
  if (cut === 0 || !hasVowel(word, word.length - cut)) return word;
  const stem = word.slice(0, -cut);
  if (stem.endsWith("at") || stem.endsWith("bl") || stem.endsWith("iz")) return stem + "e";
  if (endsInDoubleConsonant(stem) && !/[lsz]$/.test(stem)) return stem.slice(0, -1);
  return measure(stem, stem.length) === 1 && endsInShortSyllable(stem, stem.length) ? stem + "e" : stem;
}

function replaceSuffix(word: string, rules: readonly SuffixRule[]): string {
  for (const [suffix, replacement] of rules) {
    if (!word.endsWith(suffix)) continue;
    const rest = word.length - suffix.length;
    return measure(word, rest) > 0 ? word.slice(0, rest) + replacement : word;
  }
  return word;
}

function dropSuffix(word: string): string {
  // The longest ending decides: "ement" before "ment" before "ent".
  for (const suffix of DROPPED_SUFFIXES) {
    if (!word.endsWith(suffix)) continue;
    const rest = word.length - suffix.length;
    if (suffix === "ion" && !/[st]/.test(word.charAt(rest - 1))) return word;
    return measure(word, rest) > 1 ? word.slice(0, rest) : word;
  }
  return word;
}

function finalE(word: string): string {
  let stem = word;
  if (stem.endsWith("e")) {
    const rest = stem.length - 1;
    const m = measure(stem, rest);
    if (m > 1 || (m === 1 && !endsInShortSyllable(stem, rest))) stem = stem.slice(0, -1);
  }
  return stem.endsWith("ll") && measure(stem, stem.length) > 1 ? stem.slice(0, -1) : stem;
}

/** `y` is a consonant at the start and after a vowel. */
function isConsonant(word: string, at: number): boolean {
  switch (word.charCodeAt(at)) {
    case 97: // a
    case 101: // e
    case 105: // i
    case 111: // o
    case 117: // u
      return false;
    case 121: // y
      return at === 0 || !isConsonant(word, at - 1);
    default:
      return true;
  }
}

function hasVowel(word: string, end: number): boolean {
  for (let i = 0; i < end; i++) if (!isConsonant(word, i)) return true;
  return false;
}

/** Porter's m of the first `end` letters: how often a vowel is followed by a consonant. */
function measure(word: string, end: number): number {
  let m = 0;
  let afterVowel = false;
  for (let i = 0; i < end; i++) {
    const consonant = isConsonant(word, i);
    if (consonant && afterVowel) m++;
    afterVowel = !consonant;
  }
  return m;
}

function endsInDoubleConsonant(word: string): boolean {
  const last = word.length - 1;
  return last > 0 && word[last] === word[last - 1] && isConsonant(word, last);
}

/** Consonant, vowel, consonant other than w, x, y: "hop", "fil". */
function endsInShortSyllable(word: string, end: number): boolean {
  if (end < 3 || !isConsonant(word, end - 1) || isConsonant(word, end - 2) || !isConsonant(word, end - 3)) return false;
  return !/[wxy]/.test(word.charAt(end - 1));
}
