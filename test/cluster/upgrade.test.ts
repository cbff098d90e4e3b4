/**
 * A rollout: servers of one database are replaced by those of a later release, one after another, while clients write and
 * search, and by the earlier ones again. The later release is this one with steps of the schema that it adds, run from its
 * sources. Nothing that was acknowledged is lost, nothing is found too much, and no request fails but those to a server that
 * is being stopped. UPGRADE_STEPS says how many steps clients make between two replacements (30 unless set).
 */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { addText, json, newStore, search, upload } from "../helpers/api.ts";
import { lacks } from "../helpers/lacks.ts";
import { runSeed } from "../helpers/random.ts";
import { startOne, type TestServer } from "../helpers/server.ts";
import { tempDir } from "../helpers/temp-dir.ts";
import { waitFor } from "../helpers/wait.ts";
import { makeText, untilIndexed } from "../migrate/corpus.ts";
import { hasPostgres, testDatabase } from "./servers/postgres.ts";
import { laterRelease, type Release } from "./servers/release.ts";
import { type Replicas, startReplicas } from "./servers/replicas.ts";
import { Story } from "./story.ts";

setDefaultTimeout(480_000);

const STEPS = Number(process.env["UPGRADE_STEPS"] ?? 30);
const CLIENTS = 3;
const BATCH_FILES = 10;

/** What is read and written most. */
const TABLES = ["chunk", "vector_store", "job", "store_file", "file"];
/** A step for each, that takes all of them in an order of its own, and one with what is new. */
const EXPAND = [
  ...TABLES.map((_, i) =>
    [...TABLES.slice(i), ...TABLES.slice(0, i)]
      .map((name) => `ALTER TABLE ${name} ADD COLUMN next_${i} TEXT;`)
      .join("\n"),
  ),
  `CREATE INDEX store_file_by_next ON store_file (tenant_id, next_0);
  CREATE TABLE next_thing (tenant_id TEXT NOT NULL, name TEXT NOT NULL, PRIMARY KEY (tenant_id, name));`,
].map((sql) => ({ sql }));
const CONTRACT = { sql: "CREATE INDEX chunk_by_next ON chunk (tenant_id, next_0);", isContract: true };

let expanded: Release;
let contracted: Release;
beforeAll(async () => {
  expanded = await laterRelease(EXPAND);
  contracted = await laterRelease([...EXPAND, CONTRACT]);
});
afterAll(() => {
  expanded?.[Symbol.dispose]();
  contracted?.[Symbol.dispose]();
});

const asError = (thrown: unknown) => (thrown instanceof Error ? thrown : new Error(String(thrown)));

/** Servers that are replaced under clients who go on. */
class Rollout {
  readonly #replicas: Replicas;
  readonly #store: string;
  /** Those that clients ask. */
  readonly #rotation: TestServer[];
  readonly #leaving = new Set<TestServer>();
  readonly #stories: Story[];
  #failure: Error | null = null;
  #batched = 0;

