/**
 * Terms of recent questions, since people and agents ask the same again, often of another store or with another filter: to
 * take a question apart takes as long as to look its words up among some thousand chunks. Least recently used goes first.
 * Each tenant finds its own only: by the time it takes, nobody learns what another has asked.
 */
import { queryTerms } from "../index/analyzer.ts";
import type { QueryTerm } from "../index/query-term.ts";

/** Characters up to which a question is remembered: one has some thirty terms then, five kilobytes. */
const LONGEST = 256;
const MOST = 500;

export class AskedTerms {
  /** A Map keeps the order of insertion: the first entry is the one that was not used for longest. */
  readonly #known = new Map<string, readonly QueryTerm[]>();

  get size(): number {
    return this.#known.size;
  }

  /** What `queryTerms` gives; not to be changed. */
  of(tenant: string, question: string): readonly QueryTerm[] {
    if (question.length > LONGEST) return queryTerms(question);
    // No id holds a line break.
    const key = `${tenant}\n${question}`;
    const known = this.#known.get(key);
    const terms = known ?? queryTerms(question);
    if (known !== undefined) this.#known.delete(key);
    this.#known.set(key, terms);
    const [oldest] = this.#known.size > MOST ? this.#known.keys() : [];
    if (oldest !== undefined) this.#known.delete(oldest);
    return terms;
  }
}
