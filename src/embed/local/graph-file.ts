/** Which of a folder's ONNX graphs is run. */

/** How a model without a graph gets one. */
const WAY_TO_GRAPH = "`optimum-cli export onnx --model NAME DIR` makes one";

export interface GraphChoice {
  name: string;
  /** The graph and, where its weights lie beside it, those files. */
  files: string[];
}

/**
 * `model.onnx` unless a variant is asked for by name ("onnx/model_int8.onnx", "model_int8", "int8"); the only graph
 * there is otherwise. Notes a problem and gives null where that does not decide it.
 */
export function chooseGraph(
  names: readonly string[],
  root: string,
  variant: string | undefined,
  problems: string[],
): GraphChoice | null {
  const graphs = names.filter((name) => name.endsWith(".onnx"));
  if (graphs.length === 0) {
    problems.push(`there is no ONNX graph: onnx/model.onnx or model.onnx is expected; ${WAY_TO_GRAPH}`);
    return null;
  }
  const list = graphs.join(", ");
  let name: string | undefined;
  if (variant === undefined) {
    name = [`${root}onnx/model.onnx`, "onnx/model.onnx", `${root}model.onnx`, "model.onnx"].find((n) =>
      graphs.includes(n),
    );
    if (name === undefined && graphs.length === 1) name = graphs[0];
    if (name === undefined) problems.push(`several ONNX graphs and none is model.onnx; choose a variant of: ${list}`);
  } else {
    const matches = graphs.filter((graph) => isVariant(graph, variant));
    if (matches.length === 1) name = matches[0];
    else if (matches.length === 0) problems.push(`there is no ONNX graph for variant '${variant}'; there are: ${list}`);
    else problems.push(`variant '${variant}' fits several ONNX graphs: ${matches.join(", ")}`);
  }
  if (name === undefined) return null;
  return { name, files: graphWithWeights(names, name) };
}

/** Weights above 2 GB lie in files named after the graph: model.onnx_data, model.onnx.data, model.onnx_data_1, … */
export function graphWithWeights(names: readonly string[], graph: string): string[] {
  return names.filter((n) => n === graph || n.startsWith(`${graph}_data`) || n.startsWith(`${graph}.data`));
}

/** Whether a graph is the one that is called `variant`. */
export function isVariant(graph: string, variant: string): boolean {
  const stem = (graph.split("/").at(-1) ?? "").replace(/\.onnx$/, "");
  return graph === variant || stem === variant || `${stem}.onnx` === variant || stem === `model_${variant}`;
}
