import { expect, test } from "bun:test";
import { tempDir } from "../../test/helpers/temp-dir.ts";
import { lectern } from "./testing/command.ts";

/** A server that says what it is told to of itself. */
function listening(ready: () => number): Bun.Server<undefined> {
  return Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    fetch: (request) => {
      const { pathname } = new URL(request.url);
      if (pathname === "/healthz") return new Response("ok");
      return pathname === "/readyz" ? new Response("stopping", { status: ready() }) : new Response("", { status: 404 });
    },
  });
}

test("a server that is ready is 0, one that is not 1, and alive is less than ready", async () => {
  let status = 200;
  await using server = listening(() => status);
  const url = server.url.href;
  expect(await lectern(["health", "--url", `${url}v1/`])).toMatchObject({
    status: 0,
    out: `${url.slice(0, -1)} is ready\n`,
  });
  status = 503;
  expect(await lectern(["health", "--url", url])).toMatchObject({
    status: 1,
    err: expect.stringContaining("is not ready: stopping"),
  });
  expect(await lectern(["health", "--live", "--url", url])).toMatchObject({ status: 0 });
});

test("without a name it asks where the settings say; nobody there is 1", async () => {
  using dir = tempDir();
  await using server = listening(() => 200);
  const env = { LECTERN_DATA: dir.join("none"), LECTERN_HOST: "0.0.0.0", LECTERN_PORT: String(server.port) };
  expect(await lectern(["health"], { env })).toMatchObject({ status: 0 });
  await server.stop(true);
  expect(await lectern(["health"], { env })).toMatchObject({
    status: 1,
    err: expect.stringContaining(`http://127.0.0.1:${env.LECTERN_PORT} does not answer`),
  });
});
