import { sessionOptions } from "../../src/embed/local/graph-runner.ts";
import { readModelFolder } from "../../src/embed/local/model-folder.ts";
import { createTokenizer } from "../../src/embed/local/tokenizer.ts";
import { cutWindows, planBatches } from "../../src/embed/local/windows.ts";
import { openLocal } from "../../src/models/entries.ts";
import { loadOnnxRuntime, unpackNatives } from "../../src/platform/native.ts";
import { NativeLanes } from "../../src/workers/native-lane.ts";
import { mebibytes, memoryOf } from "../helpers/process-memory.ts";
import { tempDir } from "../helpers/temp-dir.ts";
import { type BenchContext, median, round } from "./bench.ts";
import { type ComparedModel, makeTexts } from "./models.ts";

const TURNS = 3;
/** Tokens of one run of the bare runtime, which is given them sorted by length: as many as a lane gives it. */
export const RUN_TOKENS = 256;
/** Texts of one call of a job (src/models/entries.ts). */
const CALL_TEXTS = 32;

export interface Timed {
  tokensPerSecond: number;
  tokensPerCpuSecond: number;
  /** Cores that were busy, on the mean. */
  cores: number;
}

/**
 * What a job's calls get out of the ingest lanes, as a share of what the bare runtime reaches on the same texts with as
 * many threads; in turns, in time and in time on a core.
 */
export async function lanesTrial(
  { scale, report }: BenchContext,
  model: ComparedModel,
  threads: number,
): Promise<void> {
  const count = scale === "small" ? 12 : 60;
  const texts = (await Promise.all([20, 60, 150, 400].map((words, i) => makeTexts(count, words, i + 1)))).flat();
  using dir = tempDir();
  const natives = await unpackNatives(dir.path);
  await using lanes = new NativeLanes({ natives, ingestWorkers: threads, queryThreads: 1, rerankThreads: 1 });
  const before = memoryOf(process.pid).residentBytes;
  const path = model.files.path("config.json")?.replace(/\/config\.json$/, "") ?? "";
  const source = { type: "directory" as const, path };
  const opened = await openLocal(lanes, { id: model.name, key: model.name, source }, threads);
  if ("problems" in opened) throw new Error(opened.problems.join("; "));
  // Enough calls at once that every worker opens it.
  const { signal } = new AbortController();
  const opening = Array.from({ length: threads * 2 }, () =>
    lanes.embed("ingest", model.name, source, texts.slice(0, CALL_TEXTS), "passage", signal),
  );
  await Promise.all(opening);
  const perSession = (memoryOf(process.pid).residentBytes - before) / (threads + 1);
  const raw = await bareRuntime(model, texts, threads);
  const ask = { kind: "passage" as const, tenant: "a", isSearch: false, signal };
  const ours = async (): Promise<number> => {
    const calls = Array.from({ length: Math.ceil(texts.length / CALL_TEXTS) }, (_, i) =>
      opened.batcher.embed(texts.slice(i * CALL_TEXTS, (i + 1) * CALL_TEXTS), ask),
    );
    const results = await Promise.all(calls);
    return results.reduce((sum, result) => sum + (result.ok ? result.texts.reduce((n, t) => n + t.tokens, 0) : 0), 0);
  };
  await ours();
  const turns: { bare: Timed; lanes: Timed }[] = [];
  for (let turn = 0; turn < (scale === "small" ? 1 : TURNS); turn++)
    turns.push({ bare: await timed(raw.run), lanes: await timed(ours) });
  await raw.release();
  const over = (pick: (turn: (typeof turns)[number]) => number) => round(median(turns.map(pick)));
  report({
    trial: `through the lanes, ${threads} ${threads === 1 ? "thread" : "threads"}`,
    model: model.name,
    tokens_per_s: over((turn) => turn.lanes.tokensPerSecond),
    share_of_raw: over((turn) => turn.lanes.tokensPerSecond / turn.bare.tokensPerSecond),
    share_of_raw_cpu: over((turn) => turn.lanes.tokensPerCpuSecond / turn.bare.tokensPerCpuSecond),
    cores: over((turn) => turn.lanes.cores),
    raw_cores: over((turn) => turn.bare.cores),
    memory_a_session_mib: mebibytes(perSession),
  });
}

export async function timed(run: () => Promise<number>): Promise<Timed> {
  const [started, cpu] = [performance.now(), process.cpuUsage()];
  const tokens = await run();
  const seconds = (performance.now() - started) / 1000;
  const { user, system } = process.cpuUsage(cpu);
  const cpuSeconds = (user + system) / 1e6;
  return { tokensPerSecond: tokens / seconds, tokensPerCpuSecond: tokens / cpuSeconds, cores: cpuSeconds / seconds };
}

/** All windows of the texts, sorted by length and tokenised before: what nobody who serves texts as they come has. */
export async function bareRuntime(
  model: ComparedModel,
  texts: readonly string[],
  threads: number,
  runTokens = RUN_TOKENS,
): Promise<{ run: () => Promise<number>; release: () => Promise<void> }> {
  const folder = await readModelFolder(model.files);
  if (!folder.ok) throw new Error(folder.problems.join("; "));
  const { spec } = folder;
  const tokenizer = createTokenizer(spec.tokenizer, spec.tokenizerConfig);
  const { special } = tokenizer;
  const rows = texts.flatMap((text) => {
    const ids = tokenizer.encode(spec.passagePrefix + text);
    const capacity = spec.maxTokens - special.before.length - special.after.length;
    let start = 0;
    return cutWindows(ids.length, capacity, { startsWord: () => true, sentences: [] }).map((end) => {
      const row = [...special.before, ...ids.subarray(start, end), ...special.after];
      start = end;
      return row;
    });
  });
  const ort = loadOnnxRuntime();
  const session = await ort.InferenceSession.create(await model.files.bytes(spec.graph), sessionOptions(threads));
  const lengths = rows.map((row) => row.length);
  const batches = planBatches(lengths, { maxTokens: runTokens, rows: null });
  const feeds = batches.map((batch) => {
    const width = Math.max(...batch.map((row) => lengths[row] ?? 0));
    const tensor = (value: (row: number, at: number) => number) => {
      const data = new BigInt64Array(batch.length * width);
      batch.forEach((row, r) => {
        for (let at = 0; at < width; at++) data[r * width + at] = BigInt(value(row, at));
      });
      return new ort.Tensor("int64", data, [batch.length, width]);
    };
    return {
      input_ids: tensor((row, at) => rows[row]?.[at] ?? spec.padId),
      attention_mask: tensor((row, at) => (at < (lengths[row] ?? 0) ? 1 : 0)),
      ...(session.inputNames.includes("token_type_ids") ? { token_type_ids: tensor(() => 0) } : {}),
    };
  });
  const tokens = lengths.reduce((sum, length) => sum + length, 0);
  await session.run(feeds[0] ?? {});
  return {
    run: async (): Promise<number> => {
      for (const feed of feeds) await session.run(feed);
      return tokens;
    },
    release: () => session.release(),
  };
}
