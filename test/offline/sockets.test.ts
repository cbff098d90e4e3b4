/**
 * With --offline no socket goes to anything but the listener. Every system call of the server and all its threads that
 * could open a connection is recorded while it does all its work, with every provider set up.
 */
import { describe, expect, test } from "bun:test";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { addText, json, newStore, refusal, search } from "../helpers/api.ts";
import { LECTERN, startServer, type TestServer } from "../helpers/server.ts";
import { tempDir } from "../helpers/temp-dir.ts";
import { lacks } from "../helpers/lacks.ts";
import { waitFor } from "../helpers/wait.ts";
import { addSecondModel, migrationEnd, startMigration } from "../migrate/corpus.ts";

const PROVIDERS = {
  LECTERN_OPENAI_API_KEY: "sk-offline-1",
  LECTERN_COHERE_API_KEY: "sk-offline-2",
  LECTERN_VOYAGE_ADDRESS: "http://127.0.0.1:9/v1",
  LECTERN_ALLOW_PRIVATE_ADDRESSES: "1",
  LECTERN_PROVIDER_ATTEMPTS: "1",
};

/** Everything that a server is asked for: none of it may need another machine. */
async function work(server: TestServer): Promise<void> {
  const storeId = await newStore(server);
  await addText(server, storeId, "a.txt", "The river carries timber to the harbour.");
  expect(await search(server, storeId, { query: "timber" })).toHaveLength(1);
  const { id } = await startMigration(server, storeId);
  expect((await migrationEnd(server, storeId, id)).status).toBe("completed");
  expect(await search(server, storeId, { query: "timber", search_mode: "vector" })).toHaveLength(1);
  for (const model of ["text-embedding-3-small", "embed-english-v3.0", "voyage-3-lite"]) {
    const refused = { status: 503, code: "embedding_model_unavailable" };
    expect(await refusal(server, "POST", "/v1/embeddings", { model, input: "text" })).toMatchObject(refused);
    expect(await refusal(server, "POST", "/v1/vector_stores", { embedding_model: model })).toMatchObject(refused);
    const error = await refusal(server, "POST", `/v1/vector_stores/${storeId}/migrate`, { embedding_model: model });
    expect(error).toMatchObject(refused);
    expect(error.message).toContain("--offline");
  }
  await json(server, "POST", "/v1/admin/models/rescan", {});
}

const CALLS = "connect,sendto,sendmsg,sendmmsg,io_uring_setup,listen";
const isTraceable =
  Bun.which("strace") !== null &&
  Bun.spawnSync(["strace", "-f", "-o", "/dev/null", "/bin/true"], { stdout: "ignore", stderr: "ignore" }).exitCode ===
    0;

/** Runs a server under strace; resolves to the calls that would have left it. */
async function outwards(args: string[], visit: (server: TestServer) => Promise<void>): Promise<string[]> {
  using dir = tempDir();
  const dataDir = dir.join("data");
  await addSecondModel(dataDir);
  const trace = ["strace", "-ff", "-qq", "-e", `trace=${CALLS}`, "-o", dir.join("trace")];
  await using server = await startServer({ dataDir, args, env: PROVIDERS, command: [...trace, ...LECTERN] });
  await visit(server);
  const children = readFileSync(`/proc/${server.pid}/task/${server.pid}/children`, "utf8").trim().split(" ");
  for (const child of children) process.kill(Number(child), "SIGTERM");
  // It ends with its child; a signal of its own would only let it detach.
  await waitFor("the trace has ended", () => (existsSync(`/proc/${server.pid}/exe`) ? undefined : true));
  const calls = readdirSync(dir.path)
    .filter((name) => name.startsWith("trace."))
    .flatMap((name) => readFileSync(join(dir.path, name), "utf8").split("\n"));
  expect(calls.filter((line) => line.startsWith("listen("))).not.toEqual([]);
  // Without io_uring every connection is one of these calls.
  expect(calls.filter((line) => line.startsWith("io_uring_setup("))).toEqual([]);
  return calls.filter((line) => /^(connect|send\w+)\(.*sa_family=/.test(line));
}

describe("--offline", () => {
  test.skipIf(lacks("strace", isTraceable))(
    "opens no socket to anything but its listener, whatever it is asked",
    async () => {
      expect(await outwards(["--offline"], work)).toEqual([]);
    },
  );

  test.skipIf(lacks("strace", isTraceable))(
    "is what keeps it from that: without it the same trace shows a connection",
    async () => {
      const calls = await outwards([], async (server) => {
        await refusal(server, "POST", "/v1/embeddings", { model: "voyage-3-lite", input: "text" });
      });
      expect(calls.join("\n")).toContain("htons(9)");
    },
  );

  test("is told at the start", async () => {
    await using server = await startServer({ args: ["--offline"], env: PROVIDERS });
    expect(server.log()).toContain("every outbound connection is refused");
  });
});
