import { expect, test } from "bun:test";
import { VERBS } from "../cli/verbs.ts";
import { manPage } from "./man-page.ts";

test("the page names every verb with its options, and no sign of its text is an order to roff", async () => {
  const page = await manPage(1_700_000_000);
  expect(page).toStartWith('.TH LECTERN 1 2023-11-14 "Lectern ');
  for (const [name, { load }] of Object.entries(VERBS)) {
    const section = page.split(`.SS "lectern ${name}`)[1]?.split(".SS ")[0] ?? "";
    for (const flag of Object.keys((await load()).flags ?? {}))
      expect([name, section.includes(`.B \\-\\-${flag.replaceAll("-", "\\-")}`)]).toEqual([name, true]);
  }
  for (const line of page.split("\n")) expect(line).toMatch(/^(\.(TH|SH|SS|PP|TP|B|I)\b|\\&|[^.'])|^$/);
  expect(page).toMatch(/^[\x20-\x7e\n]*$/);
});
