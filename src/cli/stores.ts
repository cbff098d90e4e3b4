/** `lectern stores`: which stores there are, one of them, another name, and their deletion. */
import { Type } from "@sinclair/typebox";
import type { Static } from "@sinclair/typebox";
import { parseArguments } from "./arguments.ts";
import type { Arguments, Flags } from "./arguments.ts";
import { type Client, listAll } from "./client.ts";
import { connect, CONNECTION_FLAGS } from "./connect.ts";
import { STORES, storeNamed } from "./find-store.ts";
import { isConfirmed, printFields, printJson, shownTime } from "./output.ts";
import { printTable } from "./table.ts";
import { formatBytes, formatDuration, printable, UsageError } from "./terminal.ts";
import type { Terminal } from "./terminal.ts";

export const STORES_FLAGS = {
  yes: { help: "delete: without asking" },
  json: { help: "print the server's answer as JSON" },
  ...CONNECTION_FLAGS,
} as const satisfies Flags;

export const STORES_HELP = `STORE is a name or an id. delete asks before it deletes; where nobody can be asked it needs --yes. The uploaded files stay:
lectern files STORE remove FILE --delete takes them away, before the store is.`;

export const StoreDetail = Type.Object({
  id: Type.String(),
  name: Type.String(),
  status: Type.String(),
  created_at: Type.Integer(),
  usage_bytes: Type.Integer(),
  file_counts: Type.Object({
    in_progress: Type.Integer(),
    completed: Type.Integer(),
    failed: Type.Integer(),
    cancelled: Type.Integer(),
    total: Type.Integer(),
  }),
  expires_at: Type.Optional(Type.Union([Type.Integer(), Type.Null()])),
  last_active_at: Type.Union([Type.Integer(), Type.Null()]),
  lifecycle: Type.Optional(Type.String()),
  progress: Type.Optional(
    Type.Object({ files_left: Type.Integer(), eta_seconds: Type.Union([Type.Integer(), Type.Null()]) }),
  ),
  index: Type.Optional(
    Type.Object({
      generation: Type.Integer(),
      type: Type.String(),
      model: Type.String(),
      dimensions: Type.Integer(),
      chunks: Type.Integer(),
    }),
  ),
});
export type StoreDetail = Static<typeof StoreDetail>;

const Deleted = Type.Object({ id: Type.String() });
const ACTIONS = ["list", "show", "rename", "delete"];
const USAGE = "Say what to do with stores: list, show STORE, rename STORE NAME, or delete STORE.";

export async function stores(argv: readonly string[], terminal: Terminal): Promise<number> {
  const args = parseArguments(argv, STORES_FLAGS);
  const [action = "list", word = "", ...rest] = args.words;
  const wanted = { list: 0, show: 1, delete: 1, rename: 2 }[action];
  if (!ACTIONS.includes(action) || wanted !== args.words.slice(1).length) throw new UsageError(USAGE);
  if (action === "rename" && rest.join("").trim() === "")
    throw new UsageError("A store needs a name that is not empty.");
  if (action === "delete" && !args.has("yes") && !terminal.ask)
    throw new UsageError("Everything that is indexed in the store is deleted; say --yes if that is meant.");

  await using connection = await connect(args, terminal, { mayCreate: false });
  const { client } = connection;
  if (action === "list") return await list(client, args, terminal);
  const { id } = await storeNamed(client, word, terminal.signal);
  const path = `${STORES}/${id}`;
  if (action === "delete") return await remove(client, path, args, terminal);
  const store =
    action === "rename"
      ? await client.send(StoreDetail, "POST", path, { name: rest[0] }, terminal.signal)
      : await client.send(StoreDetail, "GET", `${path}`, undefined, terminal.signal);
  if (args.has("json")) printJson(terminal, store);
  else if (action === "rename") terminal.out(`${store.id}\n`);
  else show(store, terminal);
  return 0;
}

async function list(client: Client, args: Arguments<typeof STORES_FLAGS>, terminal: Terminal): Promise<number> {
  const rows = await Array.fromAsync(listAll(client, StoreDetail, STORES, terminal.signal));
  if (args.has("json")) printJson(terminal, rows);
  else printTable(terminal, ["ID", "NAME", "STATUS", "FILES", "FAILED", "CHUNKS", "SIZE", "MODEL"], rows.map(cells));
  return 0;
}

async function remove(
  client: Client,
  path: string,
  args: Arguments<typeof STORES_FLAGS>,
  terminal: Terminal,
): Promise<number> {
  if (!args.has("yes")) {
    const { name, id, file_counts } = await client.send(StoreDetail, "GET", path, undefined, terminal.signal);
    const what = `${printable(name) || "without a name"} (${id}), ${countOf(file_counts.total, "file")}`;
    if (!(await isConfirmed(terminal, `Delete the store ${what}?`))) {
      terminal.err("Nothing was deleted.\n");
      return 1;
    }
  }
  const deleted = await client.send(Deleted, "DELETE", path, undefined, terminal.signal);
  if (args.has("json")) printJson(terminal, deleted);
  else terminal.out(`${deleted.id}\n`);
  return 0;
}

/** `1 file`, `2 files`. */
export function countOf(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}

/** What a store is doing, in a word. */
export function stateOf({ status, lifecycle = "active" }: Pick<StoreDetail, "status" | "lifecycle">): string {
  if (lifecycle !== "active") return lifecycle;
  return { in_progress: "indexing", completed: "ready" }[status] ?? status;
}

function cells(store: StoreDetail): string[] {
  const { id, name, file_counts: counts, usage_bytes: bytes, index } = store;
  const chunks = index === undefined ? "-" : String(index.chunks);
  return [
    id,
    name || "-",
    stateOf(store),
    String(counts.total),
    String(counts.failed),
    chunks,
    formatBytes(bytes),
    index?.model ?? "-",
  ];
}

function show(store: StoreDetail, terminal: Terminal): void {
  const { file_counts: counts, index, progress } = store;
  const others = [
    [counts.in_progress, "in progress"],
    [counts.failed, "failed"],
    [counts.cancelled, "cancelled"],
  ] as const;
  const files = [String(counts.total), ...others.filter(([n]) => n > 0).map(([n, state]) => `${n} ${state}`)].join(
    ", ",
  );
  const eta = progress?.eta_seconds ?? null;
  printFields(terminal, [
    ["id", store.id],
    ["name", printable(store.name) || "-"],
    ["status", stateOf(store) + (eta === null ? "" : `, about ${formatDuration(eta)} left`)],
    ["files", files],
    ["size", formatBytes(store.usage_bytes)],
    ...(index === undefined
      ? []
      : ([
          ["model", `${printable(index.model)}, ${index.dimensions} dimensions`],
          ["index", `${index.type}, ${countOf(index.chunks, "chunk")}, generation ${index.generation}`],
        ] as const)),
    ["made", shownTime(store.created_at)],
    ["used", shownTime(store.last_active_at)],
    ...(store.expires_at == null ? [] : ([["expires", shownTime(store.expires_at)]] as const)),
  ]);
}
