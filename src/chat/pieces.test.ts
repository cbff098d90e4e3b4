import { describe, expect, test } from "bun:test";
import { eventData, EVENT_BOUNDS, TooLongStream } from "./event-data.ts";
import { type ChatPiece, ChunkReader, OddChunk } from "./pieces.ts";
import { Thoughts } from "./thoughts.ts";

const delta = (tool_calls: object[]) => ({ choices: [{ index: 0, delta: { tool_calls } }] });
const call = (index: number, name: string | null, text: string, id?: string) => ({
  index,
  ...(id === undefined ? {} : { id }),
  function: { ...(name === null ? {} : { name }), arguments: text },
});
const callsOf = (...chunks: object[]) => {
  const reader = new ChunkReader();
  for (const chunk of chunks) for (const _ of reader.take(chunk));
  return reader.end.calls.map((one) => `${one.name}${one.arguments}`);
};

describe("calls", () => {
  test.each<[string, object[], string[]]>([
    ["in pieces", [call(0, "a", ""), call(0, null, '{"x"'), call(0, null, ":1}")], ['a{"x":1}']],
    ["side by side", [call(0, "a", ""), call(1, "b", ""), call(0, null, "{}"), call(1, null, "{}")], ["a{}", "b{}"]],
    ["of one index and several ids", [call(0, "a", "{}", "1"), call(0, "a", "{}", "2")], ["a{}", "a{}"]],
    ["of one index and one id", [call(0, "a", "{}", "1"), call(0, "b", "{}", "1")], ["a{}", "b{}"]],
    ["of one index without ids", [call(0, "a", '{"x":1}'), call(0, "a", '{"x":2}')], ['a{"x":1}', 'a{"x":2}']],
    ["with the name in every piece", [call(0, "a", '{"x"', "1"), call(0, "a", ":1}", "1")], ['a{"x":1}']],
    ["with the id later", [call(0, "a", ""), call(0, null, "{}", "1")], ["a{}"]],
  ])("%s are told apart", (_, calls, expected) => {
    expect(callsOf(...calls.map((one) => delta([one])))).toEqual(expected);
  });

  test("of one chunk, without an index, or with arguments as an object, are taken too", () => {
    const two = [{ function: { name: "a", arguments: { x: 1 } } }, { function: { name: "b", arguments: "{}" } }];
    expect(callsOf(delta(two))).toEqual(['a{"x":1}', "b{}"]);
  });

  test("are bounded", () => {
    const many = Array.from({ length: 200 }, (_, i) => call(i, "a", "{}"));
    expect(() => callsOf(delta(many))).toThrow(OddChunk);
    expect(() => callsOf(delta([call(0, "a", "x".repeat(5_000_000))]))).toThrow(OddChunk);
  });
});

test("usage and the end are what came last; other forms are no answer", () => {
  const reader = new ChunkReader();
  const usage = { prompt_tokens: 5, completion_tokens: 2, prompt_tokens_details: { cached_tokens: 3 } };
  for (const chunk of [
    { choices: [{ delta: {}, finish_reason: "length" }] },
    { choices: [], usage },
    { choices: null },
  ])
    for (const _ of reader.take(chunk));
  expect(reader.end).toEqual({
    finish: "length",
    calls: [],
    usage: { input: 5, output: 2, cached: 3, reasoning: null },
  });
  expect(() => [...reader.take([])]).toThrow(OddChunk);
});

test.each([1, 2, 7, 100])("thoughts are taken out of the text in pieces of %d", (size) => {
  const thoughts = new Thoughts();
  const text = "<think>Hm <b></think>\n\nA <b>word</b> < th<think>x</think>!";
  const pieces: ChatPiece[] = [];
  for (let at = 0; at < text.length; at += size) pieces.push(...thoughts.take(text.slice(at, at + size)));
  pieces.push(...thoughts.end());
  const of = (type: string) =>
    pieces
      .filter((piece) => piece.type === type)
      .map((piece) => piece.text)
      .join("");
  expect([of("text"), of("reasoning")]).toEqual(["A <b>word</b> < th!", "Hm <b>x"]);
});

describe("events", () => {
  const dataOf = async (text: string, size: number) => {
    const bytes = Buffer.from(text);
    // oxlint-disable-next-line typescript/require-await
    const pieces = (async function* () {
      for (let at = 0; at < bytes.length; at += size) yield new Uint8Array(bytes.subarray(at, at + size));
    })();
    return await Array.fromAsync(eventData(pieces));
  };

  test.each([1, 3, 1000])("come in pieces of %d bytes, with any line end", async (size) => {
    const text = ": hi\r\n\r\ndata: a 😀\r\n\r\nevent: x\ndata:b\ndata: c\n\n\n\ndata: last";
    expect(await dataOf(text, size)).toEqual(["a 😀", "b\nc", "last"]);
  });

  test("are bounded", async () => {
    expect(dataOf(`data: ${"x".repeat(EVENT_BOUNDS.event + 1)}`, 1 << 20)).rejects.toThrow(TooLongStream);
  });
});
