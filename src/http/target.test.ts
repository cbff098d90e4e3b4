import { describe, expect, test } from "bun:test";
import { readTarget, rewritten } from "./target.ts";

const asked = (url: string, host?: string) =>
  readTarget({ url, headers: new Headers(host === undefined ? {} : { host }) });

describe("the address asked for", () => {
  test.each([
    ["http://x/healthz", "x"],
    ["http://ab:1/healthz", "ab:1"],
    ["http://api/healthz", "api:80"],
    ["http://[::1]:8080/healthz", "[::1]:8080"],
    ["http://[::1]/healthz", "[::1]"],
    ["http://a.long.name.example/healthz", "a.long.name.example"],
    ["http://my_host/healthz", "my_host"],
    ["HTTPS://x:99/healthz", "localhost"],
    ["/healthz", undefined],
    ["/healthz", ""],
    ["healthz", undefined],
  ])("is the path, whatever the host: %s", (url, host) => {
    const target = asked(`${url}?a=1`, host);
    expect(target.pathname + target.search).toBe("/healthz?a=1");
  });

  test("begins at the first slash after the host, not before", () => {
    expect(asked("http://a//evil.example/x", "a").pathname).toBe("//evil.example/x");
    expect(asked("http://x?y=1", "x").search).toBe("?y=1");
    expect(asked("//evil.example/x").pathname).toBe("//evil.example/x");
  });

  test.each([
    "localhost:99999",
    "m\u00c3\u00bchle.example",
    "a b",
    "a/b",
    "u:p@h",
    "a, b",
    "[::1",
    "%",
    "1.2.3.4.5",
    "a:b",
    "[]",
  ])("is refused with the host %s", (host) => {
    expect(() => asked("/healthz", host)).toThrow("Invalid Host header");
  });
});

describe("the request that the router sees", () => {
  test.each(["http://x/healthz", "http://a.b/healthz"])("has a long enough origin: %s", (url) => {
    const request = new Request(url);
    expect(rewritten(request, readTarget(request)).url).toBe("http://localhost/healthz");
  });

  test("is the client's own where nothing has to change", () => {
    const request = new Request("http://127.0.0.1:8080/v1/files?limit=1");
    expect(rewritten(request, readTarget(request))).toBe(request);
  });

  test("is another one where the canonical address is the end of the one asked for", () => {
    const request = new Request("http://localhost/openai/v1/files");
    const target = readTarget(request);
    target.pathname = "/v1/files";
    expect(rewritten(request, target).url).toBe("http://localhost/v1/files");
  });
});
