/** `lectern support` writes what helps and nothing that is anybody's: every secret that was planted is looked for. */
import { mkdirSync, statSync, writeFileSync } from "node:fs";
import { hostname } from "node:os";
import { gunzipSync } from "node:zlib";
import { expect, test } from "bun:test";
import { addText, json, newStore, search } from "../helpers/api.ts";
import { runLectern, startServer, TEST_KEY } from "../helpers/server.ts";
import { tempDir } from "../helpers/temp-dir.ts";
import { as, newKey, newTenant } from "../helpers/tenants.ts";

/** Each stands somewhere in the data, the settings, the log or a request. */
const SECRETS = {
  text: "xylophone-merger",
  file: "quagmire-plan",
  store: "zeppelin-archive",
  tenant: "wombat-holding",
  query: "kumquat-lawsuit",
  attribute: "yesterday-attribute",
  model: "narwhal-embed",
  provider: "sk-proj-okapi0123456789",
  address: "lemur.example",
  header: "tapir-header",
  folder: "ocelot-folder",
  key: TEST_KEY,
} as const;

test("the archive holds counts, checks, metrics and lines of the log, and none of what was planted", async () => {
  using dir = tempDir();
  const dataDir = dir.join(SECRETS.folder, "data");
  mkdirSync(dir.join(SECRETS.folder));
  const env = { LECTERN_OPENAI_API_KEY: SECRETS.provider, LECTERN_PUBLIC_URL: `https://${SECRETS.address}/x` };
  await using server = await startServer({ dataDir, env, args: ["--log-level", "debug", "--slow-request-ms", "0"] });
  const store = await newStore(server, { name: SECRETS.store, metadata: { [SECRETS.attribute]: "x" } });
  await addText(server, store, `${SECRETS.file}.txt`, `The ${SECRETS.text} is signed on Monday.`);
  await search(server, store, { query: SECRETS.query });
  await server.fetch("/v1/vector_stores", { headers: { "x-note": SECRETS.header } });
  await server.fetch(`/v1/files/${SECRETS.file}`);
  const tenant = await newTenant(server, SECRETS.tenant);
  const { key } = await newKey(server, { name: SECRETS.tenant, role: "admin", tenant_id: tenant });
  await newStore(as(server, key), { name: SECRETS.store });
  mkdirSync(`${dataDir}/models/${SECRETS.model}`, { recursive: true });
  writeFileSync(`${dataDir}/models/${SECRETS.model}/config.json`, "{}");
  await json(server, "GET", "/v1/vector_stores");
  const log = dir.join("server.log");
  writeFileSync(log, `${server.log()}not a line of the server: ${SECRETS.text}\n`);

  const file = dir.join("support.tar.gz");
  const args = ["support", file, "--data", dataDir, "--log", log];
  const asked = await runLectern(args, { env });
  expect([asked.status, asked.err]).toEqual([2, expect.stringContaining("give --yes to write it")]);
  const { status, err } = await runLectern([...args, "--yes"], { env });
  expect([status, err]).toEqual([0, expect.stringContaining("metrics of the running server")]);
  expect(statSync(file).mode & 0o777).toBe(0o600);

  const text = gunzipSync(await Bun.file(file).bytes()).toString("latin1");
  for (const [what, secret] of [...Object.entries(SECRETS), ["machine", hostname()] as const])
    expect([what, what === "machine" && secret.length < 3 ? false : text.includes(secret)]).toEqual([what, false]);
  for (const part of ["versions", "doctor", "settings", "counts"])
    expect(text).toContain(`lectern-support/${part}.json`);
  expect(text).toContain('"openai-api-key": "(set)"');
  expect(text).toContain('"vector_store": 2');
  expect(text).toContain("lectern_http_requests_total");
  expect(text).toContain('"route":"/v1/vector_stores/{vector_store_id}/search"');
  // A second one is no accident.
  expect((await runLectern([...args, "--yes"], { env })).err).toContain("is there already");
}, 120_000);
