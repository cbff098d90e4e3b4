import { cpus } from "node:os";
import { json, newStore } from "../helpers/api.ts";
import { startServer } from "../helpers/server.ts";
import { tempDir } from "../helpers/temp-dir.ts";
import { migrationEnd } from "../migrate/corpus.ts";
import { type Bench, mean, median, rate, round } from "./bench.ts";
import { addMiniLm, BUNDLED, makeTexts, MINILM, miniLmModel, openModel, rawRun } from "./models.ts";
import { attachAll, chunkTexts, settled, uploadAll } from "./server-data.ts";

const ROUNDS = 2;

export const migrate: Bench = {
  about: `a store moved from ${BUNDLED} to ${MINILM} (build, catch-up, comparison, swap), against ONNX Runtime alone`,
  minutes: 8,
  async run({ scale, report }) {
    const threads = cpus().length;
    using dir = tempDir();
    const dataDir = dir.join("data");
    const model = miniLmModel(await addMiniLm(dataDir));
    await using server = await startServer({ dataDir });
    const rates: number[] = [];
    const raws: number[] = [];
    let tokensPerChunk = 0;
    for (let turn = 0; turn < ROUNDS; turn++) {
      const storeId = await newStore(server, { embedding_model: BUNDLED });
      await attachAll(server, storeId, await uploadAll(server, await makeTexts(scale === "small" ? 5 : 80, 700, turn)));
      const { index } = await settled(server, storeId);
      if (turn === 0) {
        const local = await openModel(model, threads);
        tokensPerChunk = mean(
          (await local.embed(await chunkTexts(server, storeId, 24), "passage")).map((t) => t.tokens),
        );
        await local.dispose();
      }
      const best: number[] = [];
      for (const shape of model.shapes) {
        const raw = await rawRun(model, shape, threads);
        best.push(await rate(scale === "small" ? 0.3 : 2, raw.run));
        await raw.release();
      }
      raws.push(Math.max(...best));
      const started = performance.now();
      const { id } = await json<{ id: string }>(server, "POST", `/v1/vector_stores/${storeId}/migrate`, {
        embedding_model: MINILM,
      });
      const end = await migrationEnd(server, storeId, id);
      if (end.status !== "completed")
        throw new Error(`the migration ended as ${end.status}: ${end.last_error?.message}`);
      rates.push(index.chunks / ((performance.now() - started) / 1000));
    }
    const chunks = median(rates);
    report({ trial: `raw ONNX Runtime, ${threads} threads`, tokens_per_s: round(median(raws)), share_of_raw: 1 });
    report({
      trial: "migration, from the request to the swap",
      chunks_per_s: round(chunks),
      tokens_per_s: round(chunks * tokensPerChunk),
      share_of_raw: round((chunks * tokensPerChunk) / median(raws)),
    });
  },
};
