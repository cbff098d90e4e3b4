/** The binary alone is the whole appliance: no source, no packages, no writable /tmp, no root, no network. */
import { expect, test } from "bun:test";
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  readdirSync,
  statSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import packageJson from "../../package.json" with { type: "json" };
import { lacks } from "../helpers/lacks.ts";
import { waitFor } from "../helpers/wait.ts";
import { place, run, serve } from "./binary.ts";
import type { Server } from "./binary.ts";

const NOBODY = 65534;
const isRoot = process.getuid?.() === 0;
const canUnshare = isRoot && Bun.spawnSync(["unshare", "-mn", "true"]).exitCode === 0;
const hasIp = Bun.which("ip", { PATH: "/usr/sbin:/sbin:/usr/bin:/bin" }) !== null;

function json(body: unknown): RequestInit {
  return { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) };
}

async function upload(server: Server, name: string, text: string): Promise<string> {
  const form = new FormData();
  form.set("purpose", "assistants");
  form.set("file", new File([text], name));
  const answer = await server.request("/v1/files", { method: "POST", body: form });
  expect(answer.status).toBe(200);
  return ((await answer.json()) as { id: string }).id;
}

/** Natives, model, parser and database in one go: a file goes in, its passage comes out. */
async function firstSearch(server: Server): Promise<void> {
  const file = await upload(server, "tides.txt", "The tide gauge at Brest has been read every hour since 1846.");
  const made = await server.request("/v1/vector_stores", json({ name: "proof", file_ids: [file] }));
  const store = (await made.json()) as { id: string };
  const status = await waitFor("the file is indexed", async () => {
    const answer = await server.request(`/v1/vector_stores/${store.id}/files/${file}`);
    const row = (await answer.json()) as { status: string };
    return row.status === "in_progress" ? undefined : row.status;
  });
  expect(status).toBe("completed");
  const found = await server.request(`/v1/vector_stores/${store.id}/search`, json({ query: "tide gauge Brest" }));
  const page = (await found.json()) as { data: { file_id: string; content: { text: string }[] }[] };
  expect(page.data.map((hit) => hit.file_id)).toEqual([file]);
  expect(page.data[0]?.content[0]?.text).toContain("since 1846");
}

async function embed(server: Server): Promise<number[]> {
  const answer = await server.request("/v1/embeddings", json({ model: "text-embedding-3-small", input: "harbour" }));
  expect(answer.status).toBe(200);
  const body = (await answer.json()) as { data: { embedding: number[] }[] };
  return body.data[0]?.embedding ?? [];
}

test("one file in an empty directory serves the API, the explorer and a first search, and leaves nothing elsewhere", async () => {
  using where = place();
  await using server = await serve(where);
  expect(server.version).toBe(packageJson.version);
  for (const path of ["/healthz", "/readyz", "/docs", "/docs/json"]) {
    expect([path, (await fetch(server.url + path)).status]).toEqual([path, 200]);
  }
  for (const asset of ["swagger-ui.css", "swagger-ui-bundle.js", "swagger-ui-standalone-preset.js"]) {
    const answer = await fetch(`${server.url}/docs/assets/${asset}`);
    expect([asset, answer.status]).toEqual([asset, 200]);
    expect((await answer.arrayBuffer()).byteLength).toBeGreaterThan(100_000);
  }
  await firstSearch(server);
  expect(await server.stop()).toBe(0);
  expect(readdirSync(where.cwd)).toEqual(["lectern"]);
  expect(readdirSync(where.tmp)).toEqual([]);
  expect(readdirSync(where.home, { recursive: true })).toEqual([]);
});

test("standard output carries the ready line and nothing else", async () => {
  using where = place();
  await using server = await serve(where);
  await server.request("/v1/models");
  await server.stop();
  expect(server.out()).toBe(`lectern ${packageJson.version} listening on ${server.url}\n`);
});

test("a second start reuses the unpacked native code", async () => {
  using where = place();
  const natives = () =>
    readdirSync(join(where.data, "native"), { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name))
      .sort()
      .map((path) => [path, statSync(path).mtimeMs]);
  await (await serve(where)).stop();
  const before = natives();
  expect(before.length).toBeGreaterThanOrEqual(3);
  await using server = await serve(where);
  expect(server.pid).toBeGreaterThan(0);
  expect(natives()).toEqual(before);
});

test("native code that was damaged on disk is put right before it is loaded", async () => {
  using where = place();
  await (await serve(where)).stop();
  const names = readdirSync(join(where.data, "native"), { recursive: true }).map(String);
  for (const name of names.filter((one) => one.includes("libonnxruntime") || one.endsWith(".node"))) {
    truncateSync(join(where.data, "native", name), 4096);
  }
  await using server = await serve(where);
  expect((await embed(server)).length).toBeGreaterThan(0);
});

