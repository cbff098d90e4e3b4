/**
 * Fills what the server remembers for as long as it lives. Each of these memories has a bound: vectors of recent queries,
 * what words of queries and of documents were made into, token ids of words. Traffic alone takes hours to fill them, and
 * until then a soak cannot tell them from a leak. Afterwards they stay as they are, whatever is asked.
 */
import type { Asker } from "./asker.ts";
import { addText, newStore, newWord } from "./episode.ts";
import type { SeededRandom } from "../helpers/random.ts";

/** As `--query-cache-entries` is unless it is told otherwise. */
const QUERIES = 10_000;
/** Of one query: so that all of them have as many words as are remembered of any kind. */
const WORDS = 5;
/** At once. */
const CLIENTS = 3;

/** At most for `ms`: false where a slow machine did not come to the end in it. */
export async function fill(ask: Asker, random: SeededRandom, ms: number): Promise<boolean> {
  const untilMs = performance.now() + ms;
  const store = await newStore(ask);
  const words = (n: number) => Array.from({ length: n }, () => newWord(random)).join(" ");
  const file = await addText(ask, store, "words.txt", words(QUERIES * WORDS + 1000));
  let left = QUERIES;
  const client = async () => {
    for (; left > 0 && performance.now() < untilMs; left--)
      await ask.json("POST", `/v1/vector_stores/${store}/search`, { query: words(WORDS), max_num_results: 1 });
  };
  await Promise.all(Array.from({ length: CLIENTS }, client));
  await ask.json("DELETE", `/v1/vector_stores/${store}`);
  await ask.json("DELETE", `/v1/files/${file}`);
  return left <= 0;
}
