/**
 * A BERT-shaped encoder with random weights, as an ONNX graph, and the same computation in plain TypeScript: the sizes
 * of MiniLM give a model to measure speed with, small sizes one whose output can be checked.
 */
import { seededRandom } from "../../../test/helpers/random.ts";
import type { OnnxGraph, OnnxNode, OnnxTensor } from "./onnx-writer.ts";
import { writeOnnx } from "./onnx-writer.ts";

export interface TransformerShape {
  vocabulary: number;
  positions: number;
  tokenTypes: number;
  hidden: number;
  heads: number;
  layers: number;
  feedForward: number;
  seed: number;
}

export const MINILM_SHAPE: TransformerShape = {
  vocabulary: 30_522,
  positions: 512,
  tokenTypes: 2,
  hidden: 384,
  heads: 12,
  layers: 6,
  feedForward: 1536,
  seed: 1,
};

interface Matrix {
  rows: number;
  columns: number;
  values: Float32Array;
}

export interface Transformer {
  shape: TransformerShape;
  weights: Map<string, Matrix>;
}

const EPSILON = 1e-12;

export function randomTransformer(shape: TransformerShape): Transformer {
  const random = gaussian(shape.seed);
  const weights = new Map<string, Matrix>();
  const add = (name: string, rows: number, columns: number, scale: number, offset = 0): void => {
    const values = Float32Array.from({ length: rows * columns }, () => offset + scale * random());
    weights.set(name, { rows, columns, values });
  };
  const { hidden: h, feedForward: f } = shape;
  add("word", shape.vocabulary, h, 0.5);
  add("position", shape.positions, h, 0.3);
  add("type", shape.tokenTypes, h, 0.3);
  add("embed.scale", 1, h, 0.1, 1);
  add("embed.shift", 1, h, 0.1);
  for (let l = 0; l < shape.layers; l++) {
    for (const name of ["query", "key", "value", "attended"]) {
      add(`${l}.${name}`, h, h, 1 / Math.sqrt(h));
      add(`${l}.${name}.bias`, 1, h, 0.05);
    }
    add(`${l}.up`, h, f, 1 / Math.sqrt(h));
    add(`${l}.up.bias`, 1, f, 0.05);
    add(`${l}.down`, f, h, 1 / Math.sqrt(f));
    add(`${l}.down.bias`, 1, h, 0.05);
    for (const name of ["norm1", "norm2"]) {
      add(`${l}.${name}.scale`, 1, h, 0.1, 1);
      add(`${l}.${name}.shift`, 1, h, 0.1);
    }
  }
  return { shape, weights };
}

/** input_ids, attention_mask, token_type_ids -> last_hidden_state. */
export function transformerOnnx(model: Transformer): Uint8Array {
  return writeOnnx(transformerGraph(model));
}

