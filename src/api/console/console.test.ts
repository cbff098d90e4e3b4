import { expect, test } from "bun:test";
import { KEYS, storeApp } from "../../app/testing/store-app.ts";

test("a code that is worth nothing is refused with what helps", async () => {
  await using f = await storeApp();
  const { status, json } = await f.call("POST", "/v1/console/session", { code: "xSCkR2gvCvQLk4yhEDuGqQ" });
  expect([status, json.error.code]).toEqual([401, "invalid_api_key"]);
  expect(json.error.message).toContain("lectern open");
});

test.each([KEYS.admin, KEYS.write, KEYS.read])("a key of the database makes no link: %s", async (key) => {
  await using f = await storeApp();
  const answer = await f.call("POST", "/v1/console/links", undefined, { authorization: `Bearer ${key}` });
  expect([answer.status, answer.json.error.code]).toEqual([403, "permission_denied"]);
});
