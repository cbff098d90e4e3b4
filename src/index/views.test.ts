import { expect, test } from "bun:test";
import { Views } from "./views.ts";

test("a view has what was there when it began and is there still", () => {
  const views = new Views();
  views.added(1);
  const first = views.open();
  views.added(2);
  const second = views.open();
  views.added(3);
  views.removed(1);
  const seen = (view: typeof first | null) => [0, 1, 2, 3].filter((owner) => views.shows(view, owner));
  expect(seen(first)).toEqual([0]);
  expect(seen(second)).toEqual([0, 2]);
  expect(seen(null)).toEqual([0, 2, 3]);
  views.close();
  expect(seen(second)).toEqual([0, 2]);
  views.close();
  expect(views.isHiding).toBe(false);
});

test("what must wait for open views is done when the last is closed, in order", () => {
  const views = new Views();
  const done: string[] = [];
  views.afterwards(() => done.push("at once"));
  views.open();
  views.open();
  views.afterwards(() => done.push("first"));
  views.afterwards(() => done.push("second"));
  views.close();
  expect(done).toEqual(["at once"]);
  views.close();
  expect(done).toEqual(["at once", "first", "second"]);
});

test.each<[what: string, gather: (views: Views) => void]>([
  ["many owners", (views) => Array.from({ length: 5000 }, (_, owner) => views.removed(owner))],
  ["much memory", (views) => views.afterwards(() => {}, 2 ** 30)],
  ["many actions", (views) => Array.from({ length: 2 ** 17 }, () => views.afterwards(() => {}))],
])("who comes when %s have gathered waits until the others have ended", async (_, gather) => {
  const views = new Views();
  views.open();
  expect(views.isCrowded).toBe(false);
  gather(views);
  expect(views.isCrowded).toBe(true);
  const waited = views.room().then(() => views.isCrowded);
  views.close();
  expect(await waited).toBe(false);
  await views.room();
});
