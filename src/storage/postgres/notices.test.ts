import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import {
  hasPostgres,
  type PostgresServer,
  startPostgres,
  STARTING_MS,
} from "../../../test/cluster/servers/postgres.ts";
import { lacks } from "../../../test/helpers/lacks.ts";
import { waitFor } from "../../../test/helpers/wait.ts";
import { createChanges } from "../../platform/changes.ts";
import { parseAddress } from "./address.ts";
import { Notices } from "./notices.ts";

setDefaultTimeout(60_000);

const NEVER = new AbortController().signal;
/** Long enough for a busy machine to hear itself within some of them. */
const BEAT_MS = 1000;

describe.skipIf(lacks("PostgreSQL", hasPostgres))("what servers of a database tell one another", () => {
  let server: PostgresServer;
  beforeAll(async () => {
    server = await startPostgres();
  }, STARTING_MS);
  afterAll(() => server[Symbol.asyncDispose]());

  const notices = () => new Notices({ driver: parseAddress(server.url()).driver, beat: BEAT_MS });
  const heard = (...all: Notices[]) =>
    waitFor("all hear", () => (all.every(({ isHeard }) => isHeard) ? true : undefined));

  test("wakes who waits at another, and nobody who waits for something else", async () => {
    await using one = notices();
    await using other = notices();
    const [here, there] = [createChanges(one), createChanges(other)];
    await heard(one, other);
    const woken: string[] = [];
    const wait = (key: string) => there.wait(key, NEVER, 60_000).then(() => woken.push(key));
    const asked = wait("resp_1");
    void wait("resp_2");
    here.notify("resp_1");
    await asked;
    expect(woken).toEqual(["resp_1"]);
  });

  test("a word for this server alone goes nowhere else, and effects are of others' words", async () => {
    await using one = notices();
    await using other = notices();
    const [here, there] = [createChanges(one), createChanges(other)];
    await heard(one, other);
    const told: string[] = [];
    here.onNotify("reload", () => told.push("here"));
    there.onNotify("reload", () => told.push("there"));
    there.onNotify("quiet", () => told.push("quiet"));
    // What was missed until it was heard is told as well.
    told.length = 0;
    here.notifyHere("quiet");
    here.notify("reload");
    await waitFor("it is told", () => (told.length > 0 ? true : undefined));
    expect(told).toEqual(["there"]);
  });

  test("more than can be told is told as something missed: everybody looks", async () => {
    await using one = notices();
    await using other = notices();
    const there = createChanges(other);
    await heard(one, other);
    const waiting = there.wait("none of these", NEVER, 60_000);
    for (let i = 0; i < 1500; i++) one.tell(`resp_${i}`);
    await waiting;
  });

  test("long keys are told in parts", async () => {
    await using one = notices();
    await using other = notices();
    await heard(one, other);
    const keys = Array.from({ length: 40 }, (_, i) => `${i} ${"ü".repeat(400)}`);
    const got: (string | null)[] = [];
    other.listen((key) => got.push(key));
    for (const key of keys) one.tell(key);
    await waitFor("all arrive", () => (got.length >= keys.length ? true : undefined));
    expect(got).toEqual(keys);
  });

  test("is heard again after its session was ended, and says that something may have been missed", async () => {
    await using one = notices();
    await heard(one);
    let missed = 0;
    one.listen((key) => void (missed += key === null ? 1 : 0));
    server.freeze();
    await waitFor("it is deaf", () => (one.isHeard ? undefined : true));
    server.thaw();
    await heard(one);
    expect(missed).toBeGreaterThan(0);
    missed = 0;
    await server.query(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()
      AND backend_type = 'client backend'`);
    await waitFor("it listens again", () => (missed > 0 ? true : undefined));
    await heard(one);
  });

  test("what makes no sense is not heard", async () => {
    await using one = notices();
    await heard(one);
    const got: unknown[] = [];
    one.listen((key) => got.push(key));
    for (const payload of ["", "nonsense", "{}", "[1, 2]", '["other", 3, "right"]'])
      await server.query(`SELECT pg_notify('lectern_changes', '${payload}')`);
    await waitFor("the last arrives", () => (got.length > 0 ? true : undefined));
    expect(got).toEqual(["right"]);
  });
});

test("a server that has its database alone tells nobody, and wakes who waits", async () => {
  const changes = createChanges();
  const waiting = changes.wait("vs_1", NEVER, 60_000);
  changes.notify("vs_1");
  await waiting;
});
