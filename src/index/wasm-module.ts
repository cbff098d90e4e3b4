/**
 * Just enough of a WebAssembly assembler to write a kernel in TypeScript: instructions are byte lists, a module is
 * functions over one imported memory `env.memory`. Nothing is read from disk, so it works in workers and in the
 * compiled binary alike. Opcodes: WebAssembly core specification 2.0, section 5.4 (binary format of instructions).
 */
export type Code = readonly number[];
export type ValueType = "i32" | "f32" | "v128";
export type WasmFunction = {
  readonly name: string;
  readonly params: readonly ValueType[];
  /** Locals after the parameters; all indices count parameters first. */
  readonly locals: readonly ValueType[];
  readonly body: readonly Code[];
};

const TYPE_BYTES: Readonly<Record<ValueType, number>> = { i32: 0x7f, f32: 0x7d, v128: 0x7b };

/** The binary module; every function is exported and returns nothing. */
export function assembleModule(functions: readonly WasmFunction[]): Uint8Array<ArrayBuffer> {
  const types = functions.map((f) => [0x60, ...vector(f.params.map((p) => [TYPE_BYTES[p]])), 0]);
  const memoryImport = [...text("env"), ...text("memory"), 0x02, 0x00, ...unsigned(1)];
  const exports = functions.map((f, i) => [...text(f.name), 0x00, ...unsigned(i)]);
  const bodies = functions.map((f) => {
    const locals = vector(f.locals.map((local) => [1, TYPE_BYTES[local]]));
    const code = [...locals, ...f.body.flat(), END];
    return [...unsigned(code.length), ...code];
  });
  return Uint8Array.from([
    ...[0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00],
    ...section(1, types),
    ...section(2, [memoryImport]),
    ...section(
      3,
      functions.map((_, i) => unsigned(i)),
    ),
    ...section(7, exports),
    ...section(10, bodies),
  ]);
}

const END = 0x0b;
const BLOCK = 0x02;
const LOOP = 0x03;
const NO_RESULT = 0x40;

export const get = (local: number): Code => [0x20, ...unsigned(local)];
export const set = (local: number): Code => [0x21, ...unsigned(local)];
export const tee = (local: number): Code => [0x22, ...unsigned(local)];
export const i32Const = (value: number): Code => [0x41, ...signed(value)];
export const i32Load = (offset: number): Code => [0x28, 2, ...unsigned(offset)];
export const i32Add: Code = [0x6a];
export const i32Mul: Code = [0x6c];
export const i32Shl: Code = [0x74];
export const i32LessUnsigned: Code = [0x49];
export const i32GreaterOrEqualUnsigned: Code = [0x4f];

/** Runs the body again while the condition it leaves on the stack is not zero. */
export const doWhile = (...body: Code[]): Code => [LOOP, NO_RESULT, ...body.flat(), 0x0d, 0x00, END];
/** Skips the body when the condition is not zero. */
export const unless = (condition: readonly Code[], ...body: Code[]): Code => [
  ...[BLOCK, NO_RESULT],
  ...condition.flat(),
  ...[0x0d, 0x00],
  ...body.flat(),
  END,
];

const simd = (opcode: number, ...immediates: number[]): Code => [0xfd, ...unsigned(opcode), ...immediates];
export const v128Load = (offset: number): Code => simd(0x00, 4, ...unsigned(offset));
/** Eight signed bytes, widened to 16 bits each. */
export const v128Load8x8Signed = (offset: number): Code => simd(0x01, 3, ...unsigned(offset));
export const v128Load32Zero = (offset: number): Code => simd(0x5c, 2, ...unsigned(offset));
export const v128Load32Lane = (offset: number, lane: number): Code => simd(0x56, 2, ...unsigned(offset), lane);
export const v128Store = (offset: number): Code => simd(0x0b, 4, ...unsigned(offset));
export const v128Zero: Code = simd(0x0c, ...Array.from({ length: 16 }, () => 0));
export const i8x16Shuffle = (lanes: readonly number[]): Code => simd(0x0d, ...lanes);
export const f32x4Splat: Code = simd(0x13);
export const i32x4Add: Code = simd(0xae);
/** Multiplies 16-bit lanes pairwise and adds neighbours into 32 bits. */
export const i32x4DotI16x8Signed: Code = simd(0xba);
export const f32x4ConvertI32x4Signed: Code = simd(0xfa);
export const f32x4Mul: Code = simd(0xe6);

function section(id: number, items: readonly Code[]): Code {
  const content = vector(items);
  return [id, ...unsigned(content.length), ...content];
}

function vector(items: readonly Code[]): Code {
  return [...unsigned(items.length), ...items.flat()];
}

function text(value: string): Code {
  return vector([...new TextEncoder().encode(value)].map((byte) => [byte]));
}

/** LEB128 */
function unsigned(value: number): number[] {
  const bytes: number[] = [];
  let rest = value;
  do {
    const low = rest & 0x7f;
    rest >>>= 7;
    bytes.push(rest === 0 ? low : low | 0x80);
  } while (rest !== 0);
  return bytes;
}

function signed(value: number): number[] {
  const bytes: number[] = [];
  let rest = value;
  for (;;) {
    const low = rest & 0x7f;
    rest >>= 7;
    const done = (rest === 0 && (low & 0x40) === 0) || (rest === -1 && (low & 0x40) !== 0);
    bytes.push(done ? low : low | 0x80);
    if (done) return bytes;
  }
}
