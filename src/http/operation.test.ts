import { expect, test } from "bun:test";
import { Type } from "@sinclair/typebox";
import { formLimit, LARGE_BODY, NO_BODY } from "./body-limit.ts";
import { operation } from "./operation.ts";

const about = {
  method: "POST",
  path: "/v1/things",
  operationId: "makeThing",
  summary: "Make a thing",
  tag: "Lectern",
  role: "write",
  response: Type.Object({}),
} as const;
const answer = () => ({});
const body = Type.Object({});

test("an operation states what its body may be at most, or does not compile", () => {
  const good = [
    operation({ ...about, bodyLimit: NO_BODY }, answer),
    operation({ ...about, body, bodyLimit: LARGE_BODY }, answer),
    operation({ ...about, multipart: body, bodyLimit: formLimit(1) }, answer),
  ];
  expect(good.map(({ spec }) => spec.bodyLimit.kind)).toEqual(["none", "json", "form"]);
  // @ts-expect-error no limit
  operation(about, answer);
  // @ts-expect-error no limit of a JSON body
  operation({ ...about, body }, answer);
  // @ts-expect-error no limit of a form
  operation({ ...about, multipart: body }, answer);
  // @ts-expect-error a body that is said to be none
  operation({ ...about, body, bodyLimit: NO_BODY }, answer);
  // @ts-expect-error JSON with the limit of a form
  operation({ ...about, body, bodyLimit: formLimit(1) }, answer);
});
