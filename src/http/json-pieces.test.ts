import { describe, expect, test } from "bun:test";
import { seededRandom } from "../../test/helpers/random.ts";
import type { SeededRandom } from "../../test/helpers/random.ts";
import { AppError } from "../errors.ts";
import { jsonLimit } from "./body-limit.ts";
import { parseJson } from "./json-pieces.ts";

const NO_LIMIT = jsonLimit(Infinity, Infinity);
const encode = (text: string) => new TextEncoder().encode(text);
const read = (text: string, pieceBytes = 1) => parseJson(encode(text), NO_LIMIT, pieceBytes);
const refusal = (promise: Promise<unknown>) =>
  promise.then(
    () => null,
    (error: unknown) => (error instanceof AppError ? error.code : error),
  );

const STRINGS = ["", "a", 'q"uote', "back\\slash\\", "[{,:}]", "é\u2028漢😀", "__proto__", "1", "x".repeat(100), '\\"'];

function value(random: SeededRandom, depth: number): unknown {
  const kind = random.below(depth > 5 ? 5 : 8);
  if (kind === 0) return random.pick(STRINGS);
  if (kind === 1) return random.pick([0, -1, 1e21, -0.5, 1.5e-9]);
  if (kind === 2) return random.pick([true, false, null]);
  if (kind < 6) return Array.from({ length: random.below(5) }, () => value(random, depth + 1));
  const entries = Array.from({ length: random.below(5) }, () => [random.pick(STRINGS), value(random, depth + 1)]);
  return Object.fromEntries(entries);
}

describe("JSON that is cut into pieces", () => {
  test("becomes what it becomes whole, wherever it is cut", async () => {
    const random = seededRandom(7);
    for (let i = 0; i < 400; i++) {
      const text = JSON.stringify([value(random, 0), value(random, 0)], null, random.below(2) * 2);
      for (const pieceBytes of [1, 7, 40]) expect(await read(text, pieceBytes)).toEqual(JSON.parse(text));
    }
  });

  test.each([
    ["a name twice", '{"a":[1,2],"b":1,"a":[3,4,5]}'],
    ["a name twice, the first one cut", '{"a":{"x":1,"y":2},"a":3,"c":4}'],
    ["names that are numbers", '{"b":[1,{"2":[1,2],"1":[3,4]}],"0":[5,6],"a":7}'],
    ["a name that is escaped", '{"\\u0061\\"":[1,2,3],"c":[4,5]}'],
    ["an own __proto__", '{"x":1,"__proto__":{"y":1,"z":[1,2]},"w":2}'],
    ["blanks everywhere", ' \n{ "a" : [ 1 , 2 ] , "b" : { "c" : [ ] , "d" : 1 } } \t'],
    ["containers that close at once", "[[[1,2],[3,4]],[[5,6]],[]]"],
    ["a byte order mark", "\ufeff[1,2]"],
  ])("%s is read as by JSON.parse", async (_, text) => {
    const expected: unknown = JSON.parse(text.replace(/^\ufeff/, ""));
    for (const pieceBytes of [1, 3, 1000]) {
      const made = await read(text, pieceBytes);
      expect(JSON.stringify(made)).toBe(JSON.stringify(expected));
    }
    expect(Object.getPrototypeOf(await read('{"a":1,"__proto__":[1,2]}'))).toBe(Object.prototype);
  });

  test("halves of characters are replaced, in texts and in the names on the way to a cut", async () => {
    expect(await read('{"\\ud800":[1,{"a\\udc00":[2,3]}],"b":"\\ud83d"}')).toEqual({
      "\ufffd": [1, { "a\ufffd": [2, 3] }],
      b: "\ufffd",
    });
  });

  test("nothing but blanks is an empty object", async () => {
    expect(await read("  \n ")).toEqual({});
  });

  test.each([
    "[1,2,]",
    "[,1]",
    "[[,1],2]",
    '{"a":[,1]}',
    '{"a":{,"b":1}}',
    "[1,,2]",
    "[1 2,3]",
    "[[1,2] 3]",
    "[[1,2],]",
    "[[1,2]]]",
    "[[1,2]],3",
    "[[1,2]][3]",
    "[1,2",
    "[1,2}",
    '{"a":1,}',
    '{"a":[1,2],}',
    '{"a":[1,2] "b":3}',
    '{"a":1,"b"}',
    '{"a":1,2}',
    '{"a":[1,2]:3,"b":4}',
    '{"a":{"b":1,"c":2}}}',
    '["a,b',
    '["a\\"]',
    "[1,\ufeff2]",
    "[1,01]",
    "1,2",
    "]",
  ])("%s is refused", async (text) => {
    for (const pieceBytes of [1, 3, 1000]) expect(await refusal(read(text, pieceBytes))).toBe("invalid_json");
  });

  test("damaged pieces of valid JSON are refused exactly where JSON.parse refuses them", async () => {
    const random = seededRandom(11);
    for (let i = 0; i < 3000; i++) {
      const text = JSON.stringify([value(random, 2), value(random, 2)]);
      const at = random.below(text.length);
      const put = random.pick(["", ",", "]", "}", "[", '"', ":", " ", "{"]);
      const damaged = (text.slice(0, at) + put + text.slice(at + 1)).toWellFormed();
      let expected: unknown = "invalid_json";
      try {
        expected = JSON.stringify(JSON.parse(damaged));
      } catch {
        // Stays refused.
      }
      const made = await read(damaged, 1 + random.below(20)).then(
        (good) => JSON.stringify(good),
        (error: unknown) => (error instanceof AppError ? error.code : error),
      );
      expect([damaged, made]).toEqual([damaged, expected]);
    }
  });

  test("invalid UTF-8 is refused in any piece", async () => {
    const bytes = encode('["aaaa","bbbb"]');
    bytes[10] = 0xff;
    expect(await refusal(parseJson(bytes, NO_LIMIT, 1))).toBe("invalid_json");
  });
});

