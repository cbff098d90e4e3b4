import { describe, expect, test } from "bun:test";
import { createCors } from "./cors.ts";

const APP = "http://app.example";

function marked(origins: string[], origin: string | null): Record<string, string | null> {
  const headers = new Headers();
  createCors(origins).mark(new Request("http://localhost/", { headers: origin === null ? {} : { origin } }), headers);
  const read = (name: string) => headers.get(name);
  return {
    origin: read("access-control-allow-origin"),
    credentials: read("access-control-allow-credentials"),
    vary: read("vary"),
  };
}

function preflight(origins: string[], sent: Record<string, string>): Headers {
  const headers = new Headers();
  createCors(origins).markPreflight(new Request("http://localhost/", { headers: sent }), headers, ["POST", "OPTIONS"]);
  return headers;
}

describe("an answer says who may read it", () => {
  test.each<[string, string[], string | null, object]>([
    ["nobody unless origins are named", [], APP, { origin: null, credentials: null, vary: null }],
    ["a named origin, with credentials", [APP], APP, { origin: APP, credentials: "true", vary: "Origin" }],
    ["no other origin", [APP], "http://other.example", { origin: null, credentials: null, vary: "Origin" }],
    ["not one that only begins alike", [APP], `${APP}.evil`, { origin: null, credentials: null, vary: "Origin" }],
    ["no page of a file or a sandbox", [APP], "null", { origin: null, credentials: null, vary: "Origin" }],
    ["any origin, without credentials", ["*"], APP, { origin: "*", credentials: null, vary: "Origin" }],
    ["a named one beside any", ["*", APP], APP, { origin: APP, credentials: "true", vary: "Origin" }],
    ["nothing to who is no page", [APP], null, { origin: null, credentials: null, vary: "Origin" }],
  ])("%s", (_name, origins, origin, wanted) => {
    expect(marked(origins, origin)).toEqual(wanted as Record<string, string | null>);
  });

  test("and which headers a script may see", () => {
    const headers = new Headers();
    createCors([APP]).mark(new Request("http://localhost/", { headers: { origin: APP } }), headers);
    for (const name of ["x-request-id", "retry-after", "x-ratelimit-remaining-requests"])
      expect(headers.get("access-control-expose-headers")).toContain(name);
  });
});

describe("the answer to a preflight", () => {
  const asked = { origin: APP, "access-control-request-method": "POST" };

  test("allows the methods of the address and the headers asked for", () => {
    const wanted = "authorization,content-type,x-stainless-lang";
    const headers = preflight([APP], { ...asked, "access-control-request-headers": wanted });
    expect(headers.get("access-control-allow-methods")).toBe("POST, OPTIONS");
    expect(headers.get("access-control-allow-headers")).toBe(wanted);
    expect(Number(headers.get("access-control-max-age"))).toBeGreaterThan(0);
    expect(headers.get("vary")).toContain("Access-Control-Request-Headers");
  });

  test.each([
    ["to another origin", [APP], { ...asked, origin: "http://other.example" }],
    ["where none is allowed", [], asked],
    ["to an OPTIONS request that is no preflight", [APP], { origin: APP }],
  ])("allows nothing %s", (_name, origins, sent) => {
    expect([...preflight(origins, sent).keys()]).toEqual([]);
  });
});
