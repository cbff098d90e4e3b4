/** `lectern move` with the bytes of uploads into a bucket: whatever it is ended by, it goes on, and a server over both has all. */
import { createHash } from "node:crypto";
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { addText, newStore, search, upload } from "../helpers/api.ts";
import { lacks } from "../helpers/lacks.ts";
import { type Behaviour, type S3Server, startS3Server } from "../helpers/s3-server.ts";
import { runLectern, startServer } from "../helpers/server.ts";
import { tempDir, type TempDir } from "../helpers/temp-dir.ts";
import { hasPostgres, testDatabase } from "./servers/postgres.ts";

setDefaultTimeout(240_000);

const KEYS = { LECTERN_BLOBS_ACCESS_KEY: "key", LECTERN_BLOBS_SECRET_KEY: "secret" };
/** Goes up in parts. */
const LARGE_BYTES = 12 * 1024 * 1024 + 17;

const placeOf = ({ endpoint }: S3Server) => ["--blobs", `s3://docs/lectern?endpoint=${endpoint}`];
const sha256 = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");

describe.skipIf(lacks("postgres", hasPostgres))("lectern move into a bucket", () => {
  let dir: TempDir;
  let data: string;
  let store: string;
  const files = new Map<string, Uint8Array>();

  beforeAll(async () => {
    dir = tempDir();
    data = dir.join("data");
    await using server = await startServer({ dataDir: data });
    store = await newStore(server);
    for (let i = 0; i < 6; i++) {
      const text = `The ferry of quay ${i} leaves at noon.`;
      files.set(await addText(server, store, `quay-${i}.txt`, text), Buffer.from(text));
    }
    const large = Buffer.alloc(LARGE_BYTES, "some bytes of a large upload; ");
    files.set(await upload(server, "large.bin", large), large);
    files.set(await upload(server, "empty.txt", "."), Buffer.from("."));
    await server.stop();
  });
  afterAll(() => dir?.[Symbol.dispose]());

  async function move(database: string, place: S3Server, args: readonly string[] = [], failpoint?: string) {
    const env = { ...KEYS, ...(failpoint === undefined ? {} : { LECTERN_TEST_FAILPOINT: failpoint }) };
    return await runLectern(["move", "--data", data, "--database", database, ...placeOf(place), ...args], { env });
  }

  test("killed in between goes on; every byte is there, and two servers over it have them", async () => {
    await using bucket = startS3Server();
    const database = await testDatabase();
    expect((await move(database, bucket, [], "move:blob:3")).status).not.toBe(0);
    const some = bucket.objects.size;
    expect([some >= 2, some < files.size]).toEqual([true, true]);
    const plan = JSON.parse((await move(database, bucket, ["--dry-run", "--json"])).out) as {
      goesOn: boolean;
      blobs: { there: number; missing: string[] };
    };
    expect(plan).toMatchObject({ goesOn: true, blobs: { there: some, missing: [] } });
    const { out, err, status } = await move(database, bucket, ["--json"]);
    expect([status, err]).toEqual([0, expect.stringContaining("Going on with the move that was begun")]);
    expect(JSON.parse(out)).toMatchObject({ equal: true, differences: [] });
    expect([...bucket.objects.keys()].toSorted()).toEqual([...files.keys()].map((id) => `lectern/${id}`).toSorted());
    for (const [id, bytes] of files)
      expect([id, sha256(bucket.objects.get(`lectern/${id}`)!.bytes)]).toEqual([id, sha256(bytes)]);

    for (const n of [0, 1]) {
      const args = ["--database", database, ...placeOf(bucket)];
      await using server = await startServer({ dataDir: dir.join(`server-${n}`), args, env: KEYS });
      for (const [id, bytes] of files) {
        const answer = await server.fetch(`/v1/files/${id}/content`);
        expect([id, answer.status, sha256(new Uint8Array(await answer.arrayBuffer()))]).toEqual([
          id,
          200,
          sha256(bytes),
        ]);
      }
      expect(await search(server, store, { query: "ferry", max_num_results: 10 })).toHaveLength(6 + n);
      if (n === 0) await addText(server, store, "later.txt", "The last ferry of all leaves at night.");
    }
    // What was served since is another's to compare.
    const late = await move(database, bucket, ["--verify"]);
    expect(late.status).not.toBe(0);
  });

  test.each<[Behaviour, RegExp]>([
    ["error", /reduce your request rate|SlowDown|503/],
    ["forbidden", /Access ?Denied/],
    ["full", /minimum free drive|StorageFull|507/],
  ])("a bucket that answers %s ends it with what the bucket said; it goes on when that is over", async (how, said) => {
    await using bucket = startS3Server();
    const database = await testDatabase();
    bucket.behave(how);
    const failed = await move(database, bucket);
    expect([how, failed.status === 0, failed.err]).toEqual([how, false, expect.stringMatching(said)]);
    bucket.behave("well");
    expect(JSON.parse((await move(database, bucket, ["--json"])).out)).toMatchObject({ equal: true });
    expect(bucket.objects.size).toBe(files.size);
  });

  test("a bucket that keeps less than it is given is found out, and nobody is let in", async () => {
    await using bucket = startS3Server();
    const database = await testDatabase();
    bucket.behave("short");
    expect((await move(database, bucket)).status).not.toBe(0);
    const serve = ["serve", "--port", "0", "--data", dir.join("early"), "--database", database, ...placeOf(bucket)];
    expect((await runLectern(serve, { env: KEYS })).status).not.toBe(0);
    bucket.behave("well");
    expect((await move(database, bucket)).status).toBe(0);
  });
});
