/**
 * Writes small ONNX graphs, protobuf by hand: models for tests and benchmarks are made on the spot, of any size, with
 * random weights. Field numbers are those of onnx.proto3.
 */

export type ElementType = "float32" | "int64" | "int8" | "float16" | "bool";
const TYPE_CODES: Readonly<Record<ElementType, number>> = { float32: 1, int8: 3, int64: 7, bool: 9, float16: 10 };

export type Attribute = number | number[] | { float: number } | { graph: OnnxGraph };

export interface OnnxNode {
  op: string;
  inputs: string[];
  outputs: string[];
  attributes?: Record<string, Attribute>;
}

export interface OnnxTensor {
  name: string;
  type: ElementType;
  shape: number[];
  data: Float32Array | BigInt64Array | Int8Array | Uint8Array;
}

export interface OnnxValue {
  name: string;
  type: ElementType | "int32";
  shape: (number | string)[];
}

export interface OnnxGraph {
  nodes: OnnxNode[];
  weights: OnnxTensor[];
  inputs: OnnxValue[];
  outputs: OnnxValue[];
}

/** The bytes of an ONNX model file, operator set 17. */
export function writeOnnx(graph: OnnxGraph): Uint8Array {
  return modelBytes(graphBytes(graph));
}

/** The same with its weights in a file beside it, of the name `location`. */
export function writeExternalOnnx(graph: OnnxGraph, location: string): { model: Uint8Array; data: Uint8Array } {
  const outside: Outside = { location, parts: [], length: 0 };
  const model = modelBytes(graphBytes(graph, outside));
  return { model, data: Buffer.concat(outside.parts) };
}

interface Outside {
  location: string;
  parts: Uint8Array[];
  length: number;
}

function modelBytes(graph: Uint8Array): Uint8Array {
  return Buffer.concat([integer(1, 8), bytes(7, graph), bytes(8, integer(2, 17))]);
}

function graphBytes(graph: OnnxGraph, outside?: Outside): Uint8Array {
  return Buffer.concat([
    ...graph.nodes.map((node) => bytes(1, nodeBytes(node))),
    bytes(2, text("test")),
    ...graph.weights.map((tensor) => bytes(5, tensorBytes(tensor, outside))),
    ...graph.inputs.map((value) => bytes(11, valueBytes(value))),
    ...graph.outputs.map((value) => bytes(12, valueBytes(value))),
  ]);
}

function nodeBytes(node: OnnxNode): Uint8Array {
  const attributes = Object.entries(node.attributes ?? {}).map(([name, value]) => {
    if (typeof value === "number")
      return bytes(5, Buffer.concat([bytes(1, text(name)), integer(3, value), integer(20, 2)]));
    if (Array.isArray(value)) {
      const list = value.map((v) => integer(8, v));
      return bytes(5, Buffer.concat([bytes(1, text(name)), ...list, integer(20, 7)]));
    }
    if ("graph" in value)
      return bytes(5, Buffer.concat([bytes(1, text(name)), bytes(6, graphBytes(value.graph)), integer(20, 5)]));
    const float = Buffer.alloc(4);
    float.writeFloatLE(value.float);
    return bytes(5, Buffer.concat([bytes(1, text(name)), varint((2 << 3) | 5), float, integer(20, 1)]));
  });
  return Buffer.concat([
    ...node.inputs.map((name) => bytes(1, text(name))),
    ...node.outputs.map((name) => bytes(2, text(name))),
    bytes(3, text(node.outputs[0] ?? node.op)),
    bytes(4, text(node.op)),
    ...attributes,
  ]);
}

function tensorBytes(tensor: OnnxTensor, outside?: Outside): Uint8Array {
  const data = new Uint8Array(tensor.data.buffer, tensor.data.byteOffset, tensor.data.byteLength);
  return Buffer.concat([
    ...tensor.shape.map((size) => integer(1, size)),
    integer(2, TYPE_CODES[tensor.type]),
    bytes(8, text(tensor.name)),
    // Sizes of slices and shapes have to be known while the graph is read.
    ...(outside === undefined || tensor.type === "int64" ? [bytes(9, data)] : outsideBytes(data, outside)),
  ]);
}

function outsideBytes(data: Uint8Array, outside: Outside): Uint8Array[] {
  const entries = Object.entries({ location: outside.location, offset: outside.length, length: data.length });
  outside.parts.push(data);
  outside.length += data.length;
  const fields = entries.map(([key, value]) =>
    bytes(13, Buffer.concat([bytes(1, text(key)), bytes(2, text(String(value)))])),
  );
  return [...fields, integer(14, 1)];
}

function valueBytes(value: OnnxValue): Uint8Array {
  const sizes = value.shape.map((s) => bytes(1, typeof s === "number" ? integer(1, s) : bytes(2, text(s))));
  const code = value.type === "int32" ? 6 : TYPE_CODES[value.type];
  const tensorType = Buffer.concat([integer(1, code), bytes(2, Buffer.concat(sizes))]);
  return Buffer.concat([bytes(1, text(value.name)), bytes(2, bytes(1, tensorType))]);
}

function varint(value: number): Uint8Array {
  // Negative numbers (axis -1) are ten bytes of two's complement.
  let rest = value < 0 ? (1n << 64n) + BigInt(value) : BigInt(value);
  const out: number[] = [];
  while (rest > 127n) {
    out.push(Number(rest & 127n) | 128);
    rest >>= 7n;
  }
  out.push(Number(rest));
  return Uint8Array.from(out);
}

function integer(field: number, value: number): Uint8Array {
  return Buffer.concat([varint(field << 3), varint(value)]);
}

function bytes(field: number, content: Uint8Array): Uint8Array {
  return Buffer.concat([varint((field << 3) | 2), varint(content.length), content]);
}

function text(value: string): Uint8Array {
  return new TextEncoder().encode(value);
}
