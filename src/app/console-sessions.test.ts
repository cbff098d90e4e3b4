import { expect, test } from "bun:test";
import { hashKey } from "../http/plugins/auth.ts";
import { ConsoleSessions, OwnPasses } from "./console-sessions.ts";

function sessions() {
  const clock = { ms: 1_000_000, nowMs: () => clock.ms, nowSeconds: () => Math.floor(clock.ms / 1000) };
  const made = new ConsoleSessions({
    clock,
    address: () => "http://127.0.0.1:1/console/",
    tenantId: () => "ten_first",
    passes: new OwnPasses(clock),
  });
  return { clock, made };
}

test("a link works once, and its key is an administrator's until the end", async () => {
  const { made } = sessions();
  const { code, url, expiresAt } = await made.mint();
  expect(url).toBe(`http://127.0.0.1:1/console/#code=${code}`);
  expect([code.length, expiresAt]).toEqual([22, 1060]);
  const key = await made.redeem(code);
  expect(key).toStartWith("sk-lec-");
  expect(await made.redeem(code)).toBeNull();
  const caller = await made.authenticate(hashKey(key ?? ""));
  expect(caller).toMatchObject({ role: "admin", isOperator: true, tenantId: "ten_first" });
  expect(await made.authenticate(hashKey("sk-lec-other"))).toBeNull();
});

test("a link is too old after a minute, the one of the start after a quarter of an hour", async () => {
  const { clock, made } = sessions();
  const opened = (await made.mint()).code;
  const started = (await made.atStart()).replace(/.*code=/, "");
  clock.ms += 60_000;
  expect(await made.redeem(opened)).toBeNull();
  clock.ms += 14 * 60_000 - 1;
  expect(await made.redeem(started)).not.toBeNull();
  const late = (await made.atStart()).replace(/.*code=/, "");
  clock.ms += 15 * 60_000;
  expect(await made.redeem(late)).toBeNull();
});

test("of too many links the oldest are forgotten, and a wrong code uses none up", async () => {
  const { made } = sessions();
  const codes: string[] = [];
  for (let i = 0; i < 65; i++) codes.push((await made.mint()).code);
  expect(await made.redeem("wrong")).toBeNull();
  expect(await made.redeem(codes[0] ?? "")).toBeNull();
  expect(await made.redeem(codes[1] ?? "")).not.toBeNull();
});
