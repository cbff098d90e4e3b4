/** Canaries: a key, a document's words and a query's words must not turn up where they do not belong. */
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "bun:test";
import { addText, newStore, refusal, search, upload, json, settled } from "../helpers/api.ts";
import { startServer } from "../helpers/server.ts";

const KEY = "sk-canary-KEY-7f3a9c1e55d84b0e";
const WRONG_KEY = "sk-canary-WRONG-0b1d2c3e4f5a6978";
const WORDS = "canarydocumentwords";
const QUERY = "canaryquerywords";

test("keys, document text and queries are in no log, metric or error; keys not in the data directory either", async () => {
  await using server = await startServer({ env: { LECTERN_API_KEY: KEY, LECTERN_LOG_LEVEL: "debug" } });
  const answers: string[] = [];
  const storeId = await newStore(server, { name: "canaries" });
  await addText(server, storeId, "a.txt", `The secret is ${WORDS}.`);
  await search(server, storeId, { query: QUERY });
  const broken = await upload(server, "b.json", `{"a": "${WORDS}" "broken`);
  await json(server, "POST", `/v1/vector_stores/${storeId}/files`, { file_id: broken });
  await settled(server, storeId, broken);
  answers.push(
    JSON.stringify(await refusal(server, "GET", "/v1/files", undefined, { authorization: `Bearer ${WRONG_KEY}` })),
  );
  answers.push(
    JSON.stringify(
      await refusal(server, "POST", `/v1/vector_stores/${storeId}/search`, { query: QUERY, max_num_results: 99 }),
    ),
  );
  answers.push(
    JSON.stringify(await refusal(server, "POST", "/v1/embeddings", { input: WORDS, model: "no-such-model-at-all" })),
  );
  answers.push(JSON.stringify(await refusal(server, "POST", "/v1/embeddings", `{"input": "${WORDS}`)));
  answers.push(await (await server.fetch("/metrics")).text());
  answers.push(await (await fetch(`${server.url}/readyz`)).text());
  // Also while it is running: what the kernel shows other users of the machine.
  answers.push(readFileSync(`/proc/${server.pid}/cmdline`, "utf8"));
  expect(await server.stop()).toBe(0);
  answers.push(server.log());

  expect(server.log()).toContain("/v1/");
  for (const canary of [KEY, WRONG_KEY, WORDS, QUERY]) {
    for (const answer of answers) expect(answer).not.toContain(canary);
  }
  for (const path of everyFile(server.dataDir)) {
    const bytes = readFileSync(path);
    for (const key of [KEY, WRONG_KEY]) expect([path, bytes.includes(key)]).toEqual([path, false]);
    expect([path, statSync(path).mode & 0o077]).toEqual([path, 0]);
  }
});

function everyFile(directory: string): string[] {
  return readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));
}
