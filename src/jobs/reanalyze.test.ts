import { expect, test } from "bun:test";
import { ANALYZER_VERSION } from "../index/term-blob.ts";
import { createReanalyzeHandler, type ReanalyzeDeps } from "./reanalyze.ts";
import { Killed, STORE, Workshop } from "./testing/workshop.ts";

const TEXT = Array.from({ length: 800 }, (_, i) => `word${i}`).join(" ");
const OLD = 1;

/** Terms of the new version, as far as their first byte says it. */
const upgraded: ReanalyzeDeps["parse"]["upgradeTerms"] = (_tenantId, chunks) =>
  Promise.resolve(chunks.map(({ terms }) => Uint8Array.from(terms, (byte, i) => (i === 0 ? ANALYZER_VERSION : byte))));

function handlerOf(shop: Workshop, more: Partial<ReanalyzeDeps["parse"]> = {}, applied: number[] = []) {
  const { storage, failpoint } = shop;
  const apply: ReanalyzeDeps["apply"] = (_store, generation) => void applied.push(generation);
  return createReanalyzeHandler({ storage, failpoint, apply, parse: { upgradeTerms: upgraded, ...more } });
}

/** A store whose chunks an older version has analysed. */
async function older(): Promise<Workshop> {
  const shop = new Workshop();
  await shop.store();
  await shop.ingested("file-1", TEXT);
  const rows = shop.db.raw.query<{ chunk_id: number; terms: Uint8Array }, []>("SELECT * FROM chunk_terms").all();
  for (const { chunk_id: id, terms } of rows) {
    const old = Uint8Array.from(terms, (byte, i) => (i === 0 ? OLD : byte));
    shop.db.raw.query("UPDATE chunk_terms SET terms = ?1 WHERE chunk_id = ?2").run(old, id);
  }
  return shop;
}

function versions({ db }: Workshop): number[] {
  const rows = db.raw.query<{ terms: Uint8Array }, []>("SELECT terms FROM chunk_terms").all();
  return [...new Set(rows.map(({ terms }) => terms[0] ?? 0))].sort((a, b) => a - b);
}

test("chunks of an older version get terms of this one, and the open index takes them", async () => {
  await using shop = await older();
  expect(versions(shop)).toEqual([OLD]);
  const applied: number[] = [];
  expect(await shop.run(handlerOf(shop, {}, applied), STORE)).toEqual({ type: "done" });
  expect(versions(shop)).toEqual([ANALYZER_VERSION]);
  expect(new Set(applied).size).toBe(1);
  // Nothing is left to do.
  const refuses = () => Promise.reject(new Error("asked again"));
  expect(await shop.run(handlerOf(shop, { upgradeTerms: refuses }), STORE)).toEqual({ type: "done" });
});

test("killed in between, the next process does the rest and answers from both kinds meanwhile", async () => {
  await using shop = await older();
  shop.killAt("reanalyze:some-written");
  const killed = await shop.run(handlerOf(shop), STORE).catch((error: unknown) => error);
  expect(killed).toBeInstanceOf(Killed);
  await using next = new Workshop(shop);
  expect(versions(next)).toEqual([OLD, ANALYZER_VERSION]);
  expect(await next.run(handlerOf(next), STORE)).toEqual({ type: "done" });
  expect(versions(next)).toEqual([ANALYZER_VERSION]);
});

test("a worker that is away is asked later; a stop leaves the rest for the next time", async () => {
  await using shop = await older();
  const away = { upgradeTerms: () => Promise.resolve(null) };
  expect((await shop.run(handlerOf(shop, away), STORE)).type).toBe("retry");
  expect(await shop.run(handlerOf(shop), STORE, { signal: AbortSignal.abort() })).toEqual({ type: "interrupted" });
  expect(versions(shop)).toEqual([OLD]);
});
