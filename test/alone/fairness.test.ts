/** One tenant's long batch, another's single file; one tenant's flood of requests, another's single one. */
import { expect, test } from "bun:test";
import { json, newStore, settled, upload } from "../helpers/api.ts";
import { startServer } from "../helpers/server.ts";
import { as, newKey, newTenant } from "../helpers/tenants.ts";
import { waitFor } from "../helpers/wait.ts";

const FILES = 400;
const text = (i: number) =>
  Array.from({ length: 60 }, (_, n) => `Line ${n} of file ${i}: on refunds, returns and the shipping of goods.`).join(
    "\n\n",
  );

test("a single file is not held up by another tenant's batch by more than a few files", async () => {
  await using server = await startServer();
  const of = async (name: string) => {
    const tenant_id = await newTenant(server, name);
    return as(server, (await newKey(server, { tenant_id })).key);
  };
  const [big, small] = [await of("big"), await of("small")];
  const [bigStore, smallStore] = [await newStore(big), await newStore(small)];
  const files: string[] = [];
  for (let i = 0; i < FILES; i += 20)
    files.push(...(await Promise.all(Array.from({ length: 20 }, (_, n) => upload(big, `${i + n}.txt`, text(i + n))))));
  const single = await upload(small, "single.txt", text(FILES));
  await json(big, "POST", `/v1/vector_stores/${bigStore}/file_batches`, { file_ids: files });
  const done = async () =>
    (await json<{ file_counts: { completed: number } }>(big, "GET", `/v1/vector_stores/${bigStore}`)).file_counts
      .completed;
  await waitFor("the batch is under way", async () => ((await done()) > 10 ? true : undefined));

  const before = await done();
  const startedAt = performance.now();
  await json(small, "POST", `/v1/vector_stores/${smallStore}/files`, { file_id: single });
  expect((await settled(small, smallStore, single)).status).toBe("completed");
  const waitedMs = performance.now() - startedAt;
  const passed = (await done()) - before;
  console.log(
    `${FILES} files queued: the other tenant's file took ${waitedMs.toFixed(0)} ms; ${passed} of the batch were done meanwhile`,
  );
  expect(before).toBeLessThan(FILES - 50);
  expect(passed).toBeLessThanOrEqual(20);
});
