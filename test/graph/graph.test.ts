/**
 * Large stores answer from a graph on disk, and from exact scans whenever the graph is missing, torn or being built.
 * GRAPH_CHUNKS=150000 runs the same at full size (minutes; the server's own threshold applies from 100,000 on).
 */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { readdirSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { startServer, type StartOptions, type TestServer } from "../helpers/server.ts";
import { tempDir } from "../helpers/temp-dir.ts";
import { waitFor } from "../helpers/wait.ts";
import { metricOf } from "../bench/server-data.ts";
import { JudgedStore } from "./store.ts";

const CHUNKS = Number(process.env["GRAPH_CHUNKS"] ?? 3000);
const DEFAULT_THRESHOLD = 100_000;
/** Well above what one build takes at low priority on a busy machine. */
const BUILD_MS = 60_000 + CHUNKS * 20;
setDefaultTimeout(BUILD_MS);
const LEAST_RECALL = 0.98;
const SEARCHES_BY_GRAPH = 'lectern_searches_total{index="hnsw"}';
const SEARCHES_BY_SCAN = 'lectern_searches_total{index="exact"}';

const options: StartOptions = {
  args: CHUNKS > DEFAULT_THRESHOLD ? [] : ["--hnsw-threshold", String(Math.floor(CHUNKS / 2))],
};

/** The files of the one graph in a data directory. */
function graphFiles(dataDir: string): { manifest: string; graph: string; ids: string } {
  const paths = readdirSync(join(dataDir, "stores"), { recursive: true }).map((path) =>
    join(dataDir, "stores", String(path)),
  );
  const one = (suffix: string) => {
    const path = paths.find((candidate) => candidate.endsWith(suffix));
    if (path === undefined) throw new Error(`no ${suffix} among ${paths.join(", ")}`);
    return path;
  };
  return { manifest: one("manifest.json"), graph: one(".hnsw"), ids: one(".ids") };
}

function flipBit(path: string, at: number): void {
  const bytes = readFileSync(path);
  const position = Math.floor((bytes.length - 1) * at);
  bytes[position]! ^= 4;
  writeFileSync(path, bytes);
}

const cutInHalf = (path: string) => truncateSync(path, Math.floor(statSync(path).size / 2));
const empty = (path: string) => truncateSync(path, 0);
const remove = (path: string) => rmSync(path);

const DAMAGES: { name: string; file: "manifest" | "graph" | "ids"; damage: (path: string) => void; said: boolean }[] = [
  { name: "the graph is deleted", file: "graph", damage: remove, said: true },
  { name: "the graph is cut in half", file: "graph", damage: cutInHalf, said: true },
  {
    name: "one bit of the graph's vectors is flipped",
    file: "graph",
    damage: (path) => flipBit(path, 0.5),
    said: true,
  },
  { name: "one bit of the graph's header is flipped", file: "graph", damage: (path) => flipBit(path, 0), said: true },
  { name: "the graph is empty", file: "graph", damage: empty, said: true },
  { name: "the chunk ids are cut in half", file: "ids", damage: cutInHalf, said: true },
  { name: "the manifest is cut in half", file: "manifest", damage: cutInHalf, said: true },
  { name: "the manifest is deleted", file: "manifest", damage: remove, said: false },
];

describe(`a store of ${CHUNKS} chunks`, () => {
  using dir = tempDir();
  const dataDir = dir.join("data");
  let server: TestServer;
  let store: JudgedStore;

  const start = async () => {
    server = await startServer({ ...options, dataDir });
  };
  const restart = async (between: () => void = () => {}) => {
    await server.stop();
    between();
    await start();
  };

  beforeAll(async () => {
    await start();
    store = await JudgedStore.create(server, { name: "large" }, 1);
    await store.add(server, CHUNKS);
    await store.recallAt10(server);
    await store.untilBuilt(server, BUILD_MS);
  }, BUILD_MS * 2);
  afterAll(async () => {
    await server[Symbol.asyncDispose]();
    dir[Symbol.dispose]();
  });

  test("answers from its graph by default, which its metric shows", async () => {
    const before = await metricOf(server, SEARCHES_BY_GRAPH);
    expect(await store.recallAt10(server)).toBeGreaterThanOrEqual(LEAST_RECALL);
    expect((await metricOf(server, SEARCHES_BY_GRAPH)) - before).toBe(40);
    expect((await store.state(server)).index).toMatchObject({ type: "hnsw", vectors: CHUNKS });
  });

  test("finds what was added since at once, and nothing that was removed", async () => {
    const fresh = Math.ceil(CHUNKS * 0.04);
    await store.add(server, fresh);
    expect(await store.findsNewest(server, Math.min(fresh, 50))).toBe(1);
    expect(await store.removeOneFile(server)).toBeGreaterThan(0);
    expect(await store.recallAt10(server)).toBeGreaterThanOrEqual(LEAST_RECALL);
    expect((await store.state(server)).index.type).toBe("hnsw");
  });

  test("answers the same after a restart, without building anew", async () => {
    await restart();
    expect(await store.recallAt10(server)).toBeGreaterThanOrEqual(LEAST_RECALL);
    // An index that is mapped answers at once, by a scan until its graph is there too.
    await waitFor("the graph is attached", async () =>
      (await store.state(server)).index.type === "hnsw" ? true : undefined,
    );
    const before = await metricOf(server, SEARCHES_BY_GRAPH);
    expect(await store.recallAt10(server)).toBeGreaterThanOrEqual(LEAST_RECALL);
    expect((await metricOf(server, SEARCHES_BY_GRAPH)) - before).toBe(40);
    expect(server.log()).not.toContain("index built");
  });

  test("is scanned where the graph is forbidden, and walked again where it is wanted", async () => {
    const change = (index_type: string) =>
      server.fetch(`/v1/vector_stores/${store.id}`, {
        method: "POST",
        body: JSON.stringify({ index_type }),
        headers: { "content-type": "application/json" },
      });
    expect((await change("exact")).status).toBe(200);
    const scanned = await metricOf(server, SEARCHES_BY_SCAN);
    expect(await store.recallAt10(server)).toBe(1);
    expect((await metricOf(server, SEARCHES_BY_SCAN)) - scanned).toBe(40);
    expect((await store.state(server)).index.type).toBe("exact");
    expect((await change("auto")).status).toBe(200);
    expect((await store.state(server)).index.type).toBe("hnsw");
    expect((await change("fast")).status).toBe(400);
  });

  test(
    "merges the fresh tail into the graph when it has grown",
    async () => {
      const before = graphFiles(dataDir).graph;
      await store.add(server, Math.ceil(CHUNKS * 0.15));
      await waitFor("another part", () => (graphFiles(dataDir).graph === before ? undefined : true), BUILD_MS);
      await store.untilBuilt(server, BUILD_MS);
      expect(await store.recallAt10(server)).toBeGreaterThanOrEqual(LEAST_RECALL);
    },
    BUILD_MS * 2,
  );

  for (const { name, file, damage, said } of DAMAGES) {
    test(
      `is scanned meanwhile, and its graph is built again, when ${name}`,
      async () => {
        await restart(() => damage(graphFiles(dataDir)[file]));
        const scanned = await metricOf(server, SEARCHES_BY_SCAN);
        expect(await store.findsNewest(server, 1)).toBe(1);
        expect((await metricOf(server, SEARCHES_BY_SCAN)) - scanned).toBe(1);
        if (said) expect(server.log()).toContain("an index file cannot be used and is built again");
        await store.untilBuilt(server, BUILD_MS);
        expect(await store.recallAt10(server)).toBeGreaterThanOrEqual(LEAST_RECALL);
      },
      BUILD_MS,
    );
  }

  test(
    "builds its graph after the process was killed while building",
    async () => {
      await restart(() => remove(graphFiles(dataDir).graph));
      await store.findsNewest(server, 1);
      await waitFor(
        "a build runs",
        async () => ((await metricOf(server, 'lectern_jobs_running{kind="build_index"}')) > 0 ? true : undefined),
        BUILD_MS,
      );
      await server.kill();
      await start();
      expect(await store.findsNewest(server, 1)).toBe(1);
      await store.untilBuilt(server, BUILD_MS);
      expect(await store.recallAt10(server)).toBeGreaterThanOrEqual(LEAST_RECALL);
    },
    BUILD_MS * 2,
  );
});

describe("a full disk", () => {
  const mounted = (path: string, size: string) =>
    Bun.spawnSync(["mount", "-t", "tmpfs", "-o", `size=${size}`, "tmpfs", path], { stderr: "ignore" }).success;

  test(
    "during a build leaves the old graph as it was, and the build ends when there is space",
    async () => {
      using dir = tempDir();
      const dataDir = dir.join("data");
      {
        await using first = await startServer({ dataDir });
        await first.stop();
      }
      const stores = join(dataDir, "stores");
      if (!mounted(await emptyDirectory(stores), "3m")) {
        console.log("skipped: only root may mount a small file system");
        return;
      }
      try {
        await using server = await startServer({ dataDir });
        const store = await JudgedStore.create(server, { index_type: "hnsw" }, 2);
        await store.add(server, 1500);
        await store.recallAt10(server);
        await store.untilBuilt(server, BUILD_MS);
        const { graph } = graphFiles(dataDir);
        const bytes = readFileSync(graph);

        await store.add(server, 300);
        await waitFor("the build fails", () => server.log().includes("could not be built") || undefined, BUILD_MS);
        expect(graphFiles(dataDir).graph).toBe(graph);
        expect(readFileSync(graph).equals(bytes)).toBe(true);
        expect(readdirSync(join(graph, "..")).length).toBe(3);
        expect((await store.state(server)).index.type).toBe("hnsw");
        expect(await store.recallAt10(server)).toBeGreaterThanOrEqual(LEAST_RECALL);

        Bun.spawnSync(["mount", "-o", "remount,size=64m", stores]);
        // Whatever is written to a store has its build looked at again.
        await store.add(server, 1);
        await waitFor("another part", () => (graphFiles(dataDir).graph === graph ? undefined : true), BUILD_MS);
        await store.untilBuilt(server, BUILD_MS);
        expect(await store.recallAt10(server)).toBeGreaterThanOrEqual(LEAST_RECALL);
      } finally {
        Bun.spawnSync(["umount", "-l", stores]);
      }
    },
    BUILD_MS * 3,
  );
});

async function emptyDirectory(path: string): Promise<string> {
  await Bun.$`mkdir -p ${path}`.quiet();
  return path;
}
