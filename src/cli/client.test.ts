import { afterEach, expect, test } from "bun:test";
import { Type } from "@sinclair/typebox";
import { createClient, listAll, RequestFailed } from "./client.ts";

let server: Bun.Server<undefined> | null = null;
afterEach(async () => {
  await server?.stop(true);
  server = null;
});

/** A client of a server that answers with `handle`. */
function against(handle: (request: Request) => Response | Promise<Response>) {
  server = Bun.serve({ port: 0, hostname: "127.0.0.1", fetch: handle });
  return createClient({ url: `http://127.0.0.1:${server.port}`, key: "k" });
}

const Row = Type.Object({ id: Type.String() });
const failure = (status: number, message: string) =>
  Response.json({ error: { message, type: "x", param: null, code: "c" } }, { status });

test("the server's own words are the error", async () => {
  const client = against(() => failure(400, "Invalid 'limit'."));
  const error = await client.send(Row, "GET", "/v1/x").catch((caught: unknown) => caught);
  expect(error).toBeInstanceOf(RequestFailed);
  expect(error).toMatchObject({ message: "Invalid 'limit'.", status: 400, code: "c" });
});

test("what may pass is repeated, what may not is asked once", async () => {
  let asked = 0;
  const client = against(() => (++asked < 2 ? failure(429, "later") : Response.json({ id: "a" })));
  expect(await client.send(Row, "POST", "/v1/x", {})).toEqual({ id: "a" });
  expect(asked).toBe(2);
  asked = 0;
  const refusing = against(() => {
    asked++;
    return failure(500, "broken");
  });
  const error = await refusing.send(Row, "POST", "/v1/x", {}).catch((caught: unknown) => caught);
  expect(error).toMatchObject({ message: "broken", status: 500 });
  expect(asked).toBe(1);
});

test("an answer of another shape, or no JSON at all, is said in one line", async () => {
  const client = against((request) =>
    request.url.endsWith("html") ? new Response("<html>") : Response.json({ ids: 1 }),
  );
  for (const path of ["/v1/html", "/v1/json"]) {
    const error = await client.send(Row, "GET", path).catch((caught: unknown) => caught);
    expect(String(error)).toContain(`does not answer like Lectern (GET ${path})`);
  }
});

test("lists are read to their end, page by page", async () => {
  const client = against((request) => {
    const after = new URL(request.url).searchParams.get("after");
    return Response.json(
      after === "b" ? { data: [{ id: "c" }], has_more: false } : { data: [{ id: "a" }, { id: "b" }], has_more: true },
    );
  });
  expect(await Array.fromAsync(listAll(client, Row, "/v1/x"))).toEqual([{ id: "a" }, { id: "b" }, { id: "c" }]);
});
