/** `lectern status`: what a server is and does now, in one look. */
import { Type } from "@sinclair/typebox";
import type { Static } from "@sinclair/typebox";
import { parseArguments } from "./arguments.ts";
import type { Flags } from "./arguments.ts";
import { type Client, listAll, RequestFailed } from "./client.ts";
import { connectToRunning, CONNECTION_FLAGS, dataDirOf } from "./connect.ts";
import { STORES } from "./find-store.ts";
import { type Migration, migrationsOf } from "./migrations.ts";
import { printFields, printJson } from "./output.ts";
import { inParallel } from "./parallel.ts";
import { countOf, StoreDetail } from "./stores.ts";
import { printTable } from "./table.ts";
import { formatBytes, formatDuration, printable, UsageError, VerbFailed } from "./terminal.ts";
import type { Terminal } from "./terminal.ts";

export const STATUS_FLAGS = { json: { help: "print it as JSON" }, ...CONNECTION_FLAGS } as const satisfies Flags;

export const STATUS_HELP = `Of the server that is named or runs on the data directory: its lanes and queues (for an operator's key only), what is
being indexed, and migrations that are under way or wait for promote. The exit status is 1 if no server runs.`;

const Me = Type.Object({
  role: Type.String(),
  tenant: Type.Object({ name: Type.String() }),
  features: Type.Object({ version: Type.String() }),
});
type Me = Static<typeof Me>;

const Server = Type.Object({
  started_at: Type.Integer(),
  lanes: Type.Array(
    Type.Object({ name: Type.String(), busy: Type.Integer(), waiting: Type.Integer(), restarts: Type.Integer() }),
  ),
  queues: Type.Array(Type.Object({ kind: Type.String(), waiting: Type.Integer(), running: Type.Integer() })),
  disk: Type.Object({ free_bytes: Type.Integer(), database_bytes: Type.Integer() }),
  memory: Type.Object({ resident_bytes: Type.Integer() }),
});
type Server = Static<typeof Server>;

interface Seen {
  url: string;
  me: Me;
  /** null: the key is no operator's. */
  server: Server | null;
  stores: StoreDetail[];
  /** The newest of each store, where it is not over. */
  migrations: Migration[];
}

const AT_ONCE = 8;
const OVER = new Set(["completed", "rolled_back", "cancelled", "failed"]);

export async function status(argv: readonly string[], terminal: Terminal): Promise<number> {
  const args = parseArguments(argv, STATUS_FLAGS);
  if (args.words.length > 0) throw new UsageError("lectern status takes no words; see lectern help status.");
  const client = await connectToRunning(args, terminal);
  if (client === null)
    throw new VerbFailed(
      `No server runs on ${dataDirOf(args, terminal)} (or it was started with --no-local-cli). Start one with "lectern serve", or name one with --url and --key.`,
    );
  const seen = await look(client, terminal.signal);
  if (args.has("json")) {
    const { me, ...rest } = seen;
    printJson(terminal, { object: "status", version: me.features.version, ...rest });
  } else show(seen, terminal);
  return 0;
}

async function look(client: Client, signal: AbortSignal): Promise<Seen> {
  const me = await client.send(Me, "GET", "/v1/me", undefined, signal);
  const server = await client.send(Server, "GET", "/v1/admin/status", undefined, signal).catch((error: unknown) => {
    if (error instanceof RequestFailed && error.status === 403) return null;
    throw error;
  });
  const stores = await Array.fromAsync(listAll(client, StoreDetail, STORES, signal));
  const migrations: Migration[] = [];
  await inParallel({ limit: AT_ONCE, signal }, stores, async ({ id }) => {
    const [newest] = await migrationsOf(client, id, 1, signal);
    if (newest !== undefined && !OVER.has(newest.status)) migrations.push(newest);
  });
  return { url: client.server.url, me, server, stores, migrations };
}

function show({ url, me, server, stores, migrations }: Seen, terminal: Terminal): void {
  const indexing = stores.filter(({ file_counts: counts }) => counts.in_progress > 0);
  const sum = (count: (store: StoreDetail) => number) => stores.reduce((total, store) => total + count(store), 0);
  const failed = sum(({ file_counts: counts }) => counts.failed);
  const files = sum(({ file_counts: counts }) => counts.total);
  const nameOf = (id: string) => printable(stores.find((store) => store.id === id)?.name ?? "") || id;
  printFields(terminal, [
    ["server", `lectern ${me.features.version} at ${url}`],
    ["key", `${me.role} of tenant ${printable(me.tenant.name)}`],
    ...(server === null ? [] : fieldsOf(server)),
    ["stores", `${stores.length} with ${countOf(files, "file")}${failed > 0 ? `, ${failed} failed` : ""}`],
  ]);
  if (server !== null) {
    terminal.out("\n");
    printTable(
      terminal,
      ["LANE", "BUSY", "WAITING", "RESTARTS"],
      server.lanes.map((lane) => [lane.name, String(lane.busy), String(lane.waiting), String(lane.restarts)]),
    );
  }
  terminal.out(indexing.length === 0 ? "\nNothing is being indexed.\n" : "\nBeing indexed\n");
  for (const { id, file_counts: counts, progress } of indexing) {
    const eta = progress?.eta_seconds ?? null;
    const left = eta === null ? "" : `, about ${formatDuration(eta)} left`;
    terminal.out(`  ${nameOf(id)}: ${countOf(counts.in_progress, "file")} of ${counts.total}${left}\n`);
  }
  if (migrations.length > 0) terminal.out("\nMigrations\n");
  for (const { vector_store_id: id, status: state, to, progress } of migrations) {
    const share = progress.chunks_total === 0 ? "" : `, ${progress.chunks_done} of ${progress.chunks_total} chunks`;
    const model = printable(to.embedding_model);
    terminal.out(`  ${nameOf(id)}: to ${model}, ${state.replaceAll("_", " ")}${share}\n`);
  }
}

function fieldsOf({ started_at: started, memory, disk, queues }: Server): [name: string, value: string][] {
  const jobs = queues.filter(({ waiting, running }) => waiting + running > 0);
  const work = jobs.map(({ kind, waiting, running }) => `${kind} ${running} running, ${waiting} waiting`).join("; ");
  return [
    ["up", formatDuration(Date.now() / 1000 - started)],
    ["memory", formatBytes(memory.resident_bytes)],
    ["disk", `${formatBytes(disk.free_bytes)} free, database ${formatBytes(disk.database_bytes)}`],
    ["jobs", work || "none"],
  ];
}
