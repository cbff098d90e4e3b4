import { expect, test } from "bun:test";
import { nestFields } from "./form-fields.ts";

test.each([
  [[["purpose", "assistants"]], { purpose: "assistants" }],
  [
    [
      ["expires_after[anchor]", "created_at"],
      ["expires_after[seconds]", "3600"],
    ],
    { expires_after: { anchor: "created_at", seconds: 3600 } },
  ],
  [
    [["expires_after", '{"anchor":"created_at","seconds":3600}']],
    { expires_after: { anchor: "created_at", seconds: 3600 } },
  ],
  [
    [
      ["ids[]", "a"],
      ["ids[]", "b"],
    ],
    { ids: ["a", "b"] },
  ],
  [[["expires_after[seconds]", "soon"]], { expires_after: { seconds: "soon" } }],
  [[["odd[", "x"]], { "odd[": "x" }],
] as [[string, string][], object][])("%j becomes %j", (fields, object) => {
  expect(nestFields(fields)).toEqual(object as never);
});

test("a field named __proto__ is a field like any other", () => {
  const fields = nestFields([["__proto__[polluted]", "yes"]]);
  expect(Object.keys(fields)).toEqual(["__proto__"]);
  expect(({} as Record<string, unknown>)["polluted"]).toBeUndefined();
});
