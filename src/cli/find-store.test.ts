import { expect, test } from "bun:test";
import { createClient } from "./client.ts";
import { findStore, storeNamed } from "./find-store.ts";

const ROWS = ["twice", "twice", "once", "handbook"].map((name, i) => ({
  id: `vs_${i + 1}`,
  name,
  status: "completed",
}));

/** A client of a server that has these stores. */
function withStores() {
  const server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    fetch: (request) => {
      const id = new URL(request.url).pathname.split("/")[3];
      if (!id) return Response.json({ data: ROWS, has_more: false });
      const row = ROWS.find((candidate) => candidate.id === id);
      return row ? Response.json(row) : Response.json({ error: { message: "no", code: "c" } }, { status: 404 });
    },
  });
  const client = createClient({ url: `http://127.0.0.1:${server.port}`, key: "k" });
  return { client, [Symbol.asyncDispose]: () => server.stop(true) };
}

const failureOf = async (promise: Promise<unknown>) => String(await promise.catch((caught: unknown) => caught));

test("a store is found by its id or its name; a name that two have is refused with their ids", async () => {
  await using f = withStores();
  expect((await findStore(f.client, "vs_2"))?.id).toBe("vs_2");
  expect((await findStore(f.client, "once"))?.id).toBe("vs_3");
  expect(await findStore(f.client, "vs_9")).toBeNull();
  expect(await failureOf(findStore(f.client, "twice"))).toContain(
    "2 stores are named twice; say which by its id: vs_1, vs_2.",
  );
});

test("a store that has to be there is found, or the nearest name is said", async () => {
  await using f = withStores();
  expect((await storeNamed(f.client, "handbook")).id).toBe("vs_4");
  expect(await failureOf(storeNamed(f.client, "handbok"))).toBe(
    'VerbFailed: There is no store "handbok". Did you mean handbook?',
  );
  expect(await failureOf(storeNamed(f.client, "elsewhere"))).toBe('VerbFailed: There is no store "elsewhere".');
});
