import { mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join, relative, sep } from "node:path";
import type { BunPlugin } from "bun";
import { objectOf } from "../embed/local/json-files.ts";
import { directoryModelFiles } from "../embed/local/model-files.ts";
import { PIECES_FILE, piecesToBytes } from "../embed/local/piece-trie.ts";
import { createLocalModel } from "../embed/local/session.ts";
import { unigramPieces } from "../embed/local/unigram.ts";
import type { ModelInfo } from "../embed/provider.ts";
import { bundledDirectories, DEFAULT_BUNDLED_MODEL, modelFileNames, WORD_TABLE } from "../models/bundled-model.ts";
import { measureUnrelated } from "../models/unrelated.ts";
import { bundleConsole } from "../http/web-console/bundle.ts";
import { loadOnnxRuntime, vectorsFileName } from "../platform/native.ts";

const TOKENIZER_FILE = "tokenizer.json";

/**
 * Fills the modules that are empty in a source checkout (native-embedded.ts, model-embedded.ts, console-embedded.ts) with the files of this
 * machine's platform, and points packages that look for their addon on the disk to what platform/native.ts loaded.
 */
export async function embedPlugin(root: string, arch: string = process.arch): Promise<BunPlugin> {
  const natives = await nativeModule(nativeFiles(root, arch), root);
  const models = await modelsModule(root);
  const consoleFiles = await consoleModule(join(root, "dist/console"), root);
  return {
    name: "embed",
    setup(build) {
      build.onLoad({ filter: /\/src\/platform\/native-embedded\.ts$/ }, () => ({ contents: natives, loader: "ts" }));
      build.onLoad({ filter: /\/src\/models\/model-embedded\.ts$/ }, () => ({ contents: models, loader: "ts" }));
      build.onLoad({ filter: /\/src\/http\/web-console\/console-embedded\.ts$/ }, () => ({
        contents: consoleFiles,
        loader: "ts",
      }));
      build.onLoad({ filter: /\/onnxruntime-node\/dist\/binding\.js$/ }, async ({ path }) => ({
        contents: withLoadedBinding(await Bun.file(path).text()),
        loader: "js",
      }));
      // Looks for an addon on the disk, beside the executable too: an accelerator that msgpackr does without.
      build.onLoad({ filter: /\/node_modules\/msgpackr-extract\/index\.js$/ }, () => ({
        contents: 'throw new Error("no addon is loaded from the disk");',
        loader: "js",
      }));
    },
  };
}

