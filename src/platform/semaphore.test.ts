import { expect, test } from "bun:test";
import { Semaphore } from "./semaphore.ts";

test("no more is under way than there is room for, and who came first goes first", async () => {
  const room = new Semaphore(4);
  const order: string[] = [];
  const enter = async (name: string, amount: number) => {
    const giveBack = await room.take(amount);
    order.push(name);
    return giveBack;
  };
  const [first, second] = await Promise.all([enter("first", 3), enter("second", 1)]);
  const large = enter("large", 100);
  const small = enter("small", 1);
  second();
  // Given back twice, it counts once.
  second();
  await Promise.resolve();
  expect(order).toEqual(["first", "second"]);
  first();
  (await large)();
  await small;
  expect(order).toEqual(["first", "second", "large", "small"]);
});
