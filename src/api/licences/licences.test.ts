import { expect, test } from "bun:test";
import { KEYS, storeApp } from "../../app/testing/store-app.ts";

test("every key may read under which licences the program and what is in it are", async () => {
  await using f = await storeApp();
  const as = (key: string) => f.request("GET", "/v1/licences", undefined, { authorization: `Bearer ${key}` });
  const answer = await as(KEYS.read);
  expect([answer.status, answer.headers.get("content-type")]).toEqual([200, "text/plain; charset=utf-8"]);
  const text = await answer.text();
  for (const work of ["Licensed under the Apache License", "onnxruntime-node", "TERMS AND CONDITIONS"])
    expect(text).toContain(work);
  expect((await as("wrong")).status).toBe(401);
});
