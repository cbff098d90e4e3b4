import { expect, test } from "bun:test";
import { mkdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { tempDir } from "../../test/helpers/temp-dir.ts";
import { readConfig } from "../config/config.ts";
import { wordTableFolder } from "../embed/testing/word-table.ts";
import { WORD_TABLE } from "../models/bundled-model.ts";
import type { BundledModel } from "../models/entries.ts";
import { silentLog } from "../platform/log.ts";
import { type Context, createContext } from "./context.ts";
import { ALL_STORES } from "../storage/stores.ts";

const NEWER = "newer";
const HOSTED = "text-embedding-3-small";

/** Two models: the table that comes with this program, and one that the next version makes the default. */
async function models(directory: string): Promise<BundledModel[]> {
  for (const [name, content] of Object.entries(wordTableFolder())) {
    mkdirSync(dirname(join(directory, name)), { recursive: true });
    await Bun.write(join(directory, name), content);
  }
  return [
    { id: WORD_TABLE, source: { type: "bundled", name: WORD_TABLE }, info: null },
    { id: NEWER, source: { type: "directory", path: directory }, info: null },
  ];
}

interface Started {
  newest: string;
  argv?: string[];
}

async function started<T>(dir: string, { newest, argv = [] }: Started, use: (context: Context) => T): Promise<T> {
  const config = readConfig({
    argv: ["--data", join(dir, "data"), "--port", "0", "--api-key", "sk-test-0123456789abcdef0123456789", ...argv],
    env: {},
    machine: { cpus: 1 },
    readFile: () => "",
  });
  const bundled = { models: await models(join(dir, "newer")), newest };
  await using context = await createContext(config, { log: silentLog, flush: false, bundled });
  await context.start();
  return use(context);
}

/** What clients get who name no model, and who name a hosted one; and what the start says of it. */
const facts = ({ engine, notices }: Context) => ({
  unnamed: resolved(engine.models.resolve(null)),
  hosted: resolved(engine.models.resolve(HOSTED)),
  said: notices.filter((line) => line.includes("default model")),
});
const resolved = (resolution: ReturnType<Context["engine"]["models"]["resolve"]>) =>
  resolution.ok ? resolution.model : resolution.message;

test("a new data directory has the default of the version that made it, and keeps it with a later one", async () => {
  using dir = tempDir();
  const first = await started(dir.path, { newest: WORD_TABLE }, facts);
  expect(first).toEqual({ unnamed: WORD_TABLE, hosted: WORD_TABLE, said: [] });
  const later = await started(dir.path, { newest: NEWER }, facts);
  expect(later).toMatchObject({ unnamed: WORD_TABLE, hosted: WORD_TABLE, said: [expect.stringContaining(NEWER)] });
  // Once more: what was said at one start is not forgotten at the next.
  expect(await started(dir.path, { newest: NEWER }, facts)).toEqual(later);
}, 60_000);

test("a new data directory of the later version has the later model, and its word table by name", async () => {
  using dir = tempDir();
  expect(await started(dir.path, { newest: NEWER }, facts)).toEqual({ unnamed: NEWER, hosted: NEWER, said: [] });
  const names = await started(dir.path, { newest: NEWER }, ({ engine }) => engine.models.ids());
  expect(names).toEqual([WORD_TABLE, NEWER]);
}, 60_000);

test("the settings say otherwise, without a word", async () => {
  using dir = tempDir();
  await started(dir.path, { newest: WORD_TABLE }, facts);
  const named = await started(dir.path, { newest: NEWER, argv: ["--default-model", NEWER] }, facts);
  expect(named).toEqual({ unnamed: NEWER, hosted: NEWER, said: [] });
  const alias = await started(dir.path, { newest: NEWER, argv: ["--alias", `${HOSTED}=${NEWER}`] }, facts);
  expect(alias).toMatchObject({ unnamed: WORD_TABLE, hosted: NEWER });
}, 60_000);

test("a data directory of the first version keeps the table of words, its stores and its answers", async () => {
  using dir = tempDir();
  const archive = join(import.meta.dir, "../../test/fixtures/data-v1.tar.gz");
  expect(await Bun.spawn(["tar", "-xzf", archive, "-C", dir.path]).exited).toBe(0);
  const seen = await started(dir.path, { newest: NEWER }, async (context) => {
    const { generations, stores } = context.engine.data.storage;
    const tenant = await context.engine.data.storage.tenants.first();
    const page = await stores.list(
      tenant?.id ?? ("" as never),
      { limit: 10, order: "asc", after: undefined },
      ALL_STORES,
    );
    const live = await Promise.all(page.rows.map((row) => generations.liveOf(row)));
    return { ...facts(context), models: [...new Set(live.map((generation) => generation?.model))] };
  });
  expect(seen).toMatchObject({ unnamed: WORD_TABLE, hosted: WORD_TABLE, models: [WORD_TABLE] });
  expect(seen.said).toEqual([expect.stringContaining(`made with ${WORD_TABLE}`)]);
}, 60_000);
