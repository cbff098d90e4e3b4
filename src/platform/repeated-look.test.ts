import { expect, test } from "bun:test";
import { RepeatedLook } from "./repeated-look.ts";

test("looks one after another, goes on after a failure, and ends when the one under way is over", async () => {
  const seen: string[] = [];
  const third = Promise.withResolvers<void>();
  const begun = Promise.withResolvers<void>();
  const look = async () => {
    seen.push("look");
    if (seen.length === 1) throw new Error("away");
    if (seen.length < 4) return;
    begun.resolve();
    await third.promise;
    seen.push("ended");
  };
  const repeated = new RepeatedLook(look, { everyMs: 1, failedMs: 1 }, (error) => seen.push(String(error)));
  repeated.start();
  await begun.promise;
  const end = repeated[Symbol.asyncDispose]();
  third.resolve();
  await end;
  expect(seen).toEqual(["look", "Error: away", "look", "look", "ended"]);
});
