/**
 * The inner loop of the exact scan: dot products of one 16-bit query with many 8-bit vectors, four vectors at a time
 * so that each piece of the query is loaded once for four.
 *
 * Eight bytes are widened to 16 bits while they are loaded, multiplied with eight query values and added in pairs
 * into 32 bits; four accumulators are transposed and added at the end, turned into float and multiplied by each
 * vector's own scale. No sum can overflow while |vector| <= 127 and |query| * 127 * dimensions < 2^31.
 */
import * as wasm from "./wasm-module.ts";

/** Bytes a vector is padded to: one turn of the loop. */
export const STRIDE_UNIT = 32;

export type ScanKernel = {
  /**
   * out[i] = dot(vectors[i], query) * scales[i] * factor for i < count. All addresses are bytes, 16-byte aligned;
   * count is a multiple of 4, stride of 32; `queryEnd` is the address behind the query's `stride` 16-bit values.
   */
  scan(
    vectors: number,
    scales: number,
    count: number,
    stride: number,
    query: number,
    queryEnd: number,
    out: number,
    factor: number,
  ): void;
  /** The same for the vectors whose numbers are listed at `list`; count is a multiple of 4. */
  gather(
    vectors: number,
    scales: number,
    count: number,
    stride: number,
    query: number,
    queryEnd: number,
    out: number,
    factor: number,
    list: number,
  ): void;
};

let compiled: WebAssembly.Module | undefined;

/** A kernel over one memory; the code is compiled once per thread. */
export function createScanKernel(memory: WebAssembly.Memory): ScanKernel {
  compiled ??= new WebAssembly.Module(scanModuleBytes());
  return new WebAssembly.Instance(compiled, { env: { memory } }).exports as unknown as ScanKernel;
}

export function scanModuleBytes(): Uint8Array<ArrayBuffer> {
  return wasm.assembleModule([scanFunction(), gatherFunction()]);
}

/** Parameters of both functions, by local index. */
const VECTORS = 0;
const SCALES = 1;
const COUNT = 2;
const STRIDE = 3;
const QUERY = 4;
const QUERY_END = 5;
const OUT = 6;
const FACTOR = 7;
const PARAMS = ["i32", "i32", "i32", "i32", "i32", "i32", "i32", "f32"] as const;

/** Locals shared by both, given the index of the first. */
type Rows = { readonly q: number; readonly pointers: number[]; readonly sums: number[]; readonly left: number };
const ROW_LOCALS = ["i32", "i32", "i32", "i32", "i32", "i32", "v128", "v128", "v128", "v128", "v128"] as const;

function rowsAt(first: number): Rows & { readonly piece: number } {
  return {
    q: first,
    left: first + 1,
    pointers: [first + 2, first + 3, first + 4, first + 5],
    sums: [first + 6, first + 7, first + 8, first + 9],
    piece: first + 10,
  };
}

function scanFunction(): wasm.WasmFunction {
  const rows = rowsAt(8);
  const [first, second, third, fourth] = rows.pointers as [number, number, number, number];
  const advance = (from: number, to: number): wasm.Code[] => [
    wasm.get(from),
    wasm.get(STRIDE),
    wasm.i32Add,
    wasm.set(to),
  ];
  return {
    name: "scan",
    params: PARAMS,
    locals: ROW_LOCALS,
    body: eachFour(rows.left, [
      [...wasm.get(VECTORS), ...wasm.set(first)],
      ...advance(first, second),
      ...advance(second, third),
      ...advance(third, fourth),
      ...dotFourRows(rows),
      // The loop left the last pointer behind its row: at the next group.
      [...wasm.get(fourth), ...wasm.set(VECTORS)],
      [...wasm.get(OUT)],
      ...addSums(rows),
      [...wasm.get(SCALES), ...wasm.v128Load(0), ...wasm.f32x4Mul],
      ...finishGroup(),
      bump(SCALES, 16),
    ]),
  };
}

