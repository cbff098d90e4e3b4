import { createCrossEncoder } from "../../src/embed/local/cross-encoder.ts";
import { memoryModelFiles } from "../../src/embed/local/model-files.ts";
import { createTokenizer } from "../../src/embed/local/tokenizer.ts";
import { crossEncoderConfig, crossEncoderFolder, randomCrossEncoder } from "../../src/embed/testing/cross-encoders.ts";
import { MINILM_SHAPE } from "../../src/embed/testing/transformer.ts";
import { loadOnnxRuntime } from "../../src/platform/native.ts";
import { type Bench, round, timesOf } from "./bench.ts";
import { bundledModel, makeTexts } from "./models.ts";

const QUERY = "how do I reset the password of my account";
const CANDIDATES = 50;
const TOKENS = 200;

export const rerank: Bench = {
  about: `${CANDIDATES} candidates of about ${TOKENS} tokens for one query, by a cross-encoder of MiniLM-L6's shape (random weights)`,
  minutes: 8,
  async run(context) {
    const tokenizer = await pairTokenizer();
    const shape = { ...MINILM_SHAPE, vocabulary: Object.keys(tokenizer.model.vocab).length };
    const files = crossEncoderFolder(randomCrossEncoder(shape), {
      "config.json": JSON.stringify(crossEncoderConfig(shape)),
      "tokenizer.json": JSON.stringify(tokenizer),
    });
    const known = createTokenizer(tokenizer as never, {});
    const words = await makeTexts(CANDIDATES, TOKENS + 40, 7);
    // Texts of the tokens wanted, give or take a tenth, as chunks of a store are.
    const texts = words.map((text, i) => cut(text, TOKENS * (0.9 + (0.2 * i) / CANDIDATES), known));
    const runs = context.scale === "small" ? 1 : 5;
    for (const threads of [1, 2]) {
      const model = await createCrossEncoder(loadOnnxRuntime(), memoryModelFiles(files), { id: "minilm", threads });
      const { tokens } = await model.score(QUERY, texts);
      const times: number[] = [];
      const cpu: number[] = [];
      for (let i = 0; i < runs; i++) {
        const [started, before] = [performance.now(), process.cpuUsage()];
        await model.score(`${QUERY} ${i}`, texts);
        times.push(performance.now() - started);
        const { user, system } = process.cpuUsage(before);
        cpu.push((user + system) / 1000);
      }
      await model.dispose();
      const { p50_ms, p95_ms } = timesOf(times);
      context.report({
        trial: `${threads} ${threads === 1 ? "thread" : "threads"}`,
        p50_ms: round(p50_ms),
        p95_ms: round(p95_ms),
        best_ms: round(Math.min(...times)),
        cpu_p50_ms: round(timesOf(cpu).p50_ms),
        tokens,
        tokens_per_s: round((tokens * 1000) / Math.min(...times)),
      });
    }
  },
};

interface TokenizerFile {
  model: { vocab: Record<string, number> };
  [key: string]: unknown;
}

/** The bundled model's tokenizer with BERT's pairs; which special tokens it has makes no difference to the time. */
async function pairTokenizer(): Promise<TokenizerFile> {
  const json = JSON.parse(
    new TextDecoder().decode(await bundledModel().files.bytes("tokenizer.json")),
  ) as TokenizerFile;
  return { ...json, post_processor: { type: "BertProcessing", cls: ["[CLS]", 2], sep: ["[SEP]", 3] } };
}

function cut(text: string, tokens: number, tokenizer: ReturnType<typeof createTokenizer>): string {
  const words = text.split(" ");
  while (tokenizer.encode(words.join(" ")).length > tokens) words.pop();
  return words.join(" ");
}