export function transformerGraph(model: Transformer): OnnxGraph {
  const { shape } = model;
  const weights: OnnxTensor[] = [...model.weights].map(([name, m]) => ({
    name,
    type: "float32",
    shape: m.rows === 1 ? [m.columns] : [m.rows, m.columns],
    data: m.values,
  }));
  const integers = (name: string, values: number[]): void => {
    weights.push({ name, type: "int64", shape: [values.length], data: BigInt64Array.from(values, BigInt) });
  };
  const scalar = (name: string, value: number): void => {
    weights.push({ name, type: "float32", shape: [1], data: Float32Array.of(value) });
  };
  integers("c.zero", [0]);
  integers("c.one", [1]);
  integers("c.two", [2]);
  integers("c.mask", [1, 2]);
  integers("c.split", [0, 0, shape.heads, shape.hidden / shape.heads]);
  integers("c.join", [0, 0, shape.hidden]);
  scalar("c.unit", 1);
  scalar("c.masked", -10_000);
  scalar("c.scale", 1 / Math.sqrt(shape.hidden / shape.heads));
  scalar("c.half", 0.5);
  scalar("c.root", Math.SQRT2);

  const nodes: OnnxNode[] = [];
  const node = (op: string, inputs: string[], output: string, attributes?: OnnxNode["attributes"]): string => {
    nodes.push(
      attributes === undefined ? { op, inputs, outputs: [output] } : { op, inputs, outputs: [output], attributes },
    );
    return output;
  };
  const linear = (input: string, name: string, output: string): string =>
    node("Add", [node("MatMul", [input, name], `${output}.product`), `${name}.bias`], output);
  const norm = (input: string, name: string, output: string): string =>
    node("LayerNormalization", [input, `${name}.scale`, `${name}.shift`], output, {
      axis: -1,
      epsilon: { float: EPSILON },
    });

  node("Shape", ["input_ids"], "shape");
  node("Slice", ["shape", "c.one", "c.two", "c.zero"], "length");
  node("Slice", ["position", "c.zero", "length", "c.zero"], "positions");
  node("Gather", ["word", "input_ids"], "words", { axis: 0 });
  node("Gather", ["type", "token_type_ids"], "types", { axis: 0 });
  node("Add", ["words", "types"], "words_types");
  node("Add", ["words_types", "positions"], "summed");
  norm("summed", "embed", "layer_in.0");
  node("Cast", ["attention_mask"], "mask_float", { to: 1 });
  node("Unsqueeze", ["mask_float", "c.mask"], "mask4");
  node("Sub", ["c.unit", "mask4"], "mask_out");
  node("Mul", ["mask_out", "c.masked"], "mask_add");
  for (let l = 0; l < shape.layers; l++) {
    const x = `layer_in.${l}`;
    const heads = (name: string, permutation: number[]): string => {
      const split = node("Reshape", [linear(x, `${l}.${name}`, `l${l}.${name}`), "c.split"], `l${l}.${name}.split`);
      return node("Transpose", [split], `l${l}.${name}.heads`, { perm: permutation });
    };
    const scores = node("MatMul", [heads("query", [0, 2, 1, 3]), heads("key", [0, 2, 3, 1])], `l${l}.scores`);
    const scaled = node("Mul", [scores, "c.scale"], `l${l}.scaled`);
    const weighted = node("Softmax", [node("Add", [scaled, "mask_add"], `l${l}.masked`)], `l${l}.soft`, { axis: -1 });
    const mixed = node("MatMul", [weighted, heads("value", [0, 2, 1, 3])], `l${l}.mixed`);
    const joined = node(
      "Reshape",
      [node("Transpose", [mixed], `l${l}.back`, { perm: [0, 2, 1, 3] }), "c.join"],
      `l${l}.joined`,
    );
    const attended = node("Add", [linear(joined, `${l}.attended`, `l${l}.attended`), x], `l${l}.residual1`);
    const middle = norm(attended, `${l}.norm1`, `l${l}.middle`);
    const up = linear(middle, `${l}.up`, `l${l}.up`);
    const erf = node("Erf", [node("Div", [up, "c.root"], `l${l}.up.scaled`)], `l${l}.erf`);
    const gate = node("Mul", [up, node("Add", [erf, "c.unit"], `l${l}.erf1`)], `l${l}.gate`);
    const gelu = node("Mul", [gate, "c.half"], `l${l}.gelu`);
    const out = node("Add", [linear(gelu, `${l}.down`, `l${l}.down`), middle], `l${l}.residual2`);
    norm(out, `${l}.norm2`, l === shape.layers - 1 ? "last_hidden_state" : `layer_in.${l + 1}`);
  }
  const input = (name: string) => ({ name, type: "int64" as const, shape: ["batch", "sequence"] });
  return {
    nodes,
    weights,
    inputs: [input("input_ids"), input("attention_mask"), input("token_type_ids")],
    outputs: [{ name: "last_hidden_state", type: "float32", shape: ["batch", "sequence", shape.hidden] }],
  };
}

