/**
 * From what somebody wrote to an assistant to what is searched for, by rule and without a model. A message has frames
 * ("According to the uploaded file, …"), sentences that say how to answer ("Cite your sources."), and refers to what was
 * said before; each of them takes a search away from what is asked about. The text itself is always searched too, so a
 * rule that is wrong costs nothing but a query.
 */
import { rewriteQuery } from "./rewrite.ts";
import { sentencesOf } from "./sentences.ts";
import { CONTINUES, EMPTY_WORDS, FRAMES, MANNERS } from "./question-words.ts";

export const QUESTIONS = {
  /** Of a long message the end is searched, for there the question stands. */
  words: 300,
  /** The same in characters, where words are long: all queries of a message have no more than a search may. */
  characters: 8_192,
  /** Reduced questions of one message at most. */
  reduced: 3,
  /** Queries of one message at most. */
  queries: 6,
  /** A message with fewer words that say something is read together with the one before. */
  wordsThatStandAlone: 4,
} as const;

/** Characters that are taken apart at most. */
const LONGEST = 4_000;
/** Frames around one another at most. */
const MOST_FRAMES = 4;
/** Words of a question that is made from a passage. */
const WORDS_FROM_PASSAGE = 10;

/** Everything that is searched for a message, the text itself first. `previous`: what the same person wrote before. */
export function queriesOf(message: string, previous: string | null): string[] {
  const text = lastWords(message);
  const queries = [text];
  if (previous !== null && previous.trim() !== "" && goesOn(text)) queries.push(lastWords(`${previous} ${message}`));
  for (const question of reducedQuestions(text)) queries.push(question, rewriteQuery(question));
  return [...new Set(queries.filter((query) => query !== ""))].slice(0, QUESTIONS.queries);
}

/** What is asked, in one text: what a passage that was found is read for. */
export function focusOf(message: string, previous: string | null): string {
  const text = lastWords(message);
  if (previous !== null && previous.trim() !== "" && goesOn(text)) return lastWords(`${previous} ${message}`);
  return reducedQuestions(text).join(" ") || text;
}

/** What of a text is asked, at most three questions; the whole without its frames where nothing is a question. */
export function reducedQuestions(text: string): string[] {
  const asked = text.slice(-LONGEST);
  const sentences = sentencesOf(asked).map(({ start, end }) => asked.slice(start, end));
  const about = sentences.filter((sentence) => !MANNERS.some((manner) => manner.test(sentence)));
  const bare = (about.length > 0 ? about : sentences).map(withoutFrames).filter((sentence) => sentence !== "");
  const questions = bare.filter((sentence) => /[?？]["'”’»)\]]*$/u.test(sentence));
  if (questions.length > 0) return questions.slice(0, QUESTIONS.reduced);
  return bare.length === 0 ? [] : [bare.join(" ")];
}

/** A question in the words worth searching for: without what only says how to answer, and without its grammar. */
export function rewritten(query: string): string {
  const questions = query.length > LONGEST ? [] : reducedQuestions(query);
  return rewriteQuery(questions.length === 0 ? query : questions.join(" "));
}

function withoutFrames(sentence: string): string {
  let bare = sentence;
  for (let rounds = 0; rounds < MOST_FRAMES; rounds++) {
    const frame = FRAMES.find((pattern) => pattern.test(bare));
    if (frame === undefined) break;
    const rest = bare.replace(frame, "");
    // A frame around nothing was no frame.
    if (!/[\p{L}\p{N}]/u.test(rest)) break;
    bare = rest;
  }
  return bare;
}

function goesOn(text: string): boolean {
  if (CONTINUES.test(text)) return true;
  const words = text.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? [];
  return words.filter((word) => !EMPTY_WORDS.has(word)).length < QUESTIONS.wordsThatStandAlone;
}

function lastWords(text: string): string {
  const end = text.trimEnd().slice(-QUESTIONS.characters).toWellFormed().trimStart();
  const words = end.split(/\s+/u);
  return words.length <= QUESTIONS.words ? end : words.slice(-QUESTIONS.words).join(" ");
}

/** What may be asked of a passage where nobody asked anything: the beginning of a sentence in its middle. */
export function questionFrom(text: string): string {
  const sentences = text.split(/(?<=[.!?\u3002])\s+/).filter((sentence) => sentence.length > 20);
  const sentence = sentences[Math.floor(sentences.length / 2)] ?? text;
  return sentence.split(/\s+/).slice(0, WORDS_FROM_PASSAGE).join(" ").slice(0, 200).trim();
}
