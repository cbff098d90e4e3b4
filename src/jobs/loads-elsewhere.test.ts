/** Who is about to make a generation live waits for those that load it, over one real PostgreSQL. */
import { afterEach, beforeAll, beforeEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { hasPostgres } from "../../test/cluster/servers/postgres.ts";
import { lacks } from "../../test/helpers/lacks.ts";
import { waitFor } from "../../test/helpers/wait.ts";
import type { IndexLease } from "../index/registry.ts";
import { createChanges } from "../platform/changes.ts";
import { createLog } from "../platform/log.ts";
import type { GenerationRow } from "../storage/generations.ts";
import { Replica } from "../storage/postgres/replica.ts";
import { POSTGRES, readyPostgres, SERVER_STARTS_MS, type TestStorage } from "../storage/testing/kinds.ts";
import { insertGeneration, insertStore } from "../storage/testing/rows.ts";
import { LoadsElsewhere, type LoadTimes } from "./loads-elsewhere.ts";

const T = "ten_a";
/** Longer than any test. */
const LONG_MS = 600_000;

setDefaultTimeout(60_000);

describe.skipIf(lacks("PostgreSQL", hasPostgres))("a generation that is to go live", () => {
  let open: TestStorage;
  let over: AsyncDisposableStack;
  let generation: GenerationRow;
  const changes = createChanges();

  beforeAll(readyPostgres, SERVER_STARTS_MS);
  beforeEach(async () => {
    open = await POSTGRES.open();
    over = new AsyncDisposableStack();
    await open.storage.tenants.insert({ id: T, name: "a", createdAt: 1 });
    await insertStore(open.storage, { id: "vs_1", tenantId: T });
    generation = await insertGeneration(open.storage, { tenantId: T, storeId: "vs_1" });
  });
  afterEach(async () => {
    await over.disposeAsync();
    await open[Symbol.asyncDispose]();
  });

  /** A server, and what becomes of what it is asked to load. */
  async function server(id: string, times: Partial<LoadTimes> = {}) {
    const replica = over.use(
      await Replica.join(open.db, { id, place: id, termMs: LONG_MS, onFailure: (said) => expect(said).toBe("none") }),
    );
    const asked: number[] = [];
    const released: number[] = [];
    const { promise: loading, resolve: load, reject: fail } = Promise.withResolvers<boolean>();
    loading.catch(() => {});
    const log = createLog({ level: "error", format: "human", write: () => {} });
    const loads = over.use(
      new LoadsElsewhere({
        storage: open.storage,
        changes,
        replica,
        log,
        times,
        async load({ id: of }) {
          asked.push(of);
          if (!(await loading)) return null;
          return { release: () => void released.push(of) } as unknown as IndexLease;
        },
      }),
    );
    return { replica, loads, asked, released, load, fail };
  }

  /** Whether it is over by now, and its end. */
  function watched(waiting: Promise<void>) {
    const state = { isOver: false, end: waiting.finally(() => void (state.isOver = true)) };
    return state;
  }

  const states = async () =>
    (await open.db.all<{ holder: string }>("SELECT holder FROM held ORDER BY name")).map(({ holder }) => holder);
  const until = (wanted: string[]) =>
    waitFor(`what is said is ${wanted}`, async () => (`${await states()}` === `${wanted}` ? true : undefined), 20_000);
  const never = new AbortController().signal;

  test("waits for each server that loads it, which keeps it until then", async () => {
    const [one, two, three] = [await server("one"), await server("two"), await server("three")];
    for (const { loads } of [two, three]) loads.start();
    const waiting = watched(one.loads.wait(generation, never));
    await until(["loading", "loading"]);
    three.load(true);
    await until(["loaded", "loading"]);
    expect([waiting.isOver, three.released]).toEqual([false, []]);
    two.load(true);
    await waiting.end;
    expect([one.asked, two.asked, three.asked]).toEqual([[], [generation.id], [generation.id]]);
    expect(await states()).toEqual([]);
    for (const { released } of [two, three])
      await waitFor("it may leave memory", () => (released.length === 1 ? true : undefined));
  });

  test("waits for nobody where nobody else is there, or has the store in memory, or can load it", async () => {
    const one = await server("one");
    await one.loads.wait(generation, never);
    const [two, three] = [await server("two"), await server("three")];
    for (const { loads } of [two, three]) loads.start();
    two.load(false);
    three.fail(new Error("it cannot be read"));
    await one.loads.wait(generation, never);
    expect([two.asked, three.asked, await states()]).toEqual([[generation.id], [generation.id], []]);
  });

  test("does not wait for one that does not answer, or that ends while it loads", async () => {
    const one = await server("one", { answer: 300 });
    const silent = await server("silent");
    const waiting = watched(one.loads.wait(generation, never));
    await until(["?"]);
    await waiting.end;
    await silent.replica[Symbol.asyncDispose]();
    const dying = await server("dying", { word: 300 });
    const patient = await server("patient", { answer: 10_000 });
    dying.loads.start();
    const second = watched(patient.loads.wait(generation, never));
    // One of them is patient's own elder, who does not answer either.
    await waitFor("it loads", async () => ((await states()).includes("loading") ? true : undefined));
    expect(second.isOver).toBe(false);
    await one.replica[Symbol.asyncDispose]();
    await dying.loads[Symbol.asyncDispose]();
    await second.end;
    expect([silent.asked, dying.asked, await states()]).toEqual([[], [generation.id], []]);
    dying.load(true);
    await waitFor("what was loaded is let go", () => (dying.released.length === 1 ? true : undefined));
  });

  test("waits for its time and no longer, whatever is said, and not once it is ended", async () => {
    const hasty = await server("hasty", { most: 700 });
    const endless = await server("endless", { word: 200 });
    endless.loads.start();
    await hasty.loads.wait(generation, never);
    expect(endless.asked).toEqual([generation.id]);
    const patient = await server("patient");
    const end = new AbortController();
    const waiting = patient.loads.wait(generation, end.signal);
    await waitFor("it loads", async () => ((await states()).includes("loading") ? true : undefined));
    end.abort();
    await waiting;
    expect(await states()).toEqual([]);
  });

  test("is asked for again by whoever goes on with the migration, and loaded once", async () => {
    const one = await server("one");
    const two = await server("two", { word: 200 });
    two.loads.start();
    const end = new AbortController();
    const first = one.loads.wait(generation, end.signal);
    await until(["loading"]);
    end.abort();
    await first;
    const second = watched(one.loads.wait(generation, never));
    await waitFor("it is asked anew", async () => ((await states()).length === 1 ? true : undefined));
    two.load(true);
    await second.end;
    expect(new Set(two.asked)).toEqual(new Set([generation.id]));
  });
});
