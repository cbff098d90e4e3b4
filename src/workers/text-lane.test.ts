import { afterAll, expect, setDefaultTimeout, test } from "bun:test";
import { countTokens } from "../chunk/tokens.ts";
import { encodeTerms } from "../index/analyzer.ts";
import { countCodePoints } from "../platform/code-points.ts";
import { TextLane } from "./text-lane.ts";

setDefaultTimeout(60_000);

const lane = new TextLane();
afterAll(() => lane[Symbol.asyncDispose]());
const asker = (tenant = "a", signal = new AbortController().signal) => ({ tenant, signal });
const codeOf = (promise: Promise<unknown>) =>
  promise.then(
    () => "done",
    (error: { code?: string }) => error.code,
  );

test("finds in texts what an ingest would, in their order, however they are cut", async () => {
  const words = "Returns of wi-fi routers (E1234) are accepted within 30 days. Größe: 1.234,5 m². ";
  const texts = Array.from({ length: 100 }, (_, i) => `${i} 😀 ${words.repeat(i % 7)}`);
  texts.splice(50, 0, "", words.repeat(2000), `a${"\u0301\u0316".repeat(5000)}`);
  const found = await lane.analyse({ texts, filename: "returns-2024.pdf" }, asker());
  expect(found).toEqual(
    texts.map((text) => ({
      tokens: countTokens(text),
      codePoints: countCodePoints(text),
      terms: encodeTerms({ text, heading: [], title: "", filename: "returns-2024.pdf" }),
    })),
  );
  expect(await lane.count(texts, asker())).toEqual(texts.map(countTokens));
  expect(await lane.count([], asker())).toEqual([]);
});

test("a large request of one tenant does not hold a small one of another", async () => {
  const order: string[] = [];
  const large = lane
    .analyse({ texts: new Array<string>(64).fill("word and more ".repeat(3000)), filename: "" }, asker("a"))
    .then(() => order.push("large"));
  const small = lane.analyse({ texts: ["one text"], filename: "" }, asker("b")).then(() => order.push("small"));
  await Promise.all([large, small]);
  expect(order).toEqual(["small", "large"]);
});

test("what a tenant has waiting is bounded, and what its client left is dropped", async () => {
  const gone = new AbortController();
  const analyse = (characters: number, signal?: AbortSignal) =>
    codeOf(lane.analyse({ texts: ["x ".repeat(characters / 2)], filename: "" }, asker("a", signal)));
  const left = [analyse(17_000_000, gone.signal), analyse(17_000_000, gone.signal)];
  expect(await analyse(17_000_000)).toBe("overloaded");
  gone.abort();
  expect(await Promise.all(left)).toEqual(["shutting_down", "shutting_down"]);
  expect(await lane.count(["x"], asker("a"))).toEqual([1]);
});

test("it ends with the server", async () => {
  await lane[Symbol.asyncDispose]();
  expect(await codeOf(lane.count(["x"], asker()))).toBe("shutting_down");
});
