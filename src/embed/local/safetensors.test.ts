import { expect, test } from "bun:test";
import { readSafetensors } from "./safetensors.ts";

function file(header: unknown, data: Uint8Array = new Uint8Array()): Uint8Array {
  const json = new TextEncoder().encode(JSON.stringify(header));
  const length = new Uint8Array(new BigUint64Array([BigInt(json.length)]).buffer);
  return Buffer.concat([length, json, data]);
}

test("tensors come by name, whatever float they are kept as", () => {
  const data = new Uint8Array(Float32Array.of(1, -2).buffer);
  const tensor = { dtype: "F32", shape: [2], data_offsets: [0, 8] };
  const read = readSafetensors(file({ __metadata__: { format: "pt" }, weight: tensor }, data));
  expect([...read]).toEqual([["weight", { shape: [2], values: Float32Array.of(1, -2) }]]);
});

test.each<[header: unknown, problem: string]>([
  [null, "the header is malformed"],
  ["text", "the header is malformed"],
  [{ weight: null }, "the header of tensor weight is malformed"],
  [{ weight: 1 }, "the header of tensor weight is malformed"],
  [{ weight: { dtype: "F32", shape: [-1], data_offsets: [0, 4] } }, "the header of tensor weight is malformed"],
  [{ weight: { dtype: "F32", shape: [1], data_offsets: [0, 4] } }, "the file is cut off within tensor weight"],
])("a header of %j is refused with what is wrong", (header, problem) => {
  expect(() => readSafetensors(file(header))).toThrow(problem);
});
