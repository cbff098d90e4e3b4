/**
 * What a file is called, as terms that only names have. A word of a question meets both, the word in texts and the word
 * in names, and each is as rare as it is among its own kind: where every file is called `report-…`, that tells nothing,
 * and `report` in a text tells what it always did.
 */
import { type TermSink, walkTerms } from "./term-walk.ts";
import { normalized } from "../stream-safe.ts";
import { NON_ASCII } from "./words.ts";

const MOST_CHARACTERS = 512;
/** Nobody writes a longer name without its joints. */
const MOST_JOINED = 100;
/** An extension has a letter: the end of `core-2.17.1` is none. */
const EXTENSION = /[^./\\]\.(?=[a-z0-9]*[a-z])([a-z0-9]{1,5})$/i;
/** A number that says nothing without the word before it: `chapter 7`. */
const SHORT_NUMBER_LENGTH = 6; // UTF-16 units: some scripts' digits take two
const SHORT_NUMBER = /^\p{Nd}{1,3}$/u;

/** The terms of a name, or, of a question, those of the names that it may be asking for. */
export function nameTerms(text: string): string[] {
  const name = text.slice(0, MOST_CHARACTERS);
  if (name === "") return [];
  const extension = EXTENSION.exec(name)?.[1]?.toLowerCase();
  const bare = extension === undefined ? name : name.slice(0, -extension.length - 1);
  const found = new Set<string>();
  collect(bare, found);
  if (extension !== undefined) {
    const whole = new Set<string>();
    collect(name, whole);
    whole.delete(extension);
    for (const term of whole) found.add(term);
  }
  const whole = bare.length > MOST_JOINED ? "" : joined(bare);
  if (whole !== "") found.add(whole);
  return [...found].map((term) => `n:${term}`);
}

function joined(text: string): string {
  return NON_ASCII.test(text)
    ? normalized(text, "NFKC")
        .toLowerCase()
        .replace(/[^\p{L}\p{M}\p{N}]+/gu, "")
    : text.toLowerCase().replace(/[^a-z0-9]+/g, "");
}

function collect(text: string, into: Set<string>): void {
  let before = "";
  const take = (term: string): void => {
    const isShortNumber = term.length <= SHORT_NUMBER_LENGTH && SHORT_NUMBER.test(term);
    if (!isShortNumber) into.add(term);
    else if (before !== "") into.add(before + term);
    before = isShortNumber ? "" : term;
  };
  const sink: TermSink = { unit() {}, term: take, spelling: (term) => take(term.replace(/^~/, "")) };
  walkTerms(text, "english", sink);
}
