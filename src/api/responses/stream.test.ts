import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { KEYS, type StoreApp } from "../../app/testing/store-app.ts";
import { ask, eventsIn, handbook, responseOf, type Sent } from "./testing/answers.ts";
import { eventSchema, problemWith } from "./testing/openai-schemas.ts";

const ADMIN = { authorization: `Bearer ${KEYS.admin}` };
const FOLLOWER = "sk-test-follower-0123456789";

// Compiling OpenAI's schemas takes a while.
setDefaultTimeout(60_000);

/** Tests look into events of every shape. */
// oxlint-disable-next-line typescript/no-explicit-any
type Loose = Record<string, any>;

const names = (events: readonly Sent[]) => events.map(({ name }) => name);
const stream = async (f: StoreApp, body: object, headers: Record<string, string> = {}) =>
  await f.request("POST", "/v1/responses", { ...body, stream: true }, headers);

/** What holds of every stream. */
function expectWhole(events: readonly Sent[]): void {
  expect(events.map(({ data }) => data.sequence_number)).toEqual(events.map((_, i) => i));
  expect(events.map(({ data }) => data.type)).toEqual(names(events));
  for (const { name, data } of events) expect([name, problemWith(eventSchema(name), data)]).toEqual([name, null]);
  const ids = events.flatMap(({ data }) => ("response" in data ? [(data["response"] as { id: string }).id] : []));
  expect(new Set(ids).size).toBe(1);
}

const SEARCH = [
  "response.output_item.added",
  "response.file_search_call.in_progress",
  "response.file_search_call.searching",
  "response.file_search_call.completed",
  "response.output_item.done",
];
const MESSAGE = [
  "response.output_item.added",
  "response.content_part.added",
  "response.output_text.delta",
  "response.output_text.delta",
  "response.output_text.annotation.added",
  "response.output_text.done",
  "response.content_part.done",
  "response.output_item.done",
];

