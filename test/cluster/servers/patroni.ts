/** A PostgreSQL that moves by itself to another server when its own dies: Patroni with etcd, and HAProxy in front. */
import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { ROOT } from "../../helpers/server.ts";
import { waitFor } from "../../helpers/wait.ts";
import { hasHaproxy, startHaproxy } from "./haproxy.ts";
import { hasPostgres, POSTGRES } from "./postgres.ts";
import {
  dropDirectory,
  findProgram,
  freePort,
  give,
  serverDirectory,
  type ServerProcess,
  startProcess,
} from "./process.ts";

const PATRONI = findProgram("patroni");
const ETCD = findProgram("etcd");

export const hasPatroni = PATRONI !== null && ETCD !== null && hasPostgres && hasHaproxy;

export interface Cluster extends AsyncDisposable {
  /** Leads to whichever is the primary now. */
  readonly url: string;
  /** Name of the node that is the primary; waits until there is one. */
  primary(): Promise<string>;
  /** Everything of a node dies at once, and stays dead. */
  kill(name: string): Promise<void>;
  /** Waits until a standby of the primary is one that commits wait for. */
  isSynchronous(): Promise<void>;
  log(): string;
}

interface Node {
  readonly name: string;
  readonly port: number;
  readonly api: number;
  readonly data: string;
  readonly process: ServerProcess;
}

/** What the document's example says of the whole cluster, so that this is what is tried. */
const { bootstrap: EXAMPLE } = Bun.YAML.parse(readFileSync(join(ROOT, "docs/deploy/patroni.yml"), "utf8")) as {
  bootstrap: { dcs: { synchronous_mode: boolean; postgresql: { parameters: object } } };
};

/** The shortest times that Patroni takes. Seconds. */
const TIMES = { ttl: 20, loop_wait: 2, retry_timeout: 5 };

/** Two nodes whose commits wait for both, as long as both are there. */
export async function startCluster(names: readonly string[] = ["one", "two"]): Promise<Cluster> {
  const directory = serverDirectory("patroni");
  const [etcdPort, peerPort] = [freePort(), freePort()];
  const etcdUrl = `http://127.0.0.1:${etcdPort}`;
  const peerUrl = `http://127.0.0.1:${peerPort}`;
  const etcd = startProcess({
    command: [
      ETCD ?? "",
      ...["--data-dir", join(directory, "etcd"), "--name", "only"],
      ...["--listen-client-urls", etcdUrl, "--advertise-client-urls", etcdUrl],
      ...["--listen-peer-urls", peerUrl, "--initial-advertise-peer-urls", peerUrl],
      ...["--initial-cluster", `only=${peerUrl}`],
    ],
    cwd: directory,
  });
  await waitFor("etcd is healthy", async () => {
    if (etcd.hasEnded) throw new Error(etcd.log());
    return (await fetch(`${etcdUrl}/health`).then(
      (answer) => answer.ok,
      () => false,
    ))
      ? true
      : undefined;
  });
  const nodes: Node[] = [];
  for (const name of names) nodes.push(await startNode(directory, name, etcdPort));
  const proxy = await startHaproxy(
    nodes.map(({ port }) => port),
    ["option httpchk GET /primary"],
    nodes.map(({ api }) => api),
  );
  const stateOf = async ({ api }: Node): Promise<PatroniState | null> =>
    await fetch(`http://127.0.0.1:${api}/patroni`, { signal: AbortSignal.timeout(2000) }).then(
      async (answer) => (await answer.json()) as PatroniState,
      () => null,
    );
  const isPrimary = (state: PatroniState | null) =>
    state?.state === "running" && (state.role === "master" || state.role === "primary");
  return {
    url: `postgres://postgres@127.0.0.1:${proxy.port}/postgres`,
    primary: () =>
      waitFor(
        "there is a primary",
        async () => {
          for (const node of nodes) if (isPrimary(await stateOf(node))) return node.name;
          return undefined;
        },
        LONG_MS,
      ),
    isSynchronous: () =>
      waitFor(
        "a standby is waited for",
        async () => {
          for (const node of nodes) {
            const state = await stateOf(node);
            if (isPrimary(state) && state?.replication?.some(({ sync_state }) => sync_state === "sync") === true)
              return true;
          }
          return undefined;
        },
        LONG_MS,
      ).then(() => undefined),
    async kill(name) {
      const node = nodes.find((one) => one.name === name);
      if (node === undefined) throw new Error(`no node ${name}`);
      const done = node.process.end("SIGKILL");
      killPostgres(node.data);
      await done;
    },
    log: () => nodes.map(({ name, process }) => `${name}:\n${process.log()}`).join("\n"),
    async [Symbol.asyncDispose]() {
      await proxy[Symbol.asyncDispose]();
      await Promise.all(
        nodes.map(async ({ process, data }) => {
          await process.end("SIGKILL");
          killPostgres(data);
        }),
      );
      await etcd.end("SIGKILL");
      dropDirectory(directory);
    },
  };
}

interface PatroniState {
  state: string;
  role: string;
  replication?: { sync_state: string }[];
}

const LONG_MS = 180_000;

async function startNode(directory: string, name: string, etcdPort: number): Promise<Node> {
  const [port, api] = [freePort(), freePort()];
  const data = join(directory, name);
  const parameters = {
    unix_socket_directories: "",
    shared_buffers: "32MB",
    max_wal_size: "256MB",
    max_connections: 60,
    timezone: "UTC",
    // The processes die in the test, the machine does not.
    fsync: "off",
  };
  const trust = ["host all all 127.0.0.1/32 trust", "host replication all 127.0.0.1/32 trust"];
  const settings = {
    scope: "lectern",
    name,
    restapi: { listen: `127.0.0.1:${api}`, connect_address: `127.0.0.1:${api}` },
    etcd3: { hosts: `127.0.0.1:${etcdPort}` },
    bootstrap: {
      dcs: {
        ...EXAMPLE.dcs,
        ...TIMES,
        postgresql: { use_pg_rewind: false, parameters: { ...EXAMPLE.dcs.postgresql.parameters, ...parameters } },
      },
      initdb: [{ encoding: "UTF8" }, { locale: "C.UTF-8" }, "no-sync"],
    },
    postgresql: {
      listen: `127.0.0.1:${port}`,
      connect_address: `127.0.0.1:${port}`,
      data_dir: data,
      bin_dir: dirname(POSTGRES ?? ""),
      pgpass: join(directory, `${name}.pgpass`),
      authentication: { superuser: { username: "postgres" }, replication: { username: "replicator" } },
      parameters: { unix_socket_directories: "" },
      pg_hba: trust,
      basebackup: [{ checkpoint: "fast" }],
    },
    tags: { nofailover: false, noloadbalance: false, clonefrom: false, nosync: false },
  };
  const file = join(directory, `${name}.yml`);
  // JSON is YAML.
  await Bun.write(file, JSON.stringify(settings));
  give(file);
  return {
    name,
    port,
    api,
    data,
    process: startProcess({ command: [PATRONI ?? "", file], cwd: directory }),
  };
}

/** As in a crash: the first process of it, which takes the others with it. */
function killPostgres(data: string): void {
  const file = join(data, "postmaster.pid");
  if (!existsSync(file)) return;
  const pid = Number(readFileSync(file, "utf8").split("\n")[0]);
  try {
    if (pid > 1) process.kill(pid, "SIGQUIT");
  } catch {
    // It has ended.
  }
}
