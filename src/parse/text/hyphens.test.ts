import { expect, test } from "bun:test";

import { textOf } from "../../../test/fixtures/parse/read.ts";
import { joinHyphenated } from "./hyphens.ts";

test.each([
  ["The hydrau-\nlic pump is main-\ntained.", "The hydraulic\npump is maintained.\n"],
  ["A main pump is main-\n  tained, yearly", "A main pump is maintained,\nyearly"],
  ["hydraulic or hydrau-\nlic", "hydraulic or hydraulic\n"],
  ["state-of-the-art and a set-\nup; the set-up", "state-of-the-art and a set-up;\nthe set-up"],
  ["a well-\nknown fact", "a well-\nknown fact"],
  ["Vor-\nund Nachteile", "Vor-\nund Nachteile"],
  ["the pump and the valve: a pump-\nvalve", "the pump and the valve: a pump-\nvalve"],
  ["soft\u00ad\nware", "software\n"],
  ["- item\n- other", "- item\n- other"],
  ["1990-\n1995 and A-\nB and x-\nY", "1990-\n1995 and A-\nB and x-\nY"],
  ["see https://a.example/long-\npath and foo_ab-\ncd", "see https://a.example/long-\npath and foo_ab-\ncd"],
  ["cut- \n", "cut- \n"],
])("%j is %j", (text, joined) => {
  expect(joinHyphenated(text)).toBe(joined);
});

test("words cut at the ends of lines are whole in plain text alone", async () => {
  expect(await textOf("a hydrau-\nlic kind\n", "a.txt")).toBe("a hydraulic\nkind\n");
  expect(await textOf("a hydrau-\nlic kind\n", "a.py")).toBe("a hydrau-\nlic kind\n");
});
