import type { Dropped } from "./upload/dropped.ts";

/** What of a dropped folder is sent to the server as a model. */
export interface ModelFolder {
  /** The folder's own, as a first proposal for the model's. */
  name: string;
  files: readonly Dropped[];
  /** Graphs, of which one is sent, the likely one first. */
  graphs: readonly string[];
}

/** Weights of other runtimes: never read, and often larger than all the rest. */
const LEFT_OUT = /\.(bin|safetensors|h5|msgpack|pt|pth|ot|gguf|tflite)$/i;
/** Folder of a step after pooling, such as `2_Dense`: its weights are read. */
const IN_MODULE = /(^|\/)\d+_[^/]*\/[^/]+$/;
/** A graph, or the weights that lie beside one. */
const GRAPH_FILE = /^(.*\.onnx)([._]data.*)?$/;
const LIKELY = ["onnx/model.onnx", "model.onnx"];

export function modelFolder(dropped: readonly Dropped[]): ModelFolder {
  const first = dropped[0]?.path.split("/")[0] ?? "";
  const isFolder = dropped.length > 0 && dropped.every(({ path }) => path.startsWith(`${first}/`));
  const inside = isFolder ? dropped.map(({ file, path }) => ({ file, path: path.slice(first.length + 1) })) : dropped;
  const files = inside.filter(({ path }) => !LEFT_OUT.test(path) || IN_MODULE.test(path));
  const graphs = files.map(({ path }) => path).filter((path) => path.endsWith(".onnx"));
  const rank = (path: string) => (LIKELY.indexOf(path) + LIKELY.length + 1) % (LIKELY.length + 1);
  return {
    name: isFolder ? first : "",
    files,
    graphs: graphs.toSorted((a, b) => rank(a) - rank(b) || (a < b ? -1 : 1)),
  };
}

/** The files that go with one of the graphs. */
export function filesFor({ files }: ModelFolder, graph: string): Dropped[] {
  return files.filter(({ path }) => {
    const owner = GRAPH_FILE.exec(path)?.[1];
    return owner === undefined || owner === graph;
  });
}
