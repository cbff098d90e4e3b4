/** Models that benchmarks run, as folders and as bare graphs, and texts of words that they know. */
import { mkdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { directoryModelFiles, type ModelFiles } from "../../src/embed/local/model-files.ts";
import { createLocalModel, type LocalModel } from "../../src/embed/local/session.ts";
import { transformerFolder } from "../../src/embed/testing/model-folders.ts";
import { MINILM_SHAPE, randomTransformer } from "../../src/embed/testing/transformer.ts";
import { seededRandom } from "../helpers/random.ts";
import { loadOnnxRuntime } from "../../src/platform/native.ts";
import { ROOT } from "../helpers/server.ts";

export const BUNDLED = "lectern-embed-en";
/** The default of new data directories. */
export const ENCODER = "lectern-embed";
/** A model of MiniLM-L6's shape with random weights: its speed is real, its answers mean nothing. */
export const MINILM = "minilm-shaped";
const BUNDLED_DIRECTORY = join(ROOT, "models", BUNDLED);
const ENCODER_DIRECTORY = join(ROOT, "models", ENCODER);
const MINILM_TOKENS = 256;

interface TokenizerFile {
  model: { vocab: Record<string, number> };
}

async function bundledTokenizer(): Promise<TokenizerFile> {
  return (await Bun.file(join(BUNDLED_DIRECTORY, "tokenizer.json")).json()) as TokenizerFile;
}

/** Writes the MiniLM-shaped model where a server with this data directory finds it; answers its folder. */
export async function addMiniLm(dataDir: string, layers = MINILM_SHAPE.layers): Promise<string> {
  const tokenizer = await bundledTokenizer();
  const vocabulary = Object.keys(tokenizer.model.vocab).length;
  const files = transformerFolder(randomTransformer({ ...MINILM_SHAPE, layers, vocabulary }), {
    tokenizer,
    maxTokens: MINILM_TOKENS,
  });
  const folder = join(dataDir, "models", MINILM);
  for (const [path, content] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    await Bun.write(join(folder, path), content);
  }
  return folder;
}

export interface ComparedModel {
  name: string;
  files: ModelFiles;
  /** Shapes (rows × tokens) among which the raw rate's best is taken. */
  shapes: readonly (readonly [rows: number, tokens: number])[];
  tokenTypes: boolean;
}

export const bundledModel = (): ComparedModel => ({
  name: BUNDLED,
  files: directoryModelFiles(BUNDLED_DIRECTORY),
  shapes: [
    [1, 1024],
    [4, 512],
    [1, 4096],
  ],
  tokenTypes: false,
});

export const encoderModel = (): ComparedModel => ({
  name: ENCODER,
  files: directoryModelFiles(ENCODER_DIRECTORY),
  shapes: [
    [1, 256],
    [2, 128],
    [8, 32],
  ],
  tokenTypes: false,
});

export const miniLmModel = (folder: string): ComparedModel => ({
  name: MINILM,
  files: directoryModelFiles(folder),
  shapes: [
    [1, 256],
    [4, 256],
    [8, 128],
  ],
  tokenTypes: true,
});

/** ONNX Runtime alone on ready-made tensors. */
export async function rawRun(model: ComparedModel, shape: readonly [number, number], threads: number) {
  const ort = loadOnnxRuntime();
  const config = JSON.parse(new TextDecoder().decode(await model.files.bytes("config.json"))) as { vocab_size: number };
  const session = await ort.InferenceSession.create(await model.files.bytes("onnx/model.onnx"), {
    intraOpNumThreads: threads,
    interOpNumThreads: 1,
  });
  const [rows, tokens] = shape;
  const random = seededRandom(1);
  const tensor = (value: () => bigint) =>
    new ort.Tensor("int64", BigInt64Array.from({ length: rows * tokens }, value), [rows, tokens]);
  const feeds = {
    input_ids: tensor(() => BigInt(random.below(config.vocab_size))),
    attention_mask: tensor(() => 1n),
    ...(model.tokenTypes ? { token_type_ids: tensor(() => 0n) } : {}),
  };
  await session.run(feeds);
  return {
    run: async (): Promise<number> => {
      await session.run(feeds);
      return rows * tokens;
    },
    release: () => session.release(),
  };
}

export async function openModel(model: ComparedModel, threads = 1): Promise<LocalModel> {
  return await createLocalModel(loadOnnxRuntime(), model.files, { id: model.name, location: "local", threads });
}

/** Words that the bundled tokenizer has whole, the frequent ones first as its vocabulary orders them. */
export async function knownWords(): Promise<string[]> {
  const { model } = await bundledTokenizer();
  return Object.keys(model.vocab).filter((word) => /^[a-z]{2,}$/.test(word));
}

/** Texts of about `words` words each, in sentences, frequencies falling with the rank; the same for the same seed. */
export async function makeTexts(count: number, words: number, seed: number): Promise<string[]> {
  const known = await knownWords();
  const random = seededRandom(seed);
  const sentence = () =>
    `${Array.from({ length: 14 }, () => known[Math.floor(known.length * random() ** 4)]).join(" ")}.`;
  return Array.from({ length: count }, () => Array.from({ length: Math.ceil(words / 14) }, sentence).join(" "));
}

/**
 * Texts of about `words` words each, `bytes` in all: words of all the languages that the encoder has, frequencies falling
 * with the rank; the same for the same seed.
 */
export async function mixedTexts(bytes: number, words: number, seed: number): Promise<string[]> {
  const { model } = (await Bun.file(join(ENCODER_DIRECTORY, "tokenizer.json")).json()) as {
    model: { vocab: [piece: string, score: number][] };
  };
  const known = model.vocab.flatMap(([piece]) => (/^▁\p{L}{2,}$/u.test(piece) ? piece.slice(1) : []));
  const random = seededRandom(seed);
  const texts: string[] = [];
  for (let left = bytes; left > 0;) {
    const sentences = Array.from({ length: Math.ceil(words / 14) }, () => {
      const some = Array.from({ length: 14 }, () => known[Math.floor(known.length * random() ** 4)]);
      return `${some.join(" ")}.`;
    });
    const text = sentences.join(" ");
    texts.push(text);
    left -= Buffer.byteLength(text);
  }
  return texts;
}
