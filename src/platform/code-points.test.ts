import { expect, test } from "bun:test";
import { normalForm } from "./code-points.ts";

test("composes accents and takes them apart", () => {
  expect(normalForm("Pru\u0308fung", "NFC")).toBe("Pr\u00fcfung");
  expect(normalForm("Pr\u00fcfung", "NFD")).toBe("Pru\u0308fung");
});

test("leaves text alone that nobody writes, however long, without delay", () => {
  const hostile = `a${"\u0315\u0300\u0316".repeat(100_000)}`;
  const startedAt = performance.now();
  expect(normalForm(hostile, "NFC")).toBe(hostile);
  expect(performance.now() - startedAt).toBeLessThan(1000);
});
