/** Reads small safetensors files: 8 bytes of header length (little-endian), a JSON header, the data. */

export interface LoadedTensor {
  shape: number[];
  values: Float32Array;
}

/** Tensors by name, as float32. Throws an Error that says what is wrong with the file. */
export function readSafetensors(bytes: Uint8Array): Map<string, LoadedTensor> {
  if (bytes.length < 8) throw new Error("the file is shorter than its header");
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const headerLength = Number(view.getBigUint64(0, true));
  const start = 8 + headerLength;
  if (start > bytes.length) throw new Error("the file is cut off within its header");
  const header: unknown = JSON.parse(new TextDecoder().decode(bytes.subarray(8, start)));
  if (typeof header !== "object" || header === null) throw new Error("the header is malformed");
  const tensors = new Map<string, LoadedTensor>();
  for (const [name, entry] of Object.entries(header)) {
    if (name !== "__metadata__") tensors.set(name, readTensor(name, entry, bytes, start));
  }
  return tensors;
}

function readTensor(name: string, entry: unknown, bytes: Uint8Array, start: number): LoadedTensor {
  const { dtype, shape, data_offsets } = Object(entry) as { dtype?: unknown; shape?: unknown; data_offsets?: unknown };
  if (!isNumbers(shape) || !isNumbers(data_offsets) || data_offsets.length !== 2) {
    throw new Error(`the header of tensor ${name} is malformed`);
  }
  const [from, to] = data_offsets as [number, number];
  if (start + to > bytes.length) throw new Error(`the file is cut off within tensor ${name}`);
  // A copy: the values must begin at an address that their type can be read from.
  const data = new Uint8Array(bytes.subarray(start + from, start + to));
  const values = toFloat32(name, dtype, data);
  const count = shape.reduce((a, b) => a * b, 1);
  if (values.length !== count) throw new Error(`tensor ${name} has ${values.length} values, its shape says ${count}`);
  return { shape, values };
}

function toFloat32(name: string, dtype: unknown, data: Uint8Array): Float32Array {
  switch (dtype) {
    case "F32":
      return new Float32Array(data.buffer);
    case "F64":
      return Float32Array.from(new Float64Array(data.buffer));
    case "F16":
      return Float32Array.from(new Float16Array(data.buffer));
    case "BF16": {
      const wide = Uint32Array.from(new Uint16Array(data.buffer), (half) => half << 16);
      return new Float32Array(wide.buffer);
    }
    default:
      throw new Error(`tensor ${name} is of type ${String(dtype)}; F32, F64, F16 and BF16 are read`);
  }
}

function isNumbers(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((x) => typeof x === "number" && Number.isInteger(x) && x >= 0);
}
