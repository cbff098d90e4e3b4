/** Graphs as exporters make them of the same transformer: other inputs, other outputs, other precisions. */
import type { OnnxGraph, OnnxNode, OnnxTensor } from "./onnx-writer.ts";

/** Without an input of token types: all are 0. */
export function withoutTypes(graph: OnnxGraph): OnnxGraph {
  const zeros = { op: "Mul", inputs: ["input_ids", "c.zero"], outputs: ["token_type_ids"] };
  return {
    ...graph,
    nodes: [zeros, ...graph.nodes],
    inputs: graph.inputs.filter(({ name }) => name !== "token_type_ids"),
  };
}

/** With positions as an input. */
export function withPositionIds(graph: OnnxGraph): OnnxGraph {
  const gather = {
    op: "Gather",
    inputs: ["position", "position_ids"],
    outputs: ["positions"],
    attributes: { axis: 0 },
  };
  return {
    ...graph,
    nodes: graph.nodes.map((node) => (node.outputs[0] === "positions" ? gather : node)),
    inputs: [...graph.inputs, { name: "position_ids", type: "int64", shape: ["batch", "sequence"] }],
  };
}

/** With an empty past of each layer, which the keys and values of the text come after. */
export function withPast(
  graph: OnnxGraph,
  { layers, heads, size }: { layers: number; heads: number; size: number },
): OnnxGraph {
  const nodes: OnnxNode[] = graph.nodes.map((node) => ({
    ...node,
    inputs: node.inputs.map((input) => input.replace(/^l(\d+)\.(key|value)\.heads$/, "present.$1.$2")),
  }));
  const inputs = [...graph.inputs];
  for (let l = 0; l < layers; l++) {
    const [key, value] = [`past_key_values.${l}.key`, `past_key_values.${l}.value`];
    for (const name of [key, value]) inputs.push({ name, type: "float32", shape: ["batch", heads, "past", size] });
    nodes.push(
      { op: "Transpose", inputs: [key], outputs: [`${key}.heads`], attributes: { perm: [0, 1, 3, 2] } },
      {
        op: "Concat",
        inputs: [`${key}.heads`, `l${l}.key.heads`],
        outputs: [`present.${l}.key`],
        attributes: { axis: 3 },
      },
      { op: "Concat", inputs: [value, `l${l}.value.heads`], outputs: [`present.${l}.value`], attributes: { axis: 2 } },
    );
  }
  return { ...graph, nodes, inputs };
}

/** Its token vectors under another name. */
export function withTokenOutput(graph: OnnxGraph, name: string): OnnxGraph {
  return {
    ...graph,
    nodes: [...graph.nodes, { op: "Identity", inputs: ["last_hidden_state"], outputs: [name] }],
    outputs: graph.outputs.map((output) => (output.name === "last_hidden_state" ? { ...output, name } : output)),
  };
}

/** With the vectors of whole texts beside those of tokens: of the first token, or of the mean of all. */
export function withSentenceOutput(graph: OnnxGraph, pooling: "cls" | "mean", hidden: number): OnnxGraph {
  const integers = (name: string, values: bigint[]): OnnxTensor => ({
    name,
    type: "int64",
    shape: [values.length],
    data: BigInt64Array.from(values),
  });
  const mean: OnnxNode[] = [
    { op: "Unsqueeze", inputs: ["mask_float", "s.last"], outputs: ["s.mask"] },
    { op: "Mul", inputs: ["last_hidden_state", "s.mask"], outputs: ["s.kept"] },
    { op: "ReduceSum", inputs: ["s.kept", "c.one"], outputs: ["s.sum"], attributes: { keepdims: 0 } },
    { op: "ReduceSum", inputs: ["s.mask", "c.one"], outputs: ["s.count"], attributes: { keepdims: 0 } },
    { op: "Div", inputs: ["s.sum", "s.count"], outputs: ["sentence_embedding"] },
  ];
  const first: OnnxNode[] = [
    { op: "Gather", inputs: ["last_hidden_state", "c.zero"], outputs: ["s.first"], attributes: { axis: 1 } },
    { op: "Reshape", inputs: ["s.first", "s.rows"], outputs: ["sentence_embedding"] },
  ];
  return {
    ...graph,
    nodes: [...graph.nodes, ...(pooling === "mean" ? mean : first)],
    weights: [...graph.weights, integers("s.last", [2n]), integers("s.rows", [-1n, BigInt(hidden)])],
    outputs: [...graph.outputs, { name: "sentence_embedding", type: "float32", shape: ["batch", hidden] }],
  };
}

/** Weights, sums and outputs of 16 bits. */
export function inHalf(graph: OnnxGraph): OnnxGraph {
  return {
    ...graph,
    nodes: graph.nodes.map((node) =>
      node.op === "Cast" && node.attributes?.["to"] === 1 ? { ...node, attributes: { to: 10 } } : node,
    ),
    weights: graph.weights.map((weight) => {
      if (weight.type !== "float32") return weight;
      const half = new Float16Array(weight.data as Float32Array);
      return { ...weight, type: "float16", data: new Uint8Array(half.buffer) };
    }),
    outputs: graph.outputs.map((output) => (output.type === "float32" ? { ...output, type: "float16" } : output)),
  };
}

/** Its products in 8 bits, as dynamic quantisation makes them: weights beforehand, values at every run. */
export function inInt8(graph: OnnxGraph): OnnxGraph {
  const nodes: OnnxNode[] = [];
  const weights = [...graph.weights];
  for (const node of graph.nodes) {
    const [input = "", name = ""] = node.inputs;
    const weight = graph.weights.find((one) => one.name === name && one.type === "float32" && one.shape.length === 2);
    if (node.op !== "MatMul" || weight === undefined) {
      nodes.push(node);
      continue;
    }
    const values = weight.data as Float32Array;
    const scale = values.reduce((most, value) => Math.max(most, Math.abs(value)), 0) / 127;
    const at = node.outputs[0] ?? "";
    const data = Int8Array.from(values, (value) => Math.round(value / scale));
    weights.push({ name: `${at}.weight`, type: "int8", shape: weight.shape, data });
    weights.push({ name: `${at}.weight_scale`, type: "float32", shape: [1], data: Float32Array.of(scale) });
    nodes.push(
      { op: "DynamicQuantizeLinear", inputs: [input], outputs: [`${at}.q`, `${at}.scale`, `${at}.zero`] },
      { op: "MatMulInteger", inputs: [`${at}.q`, `${at}.weight`, `${at}.zero`], outputs: [`${at}.sum`] },
      { op: "Cast", inputs: [`${at}.sum`], outputs: [`${at}.float`], attributes: { to: 1 } },
      { op: "Mul", inputs: [`${at}.scale`, `${at}.weight_scale`], outputs: [`${at}.both`] },
      { op: "Mul", inputs: [`${at}.float`, `${at}.both`], outputs: [at] },
    );
  }
  const used = new Set(nodes.flatMap(({ inputs }) => inputs));
  return { ...graph, nodes, weights: weights.filter(({ name }) => used.has(name)) };
}

/** A classifier of two labels: the second says what the one of one label says. */
export function withTwoLabels(graph: OnnxGraph): OnnxGraph {
  return {
    ...graph,
    nodes: [
      ...graph.nodes,
      { op: "Mul", inputs: ["logits", "c.half"], outputs: ["yes"] },
      { op: "Neg", inputs: ["yes"], outputs: ["no"] },
      { op: "Concat", inputs: ["no", "yes"], outputs: ["two"], attributes: { axis: 1 } },
    ],
    outputs: [{ name: "two", type: "float32", shape: ["batch", 2] }],
  };
}