  constructor(replicas: Replicas, store: string, seed: number) {
    this.#replicas = replicas;
    this.#store = store;
    this.#rotation = [...replicas.servers];
    const scene = { store, leaving: this.#leaving };
    this.#stories = ["a", "b", "c"]
      .slice(0, CLIENTS)
      .map((name, i) => new Story(name, this.#rotation, { ...scene, seed: seed + i }));
  }

  /** Does `replacements` while clients go on, and looks at all that they did at the end. */
  async during(replacements: () => Promise<void>): Promise<void> {
    const over = new AbortController();
    const clients = this.#stories.map(async (story) => {
      try {
        while (!over.signal.aborted) await story.step();
      } catch (error) {
        this.#failure ??= asError(error);
      }
    });
    try {
      await this.steps();
      await replacements();
    } catch (error) {
      this.#failure ??= asError(error);
    }
    over.abort();
    await Promise.all(clients);
    if (this.#failure !== null) throw this.#failure;
    for (const story of this.#stories) for (const server of this.#rotation) await story.checkAll(server);
  }

  /** Until each client has made some steps more. */
  async steps(): Promise<void> {
    const wanted = this.#stories.map(({ steps }) => steps + STEPS / CLIENTS);
    await waitFor("clients go on", () => {
      if (this.#failure !== null) throw this.#failure;
      return this.#stories.every(({ steps }, i) => steps >= (wanted[i] ?? 0)) ? true : undefined;
    });
  }

  async start(place: number, release: Release | null): Promise<void> {
    const server = await this.#replicas.start(place, release === null ? {} : { command: release.command });
    expect((await server.fetch("/readyz")).status).toBe(200);
    this.#rotation.push(server);
  }

  /** In the middle of work that was given to it. Clients hear of its end by their requests alone. */
  async stop(place: number): Promise<void> {
    const server = this.#replicas.servers[place];
    if (server === undefined) throw new Error("no such server");
    const ids: string[] = [];
    for (let i = 0; i < BATCH_FILES; i++)
      ids.push(await upload(server, `batch-${this.#batched + i}.txt`, makeText(this.#batched + i, 10)));
    const path = `/v1/vector_stores/${this.#store}/file_batches`;
    const { id } = await json<{ id: string }>(server, "POST", path, { file_ids: ids });
    this.#batched += ids.length;
    this.#leaving.add(server);
    expect(await server.stop()).toBe(0);
    this.#rotation.splice(this.#rotation.indexOf(server), 1);
    expect(server.log()).not.toContain('"level":"error"');
    const [other] = this.#rotation;
    if (other === undefined) throw new Error("nobody serves");
    const counts = await waitFor("the batch is done by another", async () => {
      const batch = await json<{ file_counts: Record<string, number> }>(other, "GET", `${path}/${id}`);
      return batch.file_counts["in_progress"] === 0 ? batch.file_counts : undefined;
    });
    expect(counts).toMatchObject({ completed: BATCH_FILES, failed: 0, cancelled: 0 });
  }

  /** Nobody has logged an error, and each file has each of its chunks once. */
  async looked(): Promise<string> {
    for (const server of this.#rotation) expect(server.log()).not.toContain('"level":"error"');
    for (const server of this.#rotation) await untilIndexed(server, this.#store);
    const twice = "SELECT store_file, idx FROM chunk GROUP BY store_file, revision, idx HAVING count(*) > 1";
    expect(await this.#replicas.rows(twice)).toEqual([]);
    const steps = this.#stories.reduce((sum, story) => sum + story.steps, 0);
    const cut = this.#stories.map((story) => `${story.cut.writes} and ${story.cut.reads}`).join(", ");
    return `${steps} steps; writes and reads that stopping servers did not answer: ${cut}; ${this.#batched} files in batches`;
  }
}

describe.skipIf(lacks("PostgreSQL", hasPostgres))("two servers on one database", () => {
  test("are replaced by a later release, and by the earlier one again", async () => {
    await using replicas = await startReplicas(await testDatabase(), 2);
    const schema = async () => await replicas.rows<{ v: number }>("SELECT version::int AS v FROM schema_version");
    const rollout = new Rollout(replicas, await newStore(replicas.servers[0]!), runSeed("rollout"));
    await rollout.during(async () => {
      // One more beside the two, then one of them goes: as a deployment is rolled out.
      await rollout.start(2, expanded);
      expect(await schema()).toEqual([{ v: expanded.schema }]);
      // Work of a kind that the earlier release does not know.
      await replicas.rows(`INSERT INTO job (tenant_id, kind, subject, due_ms, created_at)
        SELECT id, 'next_kind', 'x', 0, 0 FROM tenant`);
      for (const server of replicas.servers)
        for (const path of ["/v1/admin/status", "/metrics"]) expect((await server.fetch(path)).status).toBe(200);
      await rollout.steps();
      await rollout.stop(0);
      await rollout.steps();
      // One goes, and another comes in its data directory: as a stateful set is.
      await rollout.stop(1);
      await rollout.start(1, expanded);
      await rollout.steps();
      // The way back, both ways.
      await rollout.stop(1);
      await rollout.start(1, null);
      await rollout.steps();
      await rollout.start(0, null);
      await rollout.stop(2);
      await rollout.steps();
    });
    expect(await schema()).toEqual([{ v: expanded.schema }]);
    expect(await replicas.count("job WHERE kind = 'next_kind' AND lease_owner IS NULL AND attempt = 0")).toBe(1);
    console.log(await rollout.looked());
    await replicas.start(2, { command: contracted.command });
    await replicas.servers[0]?.stop();
    const known = expanded.schema - EXPAND.length;
    const refused = `the database is of a newer Lectern: its tables have version ${contracted.schema}, this one knows up to ${known}; start the newer one`;
    expect(await replicas.start(0).catch(String)).toContain(refused);
  });
});

test("a data directory is upgraded, and served by the earlier release again while that may", async () => {
  using dir = tempDir();
  const dataDir = dir.join("data");
  const store = await (async () => {
    await using server = await startOne({ dataDir });
    const id = await newStore(server);
    await addText(server, id, "lamp.txt", "the lamp of the harbour");
    expect(await server.stop()).toBe(0);
    return id;
  })();
  for (const [i, command] of [expanded.command, undefined, contracted.command].entries()) {
    await using server = await startOne({ dataDir, ...(command && { command }) });
    await addText(server, store, `kettle-${i}.txt`, `kettle number ${i} beside the lamp`);
    expect(await search(server, store, { query: "lamp" })).toHaveLength(i + 2);
    expect(await server.stop()).toBe(0);
  }
  const refused = await startOne({ dataDir }).catch(String);
  expect(refused).toContain(`was written by a newer Lectern`);
  expect(refused).toContain(`schemas up to ${expanded.schema - EXPAND.length}; start the newer one`);
});
