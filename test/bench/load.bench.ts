import { json, newStore, search, upload } from "../helpers/api.ts";
import { startServer, type TestServer } from "../helpers/server.ts";
import { tempDir } from "../helpers/temp-dir.ts";
import { waitFor } from "../helpers/wait.ts";
import { type Bench, medianTimes, round, type Times, timesOf } from "./bench.ts";
import { DIMENSIONS, Embeddings, fillStore, Words } from "./corpus.ts";
import { addMiniLm, BUNDLED, makeTexts, MINILM } from "./models.ts";
import { openLoop } from "./open-loop.ts";
import { metricOf, storeOf } from "./server-data.ts";

const RATE_PER_SECOND = 20;
const ROUNDS = 3;
/** Files kept waiting, so that no lane is ever without work. */
const QUEUED = 12;

export const load: Bench = {
  about:
    `hybrid searches with new queries, ${RATE_PER_SECOND} a second at fixed instants (open loop), idle and while files ` +
    "are uploaded and indexed as fast as the server can; the three take turns",
  minutes: 10,
  async run({ scale, report, note }) {
    const seconds = scale === "small" ? 2 : 15;
    using dir = tempDir();
    const dataDir = dir.join("data");
    await addMiniLm(dataDir);
    await using server = await startServer({ dataDir });
    const searched = await newStore(server, { name: "searched" });
    const words = new Words(5);
    await fillStore(server, searched, new Embeddings(7).many(scale === "small" ? 500 : 20_000), {
      dimensions: DIMENSIONS,
      text: () => words.text(120),
    });
    const ask = () => search(server, searched, { query: words.question() });
    await ask();

    const situations = [
      { name: "idle", feed: null },
      { name: `while indexing with ${BUNDLED}`, feed: { model: BUNDLED, texts: await makeTexts(20, 30_000, 1) } },
      { name: `while indexing with ${MINILM}`, feed: { model: MINILM, texts: await makeTexts(20, 4000, 2) } },
    ];
    const runs = new Map<string, Times[]>(situations.map(({ name }) => [name, []]));
    const indexed = new Map<string, number>();
    for (let turn = 0; turn < ROUNDS; turn++) {
      for (const { name, feed } of situations) {
        const feeder = feed === null ? null : await startFeeding(server, feed.model, feed.texts);
        runs
          .get(name)
          ?.push(timesOf(await openLoop(RATE_PER_SECOND, (sent) => sent >= seconds * RATE_PER_SECOND, ask)));
        if (feeder !== null) indexed.set(name, (indexed.get(name) ?? 0) + (await feeder.stop()));
      }
    }
    const idle = medianTimes(runs.get("idle") ?? []);
    for (const [name, times] of runs) {
      const found = medianTimes(times);
      const chunks = indexed.get(name);
      report({
        trial: name,
        ...found,
        p99_over_idle: round(found.p99_ms / idle.p99_ms),
        ...(chunks === undefined ? {} : { chunks_indexed_per_s: Math.round(chunks / (ROUNDS * seconds)) }),
      });
    }
    note("times are from the instant a request was due, with what the client and the loopback network take");
  },
};

/** Keeps files waiting to be indexed in a store of its own until `stop`, which answers how many chunks were indexed. */
async function startFeeding(server: TestServer, model: string, texts: readonly string[]) {
  const storeId = await newStore(server, { name: "fed", embedding_model: model });
  const stopping = new AbortController();
  let next = 0;
  const addOne = async () => {
    const text = texts[next % texts.length] ?? "";
    const id = await upload(server, `fed-${next++}.txt`, `${next} ${text}`);
    await json(server, "POST", `/v1/vector_stores/${storeId}/files`, { file_id: id });
  };
  for (let i = 0; i < QUEUED; i++) await addOne();
  // The lanes have opened the model.
  await waitFor(
    "indexing has begun",
    async () => ((await storeOf(server, storeId)).index.chunks > 0 ? true : undefined),
    120_000,
  );
  const before = (await storeOf(server, storeId)).index.chunks;
  const feeding = (async () => {
    while (!stopping.signal.aborted) {
      const { in_progress } = (await storeOf(server, storeId)).file_counts;
      if (in_progress < QUEUED) await addOne();
      else await Bun.sleep(20);
    }
  })();
  return {
    async stop(): Promise<number> {
      stopping.abort();
      await feeding;
      const { index } = await storeOf(server, storeId);
      await json(server, "DELETE", `/v1/vector_stores/${storeId}`);
      // Taking the store down is work too.
      const purges = () =>
        Promise.all(["waiting", "running"].map((is) => metricOf(server, `lectern_jobs_${is}{kind="purge_store"}`)));
      await waitFor(
        "the deletion ends",
        async () => ((await purges()).every((jobs) => jobs === 0) ? true : undefined),
        120_000,
      );
      return index.chunks - before;
    },
  };
}
