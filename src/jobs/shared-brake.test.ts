/** The brake of a migration in its row, over either database. */
import { afterEach, beforeEach, expect, test } from "bun:test";
import type { JobRow } from "../storage/jobs.ts";
import { onEachDatabase, type TestStorage } from "../storage/testing/kinds.ts";
import { insertGeneration, insertStore } from "../storage/testing/rows.ts";
import { SharedBrake } from "./shared-brake.ts";

const T = "ten_1";
const STORE = "vs_1";
const never = new AbortController().signal;

onEachDatabase((kind) => {
  let open: TestStorage;
  beforeEach(async () => {
    open = await kind.open();
    const { storage } = open;
    await storage.tenants.insert({ id: T, name: "a", createdAt: 1 });
    for (const id of [STORE, "vs_2"]) {
      await insertStore(storage, { id, tenantId: T });
      const { id: from } = await insertGeneration(storage, { tenantId: T, storeId: id });
      for (const n of [1, 2]) await migration(id, `mig_${id}_${n}`, from);
    }
  });
  afterEach(() => open[Symbol.asyncDispose]());

  const migration = (storeId: string, id: string, fromGeneration: number) => {
    const identity = { model: "m", model_revision: "1", dimensions: 2, embedding_model: "m" };
    const shown = { ...identity, embedding_dimensions: null, number: null };
    return open.storage.migrations.insert({
      id,
      tenantId: T,
      storeId,
      createdAt: 1,
      fromGeneration,
      fromIdentity: shown,
      toIdentity: shown,
      maxTokens: null,
      overlapTokens: null,
      gate: null,
      dryRun: false,
      retainHours: 0,
    });
  };
  const credits = () => open.db.all("SELECT id, ingest_credit AS credit FROM migration ORDER BY id");
  const of = (credit: number | null, other: number | null = null) => [
    { id: "mig_vs_1_1", credit: null },
    { id: "mig_vs_1_2", credit },
    { id: "mig_vs_2_1", credit: null },
    { id: "mig_vs_2_2", credit: other },
  ];
  const set = () => {
    const brake = new SharedBrake(open.storage.migrations, (error) => expect(error).toBe("none"));
    let chunks = 0;
    const handler = brake.watch({ kind: "ingest", concurrency: 1, run: () => Promise.resolve({ type: "done" }) }, () =>
      Promise.resolve(chunks),
    );
    const enter = async (count: number, store_id = STORE) => {
      chunks = count;
      await handler.run({ store_id, tenant_id: T } as JobRow, never);
    };
    return { brake, enter };
  };

  test("is in the row of the latest: what enters takes from it, what is added gives half", async () => {
    const { brake, enter } = set();
    await enter(1000);
    expect(await credits()).toEqual(of(null));
    const applied = brake.apply(STORE, 100, T);
    for (const chunks of [1, 1, 1, 30]) applied.added(chunks);
    await applied.settled?.();
    await enter(60);
    await enter(1000, "vs_2");
    expect(await credits()).toEqual(of(100 + 16 - 60));
    applied[Symbol.dispose]();
    await applied.settled?.();
    expect(await credits()).toEqual(of(null));
  });

  test("what was saved up in one round is not spent in the next, and after some rounds nothing enters", async () => {
    const { brake } = set();
    const applied = brake.apply(STORE, 1000, T);
    applied.added(10);
    applied.roundEnded();
    await applied.settled?.();
    expect(await credits()).toEqual(of(5));
    for (let round = 1; round < 4; round++) applied.roundEnded();
    applied.added(1000);
    await applied.settled?.();
    const [, row] = (await credits()) as { credit: number }[];
    expect(row?.credit).toBeLessThan(-1_000_000);
  });
});
