import { expect, test } from "bun:test";
import { embedFailure, type EmbedResult } from "../embed/provider.ts";
import { sentenceFit, type SentenceFitDeps } from "./sentence-fit.ts";

const asker = { tenant: "ten_a", signal: new AbortController().signal };
/** A vector for each text: its first number says whether it is about money. */
const vectorOf = (text: string) => Float32Array.from(/refund|money|paid/.test(text) ? [1, 0] : [0, 1]);
const DEPS: SentenceFitDeps = {
  embedQuestion: async (question) => ({ ok: true, vector: vectorOf(question) }),
  embedSentences: async (sentences): Promise<EmbedResult> => ({
    ok: true,
    texts: sentences.map((text) => ({ vectors: vectorOf(text), windows: 1, tokens: 1 })),
  }),
};
const question = "When is a refund paid?";

test("a sentence fits better by its words and by its meaning, each in its place", async () => {
  const sentences = ["The moon moves the sea.", "A refund is paid in May.", "Your money comes back."];
  const [moon = 0, refund = 0, money = 0] = await sentenceFit(DEPS, { question, sentences }, asker);
  expect(refund).toBeGreaterThan(money);
  expect(money).toBeGreaterThan(moon);
});

test("where the model knows no word of the question, words alone say what fits", async () => {
  const unknown: SentenceFitDeps = { ...DEPS, embedQuestion: async () => ({ ok: true, vector: new Float32Array(2) }) };
  const sentences = ["The moon moves the sea.", "A refund is paid in May."];
  const [moon = 0, refund = 0] = await sentenceFit(unknown, { question, sentences }, asker);
  expect(refund).toBeGreaterThan(moon);
});

test.each<[what: string, deps: Partial<SentenceFitDeps>]>([
  ["the question", { embedQuestion: async () => embedFailure("overloaded", "full", 1000) }],
  ["the sentences", { embedSentences: async () => embedFailure("overloaded", "full", 1000) }],
])("a model that has no room for %s is an error that says so", async (_, deps) => {
  const fit = sentenceFit({ ...DEPS, ...deps }, { question, sentences: ["A refund."] }, asker);
  expect(await fit.catch((error: unknown) => error)).toMatchObject({ code: "overloaded" });
});
