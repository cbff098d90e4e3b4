import { describe, expect, test } from "bun:test";
import type { TSchema } from "@sinclair/typebox";
import { allOperations } from "./testing/all-operations.ts";
import { compileValidator } from "../http/validate.ts";

type Json = Record<string, unknown>;

/** Every way of adding one unknown key to an object somewhere in `value`, with the place it was added. */
function* withUnknownKey(value: unknown, path = ""): Generator<{ path: string; value: unknown }> {
  if (Array.isArray(value)) {
    for (const [i, item] of value.entries()) {
      for (const one of withUnknownKey(item, `${path}[${i}]`))
        yield { path: one.path, value: value.with(i, one.value) };
    }
  } else if (typeof value === "object" && value !== null) {
    const at = path === "" ? "" : `${path}.`;
    yield { path: `${at}unknown_key`, value: { ...value, unknown_key: 1 } };
    for (const [key, inner] of Object.entries(value as Json)) {
      for (const one of withUnknownKey(inner, at + key))
        yield { path: one.path, value: { ...value, [key]: one.value } };
    }
  }
}

/** Maps that hold whatever the client likes. */
const FREE_FORM = /(^|\.)(metadata|attributes|filters)(\.|\[|$)/;

/** Bodies that are sent on as they came. */
const SENT_ON = ["createChatCompletion"];

const withBody = allOperations().flatMap(({ spec }) =>
  spec.body === undefined || spec.body["type"] === "array" || SENT_ON.includes(spec.operationId)
    ? []
    : [{ spec, body: spec.body as TSchema }],
);

describe("an unknown parameter anywhere is refused by name", () => {
  test.each(withBody.map((one) => [one.spec.operationId, one] as const))("%s", (_, { spec, body }) => {
    const validator = compileValidator(body);
    const variants = [...withUnknownKey(spec.examples?.body)].filter(({ path }) => !FREE_FORM.test(path));
    expect(variants.length).toBeGreaterThan(0);
    for (const { path, value } of variants) {
      expect(validator.problem(value)).toEqual({
        code: "unknown_parameter",
        message: `Unknown parameter: '${path}'.`,
        param: path,
      });
    }
  });
});