test("native code of another version is cleared away", async () => {
  using where = place();
  const old = join(where.data, "native", "0123456789abcdef");
  mkdirSync(old, { recursive: true });
  writeFileSync(join(old, "libonnxruntime.so.1"), "old");
  await using server = await serve(where);
  expect(server.pid).toBeGreaterThan(0);
  expect(existsSync(old)).toBe(false);
});

test("files in the working directory change nothing", async () => {
  using where = place();
  const hostile = {
    ".env": "LECTERN_API_KEY=stolen-key-0123456789\nLECTERN_PORT=1\nLECTERN_HOST=0.0.0.0\nNODE_ENV=development\n",
    ".env.local": "LECTERN_API_KEY=stolen-key-0123456789\n",
    ".env.production": "LECTERN_API_KEY=stolen-key-0123456789\n",
    "bunfig.toml": 'preload = ["./evil.ts"]\n[run]\npreload = ["./evil.ts"]\n',
    "evil.ts": 'await Bun.write("./evil-ran", "yes"); process.exit(66);\n',
    "tsconfig.json": '{ "compilerOptions": { "paths": { "*": ["./evil.ts"] } } }',
    "package.json": '{ "name": "x", "main": "./evil.ts", "type": "commonjs" }',
    "node_modules/onnxruntime-node/index.js": 'throw new Error("evil");',
    "node_modules/hnswlib-node/index.js": 'throw new Error("evil");',
    "node_modules/elysia/index.js": 'throw new Error("evil");',
    "node_modules/@napi-rs/canvas/index.js": 'require("node:fs").writeFileSync("evil-ran", "yes");',
    "node_modules/msgpackr-extract/index.js": 'require("node:fs").writeFileSync("evil-ran", "yes");',
    // Loading this would end the process.
    "prebuilds/linux-x64/node.napi.node": "not a library",
  };
  for (const [name, text] of Object.entries(hostile)) {
    mkdirSync(dirname(join(where.cwd, name)), { recursive: true });
    writeFileSync(join(where.cwd, name), text);
  }
  // Without a key in the environment, one from a .env would become the administrator's.
  await using server = await serve(where, { env: { LECTERN_API_KEY: undefined } });
  expect(server.url).toStartWith("http://127.0.0.1:");
  const answer = await fetch(`${server.url}/v1/models`, { headers: { authorization: "Bearer stolen-key-0123456789" } });
  expect(answer.status).toBe(401);
  expect(existsSync(join(where.cwd, "evil-ran"))).toBe(false);
});

test.skipIf(lacks("unshare as root", canUnshare) || lacks("ip", hasIp))(
  "with no network but loopback, the verbs alone lead to a first answer",
  async () => {
    using where = place();
    writeFileSync(join(where.home, "tides.md"), "# Tides\n\nThe tide gauge at Brest has been read since 1846.\n");
    const script = `
    set -e
    ip link set lo up
    "$0" serve --port 0 --data "${where.data}" >"${where.tmp}/ready" 2>/dev/null & server=$!
    until grep -q listening "${where.tmp}/ready"; do kill -0 $server; sleep 0.05; done
    "$0" ingest --data "${where.data}" "${where.home}/tides.md" --store notes >&2
    "$0" search --data "${where.data}" notes "tide gauge" --json
    kill $server; wait $server`;
    const result = await run(where, [], { before: ["unshare", "-n", "sh", "-c", script] });
    expect(result.err).not.toContain("lectern:");
    expect(result.out).toContain("since 1846");
    expect(result.code).toBe(0);
  },
);

test.skipIf(lacks("unshare as root", canUnshare)).each(["noexec", "ro"])(
  "an ordinary user with no HOME and a /tmp mounted %s gets the whole appliance",
  async (option) => {
    using where = place();
    mkdirSync(where.data);
    chownSync(where.data, NOBODY, NOBODY);
    const base = dirname(where.cwd);
    for (const path of [base, where.cwd, join(where.cwd, "lectern")]) chmodSync(path, 0o755);
    // The place lies below /tmp itself, so it is entered through another mount.
    const script = `
      set -e
      mount --bind "${base}" /mnt
      mount -t tmpfs -o size=1m,mode=1777 none /tmp
      mount -o remount,${option} /tmp
      cd /mnt/run
      exec setpriv --reuid=${NOBODY} --regid=${NOBODY} --clear-groups --no-new-privs "$@"`;
    await using server = await serve(
      { ...where, cwd: "/mnt/run", data: "/mnt/data" },
      {
        before: ["unshare", "-m", "sh", "-c", script, "sh"],
        env: { HOME: undefined, TMPDIR: undefined },
        cwd: where.cwd,
      },
    );
    expect(statSync(`/proc/${server.pid}`).uid).toBe(NOBODY);
    expect(readdirSync(`/proc/${server.pid}/root/tmp`)).toEqual([]);
    await firstSearch(server);
    expect(readdirSync(`/proc/${server.pid}/root/tmp`)).toEqual([]);
    expect(await server.stop()).toBe(0);
  },
);
