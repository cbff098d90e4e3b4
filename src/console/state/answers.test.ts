import { expect, test } from "bun:test";
import { type Api, ApiError, type ServerEvent } from "../api.ts";
import { askQuestion, leftOut, type Question, type Turn } from "./answers.ts";

const signal = new AbortController().signal;
const asked: Question = {
  store: "vs_1",
  question: "When is high tide?",
  options: { stores: ["vs_2"], model: "m", filter: '{"type":"eq","key":"year","value":2024}' },
  previous: "resp_0",
  signal,
};
const citation = (file_id: string, from?: number, to?: number) => ({
  type: "file_citation",
  file_id,
  ...(from === undefined ? {} : { start_offset: from, end_offset: to }),
});

/** What is asked, and the turns as they come; `told` is what the server streams, `end` how that ends. */
async function turns(told: readonly object[], end?: Error, question: Question = asked) {
  const sent: unknown[] = [];
  const api = {
    async *events(path: string, _signal: AbortSignal, body?: object): AsyncGenerator<ServerEvent> {
      sent.push([path, body]);
      for (const data of told) yield { event: "", data };
      if (end !== undefined) throw end;
    },
  } as unknown as Api;
  const seen: Turn[] = [];
  for await (const turn of askQuestion(api, question)) seen.push(turn);
  return { sent, seen, last: seen.at(-1) as Turn };
}

test("an answer grows by its text, its citations and what was searched for, and is done with its response", async () => {
  const found = { file_id: "file-1", chunk_id: "chunk_1", start_offset: 0, end_offset: 10 };
  const search = { type: "file_search_call", queries: ["tide"], results: [found] };
  const { sent, seen, last } = await turns([
    { type: "response.created" },
    { type: "response.output_item.done", item: search },
    // A second search finds the same again.
    { type: "response.output_item.done", item: { ...search, queries: ["high tide"] } },
    { type: "response.output_item.done", item: { type: "message" } },
    { type: "response.output_text.delta", delta: "At " },
    { type: "response.output_text.delta", delta: "noon." },
    { type: "response.output_text.annotation.added", annotation: citation("file-1", 3, 7) },
    { type: "response.completed", response: { id: "resp_1" } },
  ]);
  expect(sent).toEqual([
    [
      "responses",
      {
        input: "When is high tide?",
        tools: [
          {
            type: "file_search",
            vector_store_ids: ["vs_1", "vs_2"],
            filters: { type: "eq", key: "year", value: 2024 },
          },
        ],
        stream: true,
        include: ["file_search_call.results"],
        model: "m",
        previous_response_id: "resp_0",
      },
    ],
  ]);
  expect(seen[0]).toMatchObject({ text: "", state: "running", responseId: "resp_0" });
  expect(last).toMatchObject({
    text: "At noon.",
    searched: ["tide", "high tide"],
    found: [found],
    state: "done",
    responseId: "resp_1",
  });
  expect(leftOut(last)).toEqual([]);
});

test("a passage is left out where no citation lies in it; a citation without a place is of all of its file", () => {
  const passage = (file_id: string, start_offset?: number, end_offset?: number) =>
    ({ file_id, start_offset, end_offset }) as unknown as Turn["found"][number];
  const found = [passage("a", 0, 10), passage("a", 10, 20), passage("b", 0, 10), passage("c")];
  const citations = [citation("a", 12, 15), citation("b")] as unknown as Turn["citations"];
  expect(leftOut({ found, citations })).toEqual([passage("a", 0, 10), passage("c")]);
});

test.each<[string, object[], Error | undefined, Partial<Turn>]>([
  ["the server says so", [{ type: "error", message: "No.", code: "x" }], undefined, { state: "failed" }],
  ["it failed", [{ type: "response.failed", response: { error: { message: "No." } } }], undefined, { state: "failed" }],
  [
    "it was refused",
    [],
    new ApiError("No.", { status: 429, code: "x", requestId: "" }),
    { state: "failed", responseId: "resp_0" },
  ],
  ["the stream ends too soon", [{ type: "response.output_text.delta", delta: "A" }], undefined, { state: "broken" }],
  [
    "it breaks off",
    [{ type: "response.output_text.delta", delta: "A" }],
    new Error("cut"),
    { state: "broken", text: "A" },
  ],
  ["it is cut off before a word", [], new Error("cut"), { state: "broken", text: "" }],
])("how an answer ends where %s", async (_, told, end, expected) => {
  const { last } = await turns(told, end);
  expect(last).toMatchObject(expected);
  if (expected.state === "failed") expect(last.error?.message).toBe("No.");
});
