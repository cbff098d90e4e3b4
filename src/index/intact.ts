import type { SearchEngine } from "./engine.ts";

type Lease<I> = { readonly index: I; release(): void };

/** How often the file of an index may be changed under one question before it is given up. */
const MOST_TRIES = 5;

/**
 * What an index answers, if the file that it lies on is afterwards what it was before. Where somebody cut the file short, or
 * wrote to it, the answer (or the error) is made of what never was in the index: it is asked for again of what `acquire`
 * gives then, which was loaded anew. The first lease stays the caller's.
 */
export async function answerOfIntact<T, I extends Pick<SearchEngine, "isIntact">>(
  lease: Lease<I>,
  acquire: () => Promise<Lease<I>>,
  ask: (index: I) => T | Promise<T>,
): Promise<T> {
  let current = lease;
  for (let left = MOST_TRIES; ; left--) {
    try {
      const answer = await ask(current.index);
      if (current.index.isIntact) return answer;
    } catch (error) {
      if (current.index.isIntact) throw error;
    } finally {
      if (current !== lease) current.release();
    }
    if (left === 1) throw new Error("the file of an index is changed again and again by somebody else");
    current = await acquire();
  }
}
