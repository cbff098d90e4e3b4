import { expect, test } from "bun:test";
import { Type } from "@sinclair/typebox";
import { type Line, LineError, lineParam, readLines } from "./lines.ts";
import { compileValidator } from "./validate.ts";

const LINE = Type.Object({ n: Type.Integer() }, { additionalProperties: false });
const OPTIONS = {
  limit: { kind: "lines", bytes: 64, nodes: 10, items: 10 } as const,
  validator: compileValidator(LINE),
  foreignKeys: ["id"],
};

/** A body of these pieces, as they come. */
function requestOf(pieces: readonly (string | Uint8Array)[], end?: Error): Request {
  let next = 0;
  const body = new ReadableStream<Uint8Array>({
    pull(controller) {
      const piece = pieces[next++];
      if (piece !== undefined) return controller.enqueue(typeof piece === "string" ? Buffer.from(piece) : piece);
      if (end === undefined) controller.close();
      else controller.error(end);
    },
  });
  return new Request("http://x", { method: "POST", body, duplex: "half" } as RequestInit);
}

async function read(request: Request, pace = { windowMs: 1000, minBytes: 1 }) {
  const lines: Line<unknown>[] = [];
  try {
    for await (const line of readLines(request, { ...OPTIONS, pace })) lines.push(line);
    return { lines, error: null };
  } catch (error) {
    return { lines, error: error as LineError };
  }
}

test("lines are whole however the body is cut, with empty ones passed over", async () => {
  const text = '{"n":1}\n\r\n{"n": 2, "id":"x"}\r\n  \n{"n":3}';
  const expected = [1, 3, 5].map((number, i) => [number, { n: i + 1 }]);
  for (let size = 1; size <= text.length; size++) {
    const pieces = Array.from({ length: Math.ceil(text.length / size) }, (_, i) =>
      text.slice(i * size, (i + 1) * size),
    );
    const { lines, error } = await read(requestOf(pieces));
    expect([lines.map(({ number, value }) => [number, value]), error]).toEqual([expected, null]);
  }
  expect(await read(requestOf([]))).toEqual({ lines: [], error: null });
});

test.each<[line: string, code: string, param: string, message: string]>([
  ["{", "invalid_json", "lines[2]", "Invalid 'lines[2]': it is not valid JSON."],
  ['{"n":"1"}', "invalid_type", "lines[2].n", "Invalid type for 'lines[2].n'"],
  ["[1]", "invalid_type", "lines[2]", "Invalid 'lines[2]': "],
  ['{"n":1,"m":2}', "unknown_parameter", "lines[2].m", "Unknown parameter: 'lines[2].m'."],
  ["{}", "missing_required_parameter", "lines[2].n", "'lines[2].n'"],
  [`{"n":1${" ".repeat(64)}}`, "payload_too_large", "lines[2]", "At most 64 bytes are accepted in one line."],
  [`{"n":[${"1,".repeat(20)}1]}`, "payload_too_large", "lines[2]", "at most 10 values are accepted"],
])("a line of %j is named with what is wrong, and those before it came", async (line, code, param, message) => {
  for (const rest of ["\n", `\n{"n":3}\n`]) {
    const { lines, error } = await read(requestOf([`{"n":1}\n${line}${rest}`]));
    expect(lines.map(({ value }) => value)).toEqual([{ n: 1 }]);
    expect(error).toBeInstanceOf(LineError);
    expect([error?.code, error?.param ?? null]).toEqual([code, param] as [typeof code & LineError["code"], string]);
    expect(error?.message).toContain(message);
  }
});

test("a body that breaks off is not the fault of a line, and what it had begun is not one", async () => {
  const { lines, error } = await read(requestOf(['{"n":1}\n{"n":', ""], new Error("reset")));
  expect(lines.map(({ value }) => value)).toEqual([{ n: 1 }]);
  expect([error instanceof LineError, error?.code]).toEqual([false, "invalid_value"]);
});

test("who sends next to nothing is not waited for", async () => {
  const never = new ReadableStream<Uint8Array>({
    start: (controller) => controller.enqueue(Buffer.from('{"n":1}\n')),
    pull: () => new Promise(() => {}),
  });
  const request = new Request("http://x", { method: "POST", body: never, duplex: "half" } as RequestInit);
  const { lines, error } = await read(request, { windowMs: 20, minBytes: 1000 });
  expect([lines.length, error?.code]).toEqual([1, "request_timeout"]);
});

test("no more is read than is asked for", async () => {
  let made = 0;
  const body = new ReadableStream<Uint8Array>(
    {
      pull(controller) {
        controller.enqueue(Buffer.from(`{"n":${made++}}\n`));
      },
    },
    { highWaterMark: 0 },
  );
  const request = new Request("http://x", { method: "POST", body, duplex: "half" } as RequestInit);
  for await (const { number } of readLines(request, OPTIONS)) if (number === 5) break;
  expect(made).toBeLessThan(10);
});

test("parameters of a line", () => {
  expect([lineParam(3, null), lineParam(3, "a[0].b")]).toEqual(["lines[3]", "lines[3].a[0].b"]);
});
