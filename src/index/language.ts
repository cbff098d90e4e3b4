import { latinWords, NON_ASCII, remembered } from "./words.ts";

export interface Language {
  /** What has no word that tells (source code, tables, names) is taken for English. */
  isEnglish: boolean;
  /** German, Dutch, Danish, Norwegian or Swedish: compounds are written in one word. */
  isCompounding: boolean;
}

/**
 * A guess at the language of a text in Latin letters, by counting function words that are frequent on one side only, and
 * words with letters that English does not have.
 */
export function languageOf(text: string): Language {
  const different = new Set<string>();
  let english = 0;
  let other = 0;
  let compounding = 0;
  let against = 0;
  let words = 0;
  for (const word of latinWords(text, LATIN_WORD, SAMPLE_WORDS)) {
    const known = wordOf(word);
    words++;
    if (known.isEnglish) english++;
    else if (known.isOther) other++;
    if (known.isCompounding) {
      compounding++;
      different.add(known.lower);
    } else if (known.isAgainst) against++;
  }
  const least = words * LEAST_SHARE;
  return {
    isEnglish: english >= other || other < 2 || other < least,
    // One of them alone may be a name.
    isCompounding: different.size >= 2 && compounding > against && compounding >= least,
  };
}

/** Whether at least half of the letters are Latin; so it is where there are none. */
export function isMostlyLatin(text: string): boolean {
  if (!NON_ASCII.test(text)) return true;
  const letters = text.match(/\p{L}/gu)?.length ?? 0;
  const latin = text.match(/\p{sc=Latin}/gu)?.length ?? 0;
  return latin * 2 >= letters;
}

const SAMPLE_WORDS = 400;
/** Prose has a fifth and more of function words; source code and lists of names have them by accident. */
const LEAST_SHARE = 0.06;
const LATIN_WORD = /\p{sc=Latin}+/uy;

const MOST_KNOWN = 10_000;
/** What a word tells of the language. */
const wordOf = remembered(MOST_KNOWN, (word) => {
  const lower = word.toLowerCase();
  const isEnglish = ENGLISH.has(lower);
  const isListed = !isEnglish && OTHERS.has(lower);
  return {
    lower,
    isEnglish,
    isOther: isListed || NON_ASCII.test(lower),
    isCompounding: COMPOUNDING.has(lower),
    isAgainst: isEnglish || (isListed && !SHARED.has(lower)),
  };
});

const ENGLISH = new Set(
  (
    "the of and to is that it for was with as be by this are from at have or not you which were has had but they " +
    "their can been will would there what if when who how than into its could should these those about"
  ).split(" "),
);

/** Function words elsewhere that are also English words, or names of variables in source code. */
const AMBIGUOUS = new Set(
  "on an a in no do me he i as or so am if at era den des per para par pour con die und fi z w x y e o s os es ei af del se el un le je la ja bu az m".split(
    " ",
  ),
);

/** German, French, Spanish, Italian, Portuguese, Dutch, Turkish, Romanian, Polish, Czech, Scandinavian, Finnish, Hungarian, Indonesian, Vietnamese. */
const OTHERS = new Set(
  (
    "der und den von das mit dem des ein eine einer einem ist nicht auf für sich wird auch als bei nach wie oder werden " +
    "le la les et est une dans qui que pour pas par sur avec au aux du ce ses sont il elle nous vous " +
    "el los las del y en por con para una su es como más lo al fue se sus o si sobre entre cuando " +
    "di che il per della dei nel alla sono gli delle anche più non ha " +
    "do da dos das em um uma não os ao na no foi pelo pela são " +
    "het een van niet zijn voor met aan ook maar worden naar uit bij wordt " +
    "ve bir bu için ile olarak olan da de daha çok gibi ise kadar sonra " +
    "și în cu care este din pe mai sau prin fost fi lui " +
    "w z się nie że jest jak przez od oraz dla jego " +
    "je se na že ve jsou byl podle která které " +
    "och att det som på är av för med till inte han var ett om den er ikke til af en og jeg " +
    "ja on ei oli että ovat mutta sekä kun " +
    "az és hogy nem egy meg csak volt már is " +
    "yang dan di dengan untuk dari pada ini itu dalam tidak oleh adalah akan " +
    "của và là các có được trong cho một những với không người này đã"
  )
    .split(" ")
    .filter((word) => !ENGLISH.has(word) && !AMBIGUOUS.has(word)),
);

/** Function words of the languages that write compounds in one word, as far as they are not words of others. */
const COMPOUNDING = new Set(
  (
    "der und von das mit dem ein eine einer einem einen ist sind nicht auf für sich wird auch bei nach wie oder werden " +
    "muss müssen kann durch über zum zur dass sie wurde im " +
    "het een van niet zijn voor aan ook maar worden wordt naar uit bij deze " +
    "och att det som på är av för med till inte har ett om från vid kan ska skall " +
    "ikke til af og jeg fra eller være blir bliver skal når"
  ).split(" "),
);

/** Those that are: they speak neither for nor against. */
const SHARED = new Set("de en des die den er i in om met men var als es me au".split(" "));
