/**
 * Token ids of a text put together from those of its words, which are computed once each. The library's tokenizers take
 * some 25,000 tokens a second, a tenth of the time of a small model; words repeat, and most tokenizers cut at blanks
 * first, so that a word has the same tokens wherever it stands. Whether one does is tried when it is opened. Where cuts of
 * a word score the same, the library's sums from the text's beginning leave it to rounding; a word alone is cut as Rust's
 * `tokenizers` cuts it, which models are trained with.
 */
import { normalized } from "../../stream-safe.ts";
import { IdBuffer } from "./wordpiece.ts";

export type Encode = (text: string) => Int32Array;

/** Bounds the cache to some 10 MB a lane. */
const CACHE_ENTRIES = 50_000;
/** Longer words seldom come again, such as a sentence in Chinese. */
const CACHED_LENGTH = 48;
/** Blanks that may stand between words, beside those that no tokenizer treats otherwise, and what is not seen. */
const UNUSUAL = /[^\S \t\n\r]|(?![\t\n\r])[\p{Cc}\p{Cf}\p{Cs}\p{Cn}\p{Co}]/u;
const WORDS = /[^ \t\n\r]+/g;

/** What tells tokenizers apart that cut at blanks from those that do not, or not only. */
const PROBES = [
  "The quick brown fox jumps over the lazy dog.",
  "a b  c   d\ne\n\nf\tg\r\nh",
  " leading and trailing ",
  "Naïve café: «déjà vu» – 3.14 % (see [12]); e.g. user@example.com/path?x=1",
  "Съешь ещё этих мягких французских булок",
  "한국어 문장 이다 . 東京 タワー 3 月",
  "مرحبا بالعالم ، שלום עולם नमस्ते दुनिया",
  "<s> a <mask> b </s> [MASK] c [SEP]",
  "🎉 x 🎉🎊 ﬁ Ａ ½ ①",
  "don't I'm we've it's O'Neil",
] as const;

/** Null where a word's tokens depend on what stands beside it. */
export function byWords(encode: Encode): Encode | null {
  const words = new WordCache(encode);
  for (const probe of PROBES) {
    const [whole, joined] = [encode(probe), words.encode(probe)];
    if (whole.length !== joined.length || whole.some((id, i) => id !== joined[i])) return null;
  }
  return (text) => words.encode(text);
}

class WordCache {
  readonly #encode: Encode;
  /** Null: a word that has blanks in it once it is normalised. */
  readonly #cache = new Map<string, Int32Array | null>();

  constructor(encode: Encode) {
    this.#encode = encode;
  }

  encode(text: string): Int32Array {
    if (UNUSUAL.test(text)) return this.#encode(text);
    const out = new IdBuffer();
    for (const [word] of text.matchAll(WORDS)) {
      const ids = this.#idsOf(word);
      if (ids === null) return this.#encode(text);
      for (let i = 0; i < ids.length; i++) out.push(ids[i] as number);
    }
    return out.take();
  }

  #idsOf(word: string): Int32Array | null {
    const known = this.#cache.get(word);
    if (known !== undefined) return known;
    const ids = /\s/.test(normalized(word, "NFKC")) ? null : this.#encode(word);
    if (word.length > CACHED_LENGTH) return ids;
    // Full: begun anew, which costs little and needs no bookkeeping of what was used when.
    if (this.#cache.size >= CACHE_ENTRIES) this.#cache.clear();
    // A copy: a slice of the text would keep all of it in memory.
    this.#cache.set(Buffer.from(word).toString(), ids);
    return ids;
  }
}