describe("what a body becomes is bounded before it is made", () => {
  test.each([
    ["objects", `[${"{},".repeat(100)}{}]`, "100 texts, lists and objects"],
    ["lists", `[${"[],".repeat(100)}[]]`, "100 texts, lists and objects"],
    ["texts", `[${'"",'.repeat(100)}""]`, "100 texts, lists and objects"],
    ["members", `{${'"a":1,'.repeat(100)}"a":1}`, "100 texts, lists and objects"],
    ["numbers", `[${"1,".repeat(1000)}1]`, "500 values"],
  ])("too many %s are a 413 that names the bound", async (_, text, bound) => {
    const limit = jsonLimit(1e6, 100, 500);
    await expect(parseJson(encode(text), limit)).rejects.toMatchObject({
      code: "payload_too_large",
      message: `The request body is too large: at most ${bound} are accepted here. Send less at once.`,
    });
  });

  test("100 levels are read, 101 are not, whether they are closed or not", async () => {
    const nested = (levels: number) => "[".repeat(levels) + "]".repeat(levels);
    expect(JSON.stringify(await read(nested(100)))).toBe(nested(100));
    expect(await refusal(read(nested(101)))).toBe("invalid_json");
    expect(await refusal(read("[".repeat(1e6)))).toBe("invalid_json");
  });

  test("one text may not be longer than any operation needs", async () => {
    expect(await read(`["${"a".repeat(8_000_000)}"]`)).toHaveLength(1);
    for (const one of ["a", '\\"', "\\\\"]) {
      const text = `["${one.repeat(9_000_000 / one.length)}"]`;
      expect(await refusal(read(text))).toBe("payload_too_large");
    }
    expect(await refusal(read(`[${" ".repeat(25_000_000)}1]`))).toBe("payload_too_large");
  });

  test("a megabyte of digits or blanks is no value, one of a text is", async () => {
    const megabyte = 1024 * 1024;
    for (const text of [`[${"1".repeat(megabyte)}]`, `[1,${" ".repeat(megabyte)}2]`, "7".repeat(megabyte)])
      expect(await refusal(read(text, megabyte))).toBe("payload_too_large");
    expect(await read(`["${"1".repeat(megabyte)}", 2]`, megabyte)).toHaveLength(2);
  });

  test("others have turns while a large body is read", async () => {
    const text = `[${Array.from({ length: 300_000 }, () => "0.123456789").join(",")}]`;
    let turns = 0;
    const count = () => {
      turns++;
      if (!done) setImmediate(count);
    };
    let done = false;
    setImmediate(count);
    expect(await parseJson(encode(text), NO_LIMIT)).toHaveLength(300_000);
    done = true;
    expect(turns).toBeGreaterThan(5);
  });
});