describe("a stream", () => {
  test.each([{}, { "x-vector-dialect": "openai-strict" }])(
    "has OpenAI's events in their order: %j",
    async (headers) => {
      await using f = await handbook();
      const response = await stream(f, ask(f.store, { include: ["file_search_call.results"] }), headers);
      expect([response.status, response.headers.get("content-type"), response.headers.get("cache-control")]).toEqual([
        200,
        "text/event-stream; charset=utf-8",
        "no-cache",
      ]);
      expect(response.headers.get("x-accel-buffering")).toBe("no");
      const events = await eventsIn(response);
      expectWhole(events);
      expect(names(events)).toEqual([
        "response.created",
        "response.in_progress",
        ...SEARCH,
        ...MESSAGE,
        "response.completed",
      ]);
      const data = events.map((event) => event.data as Loose);
      expect(data[0]?.["response"]).toMatchObject({
        status: "in_progress",
        output: [],
        usage: null,
        service_tier: "auto",
      });
      expect(data[2]?.["item"]).toMatchObject({ status: "in_progress", queries: [], results: null });
      const last = data.at(-1)?.["response"];
      expect(data[6]?.["item"]).toEqual(last.output[0]);
      expect(data[6]?.["item"].results.length).toBeGreaterThan(0);
      expect(data.at(-2)?.["item"]).toEqual(last.output[1]);
      const deltas = data.filter((one) => one["type"] === "response.output_text.delta").map((one) => one["delta"]);
      const [part] = last.output[1].content;
      expect([deltas.join(""), data.at(-4)?.["text"], data.at(-3)?.["part"]]).toEqual([part.text, part.text, part]);
      const added = data.find((one) => one["type"] === "response.output_text.annotation.added");
      expect(added).toMatchObject({
        output_index: 1,
        content_index: 0,
        annotation_index: 0,
        annotation: part.annotations[0],
      });
      expect([...deltas.slice(0, 2).join("")].length).toBe(part.annotations[0].index);
      const kept = await f.call(
        "GET",
        `/v1/responses/${last.id}?include[]=file_search_call.results`,
        undefined,
        headers,
      );
      expect(kept.json).toEqual(last);
    },
  );

  test("begins before the search, and ends with a failure that is kept where that fails", async () => {
    await using f = await handbook();
    f.failing.reason = "unavailable";
    for (const headers of [{}, { "x-vector-dialect": "openai-strict" }]) {
      const events = await eventsIn(await stream(f, ask(f.store), headers));
      expectWhole(events);
      expect(names(events)).toEqual([
        "response.created",
        "response.in_progress",
        "response.output_item.added",
        "response.file_search_call.in_progress",
        "response.file_search_call.searching",
        "response.output_item.done",
        "error",
        "response.failed",
      ]);
      const error = events.at(-2)?.data;
      expect(error).toMatchObject({
        code: "server_error",
        message: "The embedding model is not available now.",
        param: null,
      });
      expect("error" in (error ?? {})).toBe(Object.keys(headers).length === 0);
      const failed = events.at(-1)?.data["response"] as unknown as { id: string };
      expect(failed).toMatchObject({ status: "failed", usage: null, output: [{ status: "incomplete" }] });
      expect((await f.call("GET", `/v1/responses/${failed.id}`, undefined, headers)).json).toEqual(failed);
      const next = await f.call("POST", "/v1/responses", ask(f.store, { previous_response_id: failed.id }));
      expect([next.status, next.json.error.param]).toEqual([400, "previous_response_id"]);
    }
  });

  test("that is cut short ends as incomplete", async () => {
    await using f = await handbook();
    const events = await eventsIn(await stream(f, ask(f.store, { max_output_tokens: 20 })));
    expectWhole(events);
    expect(events.at(-1)?.name).toBe("response.incomplete");
    expect(events.at(-2)?.data["item"]).toMatchObject({ status: "incomplete" });
  });

  test("that its client leaves keeps nothing", async () => {
    await using f = await handbook();
    const { promise: searching, resolve: begin } = Promise.withResolvers<void>();
    f.onEmbed(async (signal) => {
      begin();
      await new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }));
    });
    const reader = (await stream(f, ask(f.store))).body?.getReader();
    const read = async () => {
      for (;;) if ((await reader?.read())?.done !== false) return;
    };
    const reading = read();
    await searching;
    await reader?.cancel();
    await reading;
    expect(f.db.raw.query("SELECT count(*) AS n FROM response").get()).toEqual({ n: 0 });
  });

  test("counts among the requests in flight until its last event", async () => {
    await using f = await handbook({ maxRequestsPerKey: 1 });
    const response = await stream(f, ask(f.store));
    expect((await f.call("GET", "/v1/models")).status).toBe(429);
    expect((await eventsIn(response)).at(-1)?.name).toBe("response.completed");
    expect((await f.call("GET", "/v1/models")).status).toBe(200);
  });

  test.each([
    ["is revoked", (f: StoreApp) => f.call("DELETE", "/v1/admin/keys/key_follower", undefined, ADMIN)],
    ["expires", (f: StoreApp) => (f.clock.seconds += 3600)],
  ])("of an answer in progress ends when its key %s", async (_, lose) => {
    await using f = await handbook();
    await f.addKey(FOLLOWER, { id: "key_follower", role: "read", expiresAt: f.clock.seconds + 3600 });
    const asked = await stream(f, ask(f.store, { background: true }), { authorization: `Bearer ${FOLLOWER}` });
    const reader = (asked.body as ReadableStream<Uint8Array>).getReader();
    const first = new TextDecoder().decode((await reader.read()).value);
    const id = /"id":"(resp_\w+)"/.exec(first)?.[1] ?? "";
    await lose(f);
    f.changes.notify(id);
    let rest = "";
    for (let next = await reader.read(); !next.done; next = await reader.read())
      rest += new TextDecoder().decode(next.value);
    expect(rest).not.toContain("response.completed");
    expect((await f.call("GET", `/v1/responses/${id}`, undefined, ADMIN)).json.status).toBe("queued");
  });

  test("of what is not kept is not kept", async () => {
    await using f = await handbook();
    const events = await eventsIn(await stream(f, ask(f.store, { store: false })));
    const { id, store } = responseOf(events.at(-1));
    expect([store, (await f.call("GET", `/v1/responses/${id}`)).status]).toEqual([false, 404]);
  });

  test("of a stored answer plays back the same, from any event on", async () => {
    await using f = await handbook();
    const events = await eventsIn(await stream(f, ask(f.store)));
    const { id } = responseOf(events.at(-1));
    const again = await eventsIn(await f.request("GET", `/v1/responses/${id}?stream=true`));
    expect(again).toEqual(events);
    const later = await eventsIn(await f.request("GET", `/v1/responses/${id}?stream=true&starting_after=10`));
    expect(later).toEqual(events.slice(11));
    expect(await eventsIn(await f.request("GET", `/v1/responses/${id}?stream=true&starting_after=99`))).toEqual([]);
  });
});

test("following an answer takes a stream's place, until it ends; reading it does not", async () => {
  await using f = await handbook({ maxStreams: { perKey: 1, perTenant: 5 } });
  // Nothing works on it: it is followed for as long as somebody wants to.
  const { id } = (await f.call("POST", "/v1/responses", ask(f.store, { background: true }))).json;
  const follow = () => f.request("GET", `/v1/responses/${id}?stream=true`);
  const first = await follow();
  expect(first.status).toBe(200);
  const second = await follow();
  expect([second.status, second.headers.get("retry-after")]).toEqual([429, "5"]);
  expect(await second.text()).toContain("this key may have 1 open");
  expect((await f.call("GET", `/v1/responses/${id}`)).status).toBe(200);
  expect((await f.call("GET", `/v1/responses/${id}?stream=false`)).status).toBe(200);
  // Not one that is refused for another reason.
  await first.body?.cancel();
  expect((await f.call("GET", "/v1/responses/resp_none?stream=true")).status).toBe(404);
  expect((await f.call("GET", `/v1/responses/${id}?stream=true&starting_after=-5`)).status).toBe(400);
  const third = await follow();
  expect(third.status).toBe(200);
  await third.body?.cancel();
});