function gatherFunction(): wasm.WasmFunction {
  const LIST = 8;
  const rows = rowsAt(9);
  const slot = (i: number): wasm.Code => [...wasm.get(LIST), ...wasm.i32Load(i * 4)];
  const scale = (i: number): wasm.Code => [
    ...wasm.get(SCALES),
    ...slot(i),
    ...wasm.i32Const(2),
    ...wasm.i32Shl,
    ...wasm.i32Add,
  ];
  return {
    name: "gather",
    params: [...PARAMS, "i32"],
    locals: ROW_LOCALS,
    body: eachFour(rows.left, [
      ...rows.pointers.map((pointer, i) => [
        ...slot(i),
        ...wasm.get(STRIDE),
        ...wasm.i32Mul,
        ...wasm.get(VECTORS),
        ...wasm.i32Add,
        ...wasm.set(pointer),
      ]),
      ...dotFourRows(rows),
      [...wasm.get(OUT)],
      ...addSums(rows),
      [...scale(0), ...wasm.v128Load32Zero(0), ...wasm.set(rows.piece)],
      ...[1, 2, 3].map((i) => [
        ...scale(i),
        ...wasm.get(rows.piece),
        ...wasm.v128Load32Lane(0, i),
        ...wasm.set(rows.piece),
      ]),
      [...wasm.get(rows.piece), ...wasm.f32x4Mul],
      ...finishGroup(),
      bump(LIST, 16),
    ]),
  };
}

/** Runs the body for every four of COUNT. */
function eachFour(left: number, body: wasm.Code[]): wasm.Code[] {
  return [
    [...wasm.get(COUNT), ...wasm.set(left)],
    wasm.unless(
      [wasm.get(left), wasm.i32Const(4), wasm.i32LessUnsigned],
      wasm.doWhile(...body, [
        ...wasm.get(left),
        ...wasm.i32Const(-4),
        ...wasm.i32Add,
        ...wasm.tee(left),
        ...wasm.i32Const(4),
        ...wasm.i32GreaterOrEqualUnsigned,
      ]),
    ),
  ];
}

/** Leaves four times four partial sums in `sums` and each pointer behind its row. */
function dotFourRows(rows: Rows & { readonly piece: number }): wasm.Code[] {
  const pieces = [0, 8, 16, 24].flatMap((at) => [
    [...wasm.get(rows.q), ...wasm.v128Load(at * 2), ...wasm.set(rows.piece)],
    ...rows.pointers.map((pointer, i) => [
      ...wasm.get(pointer),
      ...wasm.v128Load8x8Signed(at),
      ...wasm.get(rows.piece),
      ...wasm.i32x4DotI16x8Signed,
      ...wasm.get(rows.sums[i]!),
      ...wasm.i32x4Add,
      ...wasm.set(rows.sums[i]!),
    ]),
  ]);
  return [
    ...rows.sums.map((sum) => [...wasm.v128Zero, ...wasm.set(sum)]),
    [...wasm.get(QUERY), ...wasm.set(rows.q)],
    wasm.doWhile(
      ...pieces,
      ...rows.pointers.map((pointer) => bump(pointer, STRIDE_UNIT)),
      [...wasm.get(rows.q), ...wasm.i32Const(STRIDE_UNIT * 2), ...wasm.i32Add, ...wasm.tee(rows.q)],
      [...wasm.get(QUERY_END), ...wasm.i32LessUnsigned],
    ),
  ];
}

/** Adds the four lanes of each of four sums: leaves four floats, one per row, on the stack. */
function addSums(rows: Rows): wasm.Code[] {
  const [a, b, c, d] = rows.sums.map((sum) => wasm.get(sum)) as [wasm.Code, wasm.Code, wasm.Code, wasm.Code];
  const words = (...lanes: number[]): number[] => lanes.flatMap((lane) => [0, 1, 2, 3].map((byte) => lane * 4 + byte));
  const pairSums = (x: wasm.Code, y: wasm.Code): wasm.Code => [
    ...[...x, ...y, ...wasm.i8x16Shuffle(words(0, 4, 1, 5))],
    ...[...x, ...y, ...wasm.i8x16Shuffle(words(2, 6, 3, 7))],
    ...wasm.i32x4Add,
  ];
  const [ab, cd] = [rows.sums[0]!, rows.sums[1]!];
  return [
    // Both pairs are computed before either overwrites a sum.
    [...pairSums(a, b), ...pairSums(c, d), ...wasm.set(cd), ...wasm.set(ab)],
    [...wasm.get(ab), ...wasm.get(cd), ...wasm.i8x16Shuffle(words(0, 1, 4, 5))],
    [...wasm.get(ab), ...wasm.get(cd), ...wasm.i8x16Shuffle(words(2, 3, 6, 7))],
    [...wasm.i32x4Add, ...wasm.f32x4ConvertI32x4Signed],
  ];
}

/** With the address of the output and four floats on the stack: scales by the query's factor, stores, moves on. */
function finishGroup(): wasm.Code[] {
  return [[...wasm.get(FACTOR), ...wasm.f32x4Splat, ...wasm.f32x4Mul, ...wasm.v128Store(0)], bump(OUT, 16)];
}

function bump(local: number, by: number): wasm.Code {
  return [...wasm.get(local), ...wasm.i32Const(by), ...wasm.i32Add, ...wasm.set(local)];
}