/** Token vectors of one sequence, computed without any library, in float64. */
export function transformerForward(model: Transformer, ids: number[], types: number[]): number[][] {
  const weight = (name: string): Matrix => {
    const found = model.weights.get(name);
    if (found === undefined) throw new Error(`no weight ${name}`);
    return found;
  };
  const row = (name: string, r: number): number[] => {
    const m = weight(name);
    return [...m.values.subarray(r * m.columns, (r + 1) * m.columns)];
  };
  const linear = (x: number[], name: string): number[] => {
    const m = weight(name);
    const out = row(`${name}.bias`, 0);
    for (let i = 0; i < m.rows; i++) {
      for (let o = 0; o < m.columns; o++) out[o] = n(out[o]) + n(x[i]) * n(m.values[i * m.columns + o]);
    }
    return out;
  };
  const norm = (x: number[], name: string): number[] => {
    const mean = x.reduce((a, b) => a + b, 0) / x.length;
    const variance = x.reduce((a, b) => a + (b - mean) ** 2, 0) / x.length;
    const [scale, shift] = [row(`${name}.scale`, 0), row(`${name}.shift`, 0)];
    return x.map((v, i) => ((v - mean) / Math.sqrt(variance + EPSILON)) * n(scale[i]) + n(shift[i]));
  };
  const { heads, layers, hidden } = model.shape;
  const size = hidden / heads;
  let xs = ids.map((id, t) => {
    const [word, position, type] = [row("word", id), row("position", t), row("type", n(types[t]))];
    return norm(
      word.map((v, i) => v + n(position[i]) + n(type[i])),
      "embed",
    );
  });
  for (let l = 0; l < layers; l++) {
    const [q, k, v] = ["query", "key", "value"].map((name) => xs.map((x) => linear(x, `${l}.${name}`)));
    const mixed = xs.map((_, t) => {
      const out = new Array<number>(hidden).fill(0);
      for (let head = 0; head < heads; head++) {
        const at = head * size;
        const scores = xs.map((_, s) => dot(q?.[t] ?? [], k?.[s] ?? [], at, size) / Math.sqrt(size));
        const top = Math.max(...scores);
        const exps = scores.map((score) => Math.exp(score - top));
        const sum = exps.reduce((a, b) => a + b, 0);
        exps.forEach((e, s) => {
          for (let d = at; d < at + size; d++) out[d] = n(out[d]) + (e / sum) * n(v?.[s]?.[d]);
        });
      }
      return out;
    });
    xs = xs.map((x, t) => {
      const attended = linear(mixed[t] ?? [], `${l}.attended`);
      const middle = norm(
        attended.map((a, i) => a + n(x[i])),
        `${l}.norm1`,
      );
      const gelu = linear(middle, `${l}.up`).map((u) => 0.5 * u * (1 + erf(u / Math.SQRT2)));
      const down = linear(gelu, `${l}.down`);
      return norm(
        down.map((d, i) => d + n(middle[i])),
        `${l}.norm2`,
      );
    });
  }
  return xs;
}

function dot(a: number[], b: number[], at: number, size: number): number {
  let sum = 0;
  for (let i = at; i < at + size; i++) sum += n(a[i]) * n(b[i]);
  return sum;
}

/** Error function by its power series; exact to double precision where it is used here (|x| < 6). */
function erf(x: number): number {
  if (Math.abs(x) > 5) return Math.sign(x);
  let sum = 0;
  let term = x;
  for (let i = 0; i < 120; i++) {
    sum += term / (2 * i + 1);
    term *= -(x * x) / (i + 1);
  }
  return (2 / Math.sqrt(Math.PI)) * sum;
}

/** Normally distributed numbers from a fixed seed. */
export function gaussian(seed: number): () => number {
  const uniform = seededRandom(seed);
  return () => Math.sqrt(-2 * Math.log(1 - uniform())) * Math.cos(2 * Math.PI * uniform());
}

function n(value: number | undefined): number {
  return value ?? 0;
}