/** The package asks for its addon by a path next to itself; in the binary platform/native.ts has loaded it before. */
function withLoadedBinding(source: string): string {
  const request = /require\(`\.\.\/bin\/napi-v\d+\/[^`]*\/onnxruntime_binding\.node`\)/;
  if (!request.test(source)) throw new Error("onnxruntime-node/dist/binding.js no longer loads its addon as expected");
  return source.replace(request, 'globalThis[Symbol.for("lectern.onnxruntime.binding")]');
}

/** Our own addon for an architecture, and ONNX Runtime: its binding and the library beside it. */
export function nativeFiles(root: string, arch: string): string[] {
  const packageDirectory = dirname(require.resolve("onnxruntime-node/package.json", { paths: [root] }));
  const onnxruntime = join(packageDirectory, "bin/napi-v6", process.platform, arch);
  return [
    join(root, "dist/native", vectorsFileName(arch)),
    ...readdirSync(onnxruntime).map((name) => join(onnxruntime, name)),
  ];
}

async function nativeModule(paths: string[], root: string): Promise<string> {
  const entries = await Promise.all(
    paths.map(async (path, i) => {
      const bytes = await Bun.file(path).bytes();
      const name = JSON.stringify(path.slice(path.lastIndexOf("/") + 1));
      const sha256 = new Bun.CryptoHasher("sha256").update(bytes).digest("hex");
      return `{ name: ${name}, path: file${i}, bytes: ${bytes.length}, sha256: "${sha256}" }`;
    }),
  );
  return `${fileImports(paths, join(root, "src/platform"))}\nexport const embeddedNatives = [${entries.join(",\n")}];\n`;
}

/** Every bundled model that the checkout has, with what is known of it: a start need not open those that nobody uses. */
async function modelsModule(root: string): Promise<string> {
  const models = bundledDirectories(root);
  for (const wanted of [WORD_TABLE, DEFAULT_BUNDLED_MODEL])
    if (!models.some(({ name }) => name === wanted)) throw new Error(`models/${wanted} holds no model`);
  const paths: string[] = [];
  const entries: string[] = [];
  for (const { name, directory } of models) {
    const places = new Map(modelFileNames(directory).map((file) => [file, join(directory, file)]));
    for (const [file, path] of await madePieces(places, join(root, "dist/models", name))) places.set(file, path);
    const files = [...places].map(([file, path]) => {
      paths.push(path);
      return `${JSON.stringify(file)}: file${paths.length - 1}`;
    });
    const sizes = [...places].map(([file, path]) => `${JSON.stringify(file)}: ${Bun.file(path).size}`);
    const info = JSON.stringify(await measured(name, directory));
    entries.push(
      `${JSON.stringify(name)}: { files: { ${files.join(", ")} }, sizes: { ${sizes.join(", ")} }, info: ${info} }`,
    );
  }
  return `${fileImports(paths, join(root, "src/models"))}\nexport const embeddedModels = { ${entries.join(",\n")} };\n`;
}

/**
 * The vocabulary of a unigram model as the arrays that it is used in: a thread that opens the model has it in
 * milliseconds, and nothing of it as text.
 */
async function madePieces(places: ReadonlyMap<string, string>, directory: string): Promise<[string, string][]> {
  const json: unknown = await Bun.file(places.get(TOKENIZER_FILE) ?? "").json();
  const tokenizer = objectOf(json) ?? {};
  const pieces = unigramPieces(tokenizer);
  if (pieces === null) return [];
  mkdirSync(directory, { recursive: true });
  const bare = JSON.stringify({ ...tokenizer, model: { ...objectOf(tokenizer["model"]), vocab: [] } });
  const made: [string, string | Uint8Array][] = [
    [TOKENIZER_FILE, bare],
    [PIECES_FILE, piecesToBytes(pieces)],
  ];
  return made.map(([name, content]) => {
    const path = join(directory, name);
    writeFileSync(path, content);
    return [name, path];
  });
}

async function measured(id: string, directory: string): Promise<ModelInfo> {
  const model = await createLocalModel(loadOnnxRuntime(), directoryModelFiles(directory), {
    id,
    location: "bundled",
    threads: 1,
  });
  try {
    // The ranking is fitted to the table as it is.
    const unrelated =
      id === WORD_TABLE ? 0 : await measureUnrelated((texts, kind) => model.embed(texts, kind), model.info.dimensions);
    return { ...model.info, unrelatedCosine: unrelated ?? 0 };
  } finally {
    await model.dispose();
  }
}

/** Builds the console's page into `directory`, and names its files. */
async function consoleModule(directory: string, root: string): Promise<string> {
  rmSync(directory, { recursive: true, force: true });
  mkdirSync(directory, { recursive: true });
  const files = await bundleConsole();
  const paths = files.map(({ name, bytes }) => {
    const path = join(directory, name);
    writeFileSync(path, bytes);
    return path;
  });
  const entries = files.map(({ name }, i) => `${JSON.stringify(name)}: file${i}`);
  return `${fileImports(paths, join(root, "src/http/web-console"))}\nexport const embeddedConsole = { ${entries.join(", ")} };\n`;
}

/** Relative to `from`, the folder of the module: its text is in the source maps, which shall not depend on this checkout's. */
function fileImports(paths: string[], from: string): string {
  const relativePath = (path: string) => relative(from, path).split(sep).join("/");
  return paths
    .map((path, i) => `import file${i} from ${JSON.stringify(relativePath(path))} with { type: "file" };`)
    .join("\n");
}
