import { expect, test } from "bun:test";
import { Pace } from "./pace.ts";

test("no more requests run than are allowed, and the next ones wait their turn", async () => {
  const pace = new Pace(2);
  let entered = 0;
  const enter = async () => {
    await pace.enter();
    entered++;
  };
  const all = [enter(), enter(), enter(), enter()];
  await Promise.all(all.slice(0, 2));
  expect(entered).toBe(2);
  pace.leave("failed");
  await all[2];
  expect(entered).toBe(3);
  pace.leave("answered");
  await all[3];
  expect([entered, pace.allowed]).toEqual([4, 2]);
});

test("half as many run after each refusal, and as many as before after enough answers", async () => {
  const pace = new Pace(8);
  const turn = async (outcome: "answered" | "limited") => {
    await pace.enter();
    pace.leave(outcome);
    return pace.allowed;
  };
  const refused: number[] = [];
  for (let i = 0; i < 5; i++) refused.push(await turn("limited"));
  expect(refused).toEqual([4, 2, 1, 1, 1]);
  let answers = 0;
  while ((await turn("answered")) < 8) answers++;
  expect(answers).toBeGreaterThan(20);
  expect(answers).toBeLessThan(60);
});
