import { json, newStore } from "../helpers/api.ts";
import { startServer, type TestServer } from "../helpers/server.ts";
import { type Bench, mean, medianTimes, round, type Times, timesOf } from "./bench.ts";
import { makeTexts } from "./models.ts";
import { attachAll, settled, uploadAll } from "./server-data.ts";

const WORDS = 700;
const FILES = { small: 20, normal: 1000, full: 5000 };
const TURNS = 3;
const EACH = { small: 10, normal: 60, full: 60 };
const ANNOTATION = "event: response.output_text.annotation.added";

export const answers: Bench = {
  about:
    "quotations as a stream of /v1/responses, from the request to the first citation, beside /search for questions like " +
    "it; over_search is the ratio of the medians for each form of the question that was searched",
  minutes: 10,
  async run({ scale, report, note }) {
    await using server = await startServer();
    const texts = await makeTexts(FILES[scale], WORDS, 5);
    const storeId = await newStore(server);
    await attachAll(server, storeId, await uploadAll(server, texts));
    const { index } = await settled(server, storeId);
    const searches: Times[] = [];
    const streams: Times[] = [];
    const forms: number[] = [];
    let uncited = 0;
    let next = 0;
    // Never one twice: vectors of questions are remembered.
    const question = () => questionOf(texts, next++);
    for (let turn = 0; turn <= TURNS; turn++) {
      const taken: { search: number[]; stream: number[] } = { search: [], stream: [] };
      for (let i = 0; i < EACH[scale]; i++) {
        taken.search.push(await searched(server, storeId, question()));
        // A question that nothing fits well enough has no first citation to time: another is put in its place.
        let answer = await cited(server, storeId, question());
        for (; answer === null; answer = await cited(server, storeId, question())) {
          if (++uncited > EACH[scale]) throw new Error("hardly a question is answered with a citation");
        }
        taken.stream.push(answer.ms);
        forms.push(answer.forms);
      }
      // The first turn warms up.
      if (turn === 0) continue;
      searches.push(timesOf(taken.search));
      streams.push(timesOf(taken.stream));
    }
    const [search, stream] = [medianTimes(searches), medianTimes(streams)];
    report({ trial: "search", chunks: index.chunks, ...search });
    report({
      trial: "first citation of a stream",
      chunks: index.chunks,
      ...stream,
      forms: round(mean(forms)),
      over_search: round(stream.p50_ms / (search.p50_ms * mean(forms))),
    });
    if (uncited > 0) note(`${uncited} questions were answered without a citation, and others were put in their place`);
    note("forms is how many ways of putting the question were searched, each of them a search of its own");
  },
};

/** About some words that stand in a text. */
function questionOf(texts: readonly string[], i: number): string {
  const words = (texts[i % texts.length] ?? "").split(/\s+/u);
  const from = 20 + ((i * 37) % Math.max(1, words.length - 40));
  return `According to the files, what is said of ${words.slice(from, from + 8).join(" ")}?`;
}

async function searched(server: TestServer, storeId: string, query: string): Promise<number> {
  const started = performance.now();
  await json(server, "POST", `/v1/vector_stores/${storeId}/search`, { query, max_num_results: 20 });
  return performance.now() - started;
}

/** Milliseconds to the first citation, and how many ways of putting the question were searched; null without a citation. */
async function cited(
  server: TestServer,
  storeId: string,
  input: string,
): Promise<{ ms: number; forms: number } | null> {
  const tools = [{ type: "file_search", vector_store_ids: [storeId] }];
  const body = JSON.stringify({ input, tools, stream: true, store: false });
  const started = performance.now();
  const headers = { "content-type": "application/json" };
  const response = await server.fetch("/v1/responses", { method: "POST", body, headers });
  let ms: number | null = null;
  let text = "";
  for await (const piece of (response.body ?? new Blob().stream()).pipeThrough(new TextDecoderStream())) {
    text += piece;
    if (ms === null && text.includes(ANNOTATION)) ms = performance.now() - started;
  }
  const queries = /"queries":(\["(?:[^\]\\]|\\.)*"\])/u.exec(text)?.[1];
  if (queries === undefined) throw new Error(`no answer came to: ${input}\n${text.slice(-2000)}`);
  if (ms === null) return null;
  return { ms, forms: (JSON.parse(queries) as string[]).length };
}
