/** Which of a hub's files make the model here, and which of its graphs is run. */
import { graphWithWeights, isVariant } from "../../embed/local/graph-file.ts";

export type NeededFiles =
  | { ok: true; files: string[]; graph: string; /** Graphs that `--variant` can choose instead. */ others: string[] }
  | { ok: false; problems: string[] };

/** Settings of the transformer and of the steps after it, wherever sentence-transformers keeps them. */
const SETTINGS =
  /^(?:\d+_[A-Za-z]+\/)?(?:config|tokenizer|tokenizer_config|special_tokens_map|sentence_bert_config)\.json$/;
const GENERAL = new Set(["modules.json", "config_sentence_transformers.json"]);
/** Weights of a projection after pooling; those of the transformer itself are in the graph. */
const STEP_WEIGHTS = /^\d+_(?!Transformer\/)[A-Za-z]+\/model\.safetensors$/;
const FOR_PEOPLE = /^(?:README|LICEN[CS]E|NOTICE)(?:[._-][A-Za-z0-9._-]*)?$/i;
const GRAPH = /^(?:\d+_Transformer\/)?(?:onnx\/)?[^/]+\.onnx$/;

export type Architecture = "x64" | "arm64";

export function neededFiles(
  names: readonly string[],
  { variant, architecture }: { variant: string | undefined; architecture: Architecture },
): NeededFiles {
  const problems: string[] = [];
  if (!names.some((name) => /^(?:\d+_Transformer\/)?tokenizer\.json$/.test(name)))
    problems.push(
      'there is no tokenizer.json: whoever has the model saves it with AutoTokenizer.from_pretrained(…).save_pretrained("DIR")',
    );
  const graphs = names.filter((name) => GRAPH.test(name));
  const graph = variant === undefined ? preferredGraph(graphs, architecture) : chosenGraph(graphs, variant, problems);
  if (graphs.length === 0)
    problems.push(
      "there is no ONNX graph: look for an export of the model at the hub (such as those of onnx-community), or make one with `optimum-cli export onnx --model NAME DIR` and add it with `lectern models add DIR`",
    );
  if (problems.length > 0 || graph === null) return { ok: false, problems };
  const settings = names.filter(
    (name) => GENERAL.has(name) || SETTINGS.test(name) || STEP_WEIGHTS.test(name) || FOR_PEOPLE.test(name),
  );
  return {
    ok: true,
    files: [...settings, ...graphWithWeights(names, graph)].sort(),
    graph,
    others: graphs.filter((name) => name !== graph),
  };
}

function chosenGraph(graphs: readonly string[], variant: string, problems: string[]): string | null {
  const fitting = graphs.filter((graph) => isVariant(graph, variant));
  const [only] = fitting;
  if (only !== undefined && fitting.length === 1) return only;
  if (graphs.length === 0) return null;
  problems.push(
    fitting.length === 0
      ? `there is no ONNX graph for variant '${variant}'; there are: ${graphs.join(", ")}`
      : `variant '${variant}' fits several ONNX graphs: ${fitting.join(", ")}`,
  );
  return null;
}

/**
 * The graph in full precision where there is one. Graphs in 8 bits are faster, but most scale the values of all texts of a
 * run together, so that a text's vector depends on its neighbours, and a few models lose much; so they are somebody's
 * choice. Those in 16 bits are for other hardware: here they are computed in 32 after all.
 */
function preferredGraph(graphs: readonly string[], architecture: Architecture): string | null {
  const ranked = graphs
    .map((name) => ({ name, rank: rankOf(name.slice(name.lastIndexOf("/") + 1, -".onnx".length), architecture) }))
    .sort((a, b) => a.rank - b.rank || places(b.name) - places(a.name) || (a.name < b.name ? -1 : 1));
  return ranked[0]?.name ?? null;
}

function places(name: string): number {
  return name.split("/").length;
}

function rankOf(stem: string, architecture: Architecture): number {
  if (stem === "model") return 0;
  if (/_O[123]$/.test(stem)) return 1;
  if (/(?:^|_)(?:fp16|O4)$/.test(stem)) return 6;
  // Four bits, and what is made for one kind of processor.
  if (/q4|bnb4|q2/.test(stem)) return 7;
  if (/arm64/.test(stem)) return architecture === "arm64" ? 3 : 8;
  if (stem.endsWith("avx2")) return architecture === "x64" ? 3 : 8;
  if (/avx512/.test(stem)) return architecture === "x64" ? 5 : 8;
  return /int8|uint8|quantized/.test(stem) ? 4 : 2;
}
