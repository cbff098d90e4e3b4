/** What the console keeps in the tab, and says to screen readers, with the few things of a browser that these need. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { ApiError } from "../api.ts";
import { announce, setLiveRegion } from "./live.ts";
import { forgetKey, keepKey, keptKey, redeem, takeCode } from "./session.ts";

const kept = new Map<string, string>();
const address = { hash: "", pathname: "/console/", search: "?a=1" };
const shown: string[] = [];
const BROWSER = {
  sessionStorage: {
    getItem: (name: string) => kept.get(name) ?? null,
    setItem: (name: string, value: string) => void kept.set(name, value),
    removeItem: (name: string) => void kept.delete(name),
  },
  location: address,
  fetch: (url: string, { method, body }: { method: string; body: string }) => {
    const isRight = `${method} ${url} ${body}` === 'POST http://x/v1/console/session {"code":"right"}';
    if (isRight) return Promise.resolve(Response.json({ key: "sk-2" }));
    const error = { message: "It was used.", code: "invalid_value" };
    return Promise.resolve(Response.json({ error }, { status: 400 }));
  },
  history: { replaceState: (_state: null, _title: string, to: string) => void shown.push(to) },
};
const before = new Map(Object.keys(BROWSER).map((name) => [name, Object.getOwnPropertyDescriptor(globalThis, name)]));
beforeAll(() => {
  for (const [name, value] of Object.entries(BROWSER))
    Object.defineProperty(globalThis, name, { value, configurable: true });
});
afterAll(() => {
  for (const [name, was] of before)
    if (was === undefined) Reflect.deleteProperty(globalThis, name);
    else Object.defineProperty(globalThis, name, was);
});

test("a key is kept until it is forgotten", () => {
  expect(keptKey()).toBeNull();
  keepKey("sk-1");
  expect(keptKey()).toBe("sk-1");
  forgetKey();
  expect([keptKey(), kept.size]).toEqual([null, 0]);
});

test.each([
  ["#code=aB-_9", "aB-_9", true],
  ["#code=", null, true],
  ["#code=a b", null, true],
  ["#/stores", null, false],
])("the code of %s leaves the address", (hash, code, isTaken) => {
  shown.length = 0;
  address.hash = hash;
  expect(takeCode()).toBe(code);
  expect(shown).toEqual(isTaken ? ["/console/?a=1"] : []);
});

test("a code is good for a key, or refused", async () => {
  expect(await redeem("http://x/v1/", "right")).toBe("sk-2");
  const refused: unknown = await redeem("http://x/v1/", "wrong").catch((error: unknown) => error);
  expect(refused).toBeInstanceOf(ApiError);
  expect(refused).toMatchObject({ message: "It was used.", status: 400 });
});

test("what happens is read aloud at once, and what comes after it waits", () => {
  const region = { textContent: "" };
  setLiveRegion(region as unknown as HTMLElement);
  announce("1 of 3 files done");
  announce("2 of 3 files done");
  expect(region.textContent).toBe("1 of 3 files done");
  setLiveRegion(null);
});
