import { expect, test } from "bun:test";
import { bodiesOf, comparedOf, comparedQuery } from "./pages/compare-state.ts";
import { askedOf, queryOf } from "./pages/search-state.ts";
import { addressOf, parseRoute } from "./route.ts";

const bodies = (hash: string) => {
  const route = parseRoute(hash);
  return bodiesOf(askedOf(route), comparedOf(route));
};

test("one search, two settings, or two indexes stand in the address", () => {
  const page = "#/stores/vs_1/playground?q=lunch&n=5";
  const left = { query: "lunch", max_num_results: 5 };
  expect(bodies(page)).toEqual([left]);
  expect(bodies(`${page}&compare=mig_1`)).toEqual([left, { ...left, migration_id: "mig_1" }]);
  expect(bodies(`${page}&compare=settings&right.mode=vector`)).toEqual([
    left,
    { query: "lunch", search_mode: "vector" },
  ]);
});

test("both sides have one query and one filter", () => {
  const filter = '{"type":"eq","key":"a","value":1}';
  const [left, right] = bodies(
    `#/stores/vs_1/playground?q=lunch&filter=${encodeURIComponent(filter)}&compare=settings&right.q=x&right.filter=y`,
  );
  expect(left?.["filters"]).toEqual(JSON.parse(filter));
  expect(right).toEqual(left ?? {});
});

test("an address says again what it was read from", () => {
  for (const hash of [
    "#/stores/vs_1/playground?q=lunch",
    "#/stores/vs_1/playground?q=lunch&compare=mig_1",
    "#/stores/vs_1/playground?q=lunch&mode=keyword&compare=settings&right.mode=vector&right.n=5",
  ]) {
    const route = parseRoute(hash);
    const query = { ...queryOf(askedOf(route)), ...comparedQuery(comparedOf(route)) };
    expect(addressOf({ page: "playground", store: "vs_1", query })).toBe(hash);
  }
});
