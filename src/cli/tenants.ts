import { Type } from "@sinclair/typebox";
import type { Static } from "@sinclair/typebox";
import { integerFlag, parseArguments } from "./arguments.ts";
import type { Arguments, Flags } from "./arguments.ts";
import { type Client, listAll } from "./client.ts";
import { connect, CONNECTION_FLAGS } from "./connect.ts";
import { printTable } from "./table.ts";
import { formatBytes, UsageError, VerbFailed } from "./terminal.ts";
import type { Terminal } from "./terminal.ts";

export const TENANTS_FLAGS = {
  "max-vector-stores": { value: "N", help: "create, set: vector stores it may have" },
  "max-files-per-store": { value: "N", help: "create, set: files in one of its vector stores" },
  "max-bytes": { value: "N", help: "create, set: bytes of its files" },
  "requests-per-minute": { value: "N", help: "create, set: requests a minute" },
  "concurrent-ingests": { value: "N", help: "create, set: files indexed at the same time" },
  yes: { help: "delete: really" },
  json: { help: "print the server's answer as JSON" },
  ...CONNECTION_FLAGS,
} as const satisfies Flags;

const Tenant = Type.Object({
  id: Type.String(),
  name: Type.String(),
  status: Type.String(),
  usage: Type.Object({ vector_stores: Type.Integer(), files: Type.Integer(), bytes: Type.Integer() }),
});
type Tenant = Static<typeof Tenant>;

const PATH = "/v1/admin/tenants";
const ACTIONS = ["create", "list", "set", "suspend", "resume", "delete"];

/** `lectern tenants create|list|set|suspend|resume|delete` */
export async function tenants(argv: readonly string[], terminal: Terminal): Promise<number> {
  const args = parseArguments(argv, TENANTS_FLAGS);
  const [action = "list", ...words] = args.words;
  if (!ACTIONS.includes(action)) throw new UsageError(`Say what to do with tenants: ${ACTIONS.join(", ")}.`);
  const word = words.join(" ");
  if (action !== "list" && word === "") throw new UsageError(`Say which: lectern tenants ${action} NAME.`);
  if (action === "delete" && !args.has("yes"))
    throw new UsageError("Everything that the tenant owns is deleted with it; say --yes if that is meant.");

  await using connection = await connect(args, terminal, { mayCreate: false });
  const { client } = connection;
  if (action === "list") {
    const rows = await Array.fromAsync(listAll(client, Tenant, PATH, terminal.signal));
    if (args.has("json")) terminal.out(`${JSON.stringify(rows, null, 2)}\n`);
    else printTable(terminal, ["ID", "STATUS", "NAME", "STORES", "FILES", "BYTES"], rows.map(cells));
    return 0;
  }
  const result = await act(client, action, word, args, terminal.signal);
  terminal.out(args.has("json") ? `${JSON.stringify(result, null, 2)}\n` : `${result.id}\n`);
  return 0;
}

async function act(
  client: Client,
  action: string,
  word: string,
  args: Arguments<typeof TENANTS_FLAGS>,
  signal: AbortSignal,
): Promise<{ id: string }> {
  if (action === "create")
    return await client.send(Tenant, "POST", PATH, { name: word, quotas: quotasOf(args) }, signal);
  const { id } = await findTenant(client, word, signal);
  const one = `${PATH}/${encodeURIComponent(id)}`;
  if (action === "delete")
    return await client.send(Type.Object({ id: Type.String() }), "DELETE", one, undefined, signal);
  if (action === "set") return await client.send(Tenant, "POST", one, { quotas: quotasOf(args) }, signal);
  return await client.send(Tenant, "POST", one, { status: action === "suspend" ? "suspended" : "active" }, signal);
}

/** The tenant with that id, else the only one with that name. */
export async function findTenant(client: Client, word: string, signal: AbortSignal): Promise<Tenant> {
  const rows = await Array.fromAsync(listAll(client, Tenant, PATH, signal));
  const found = rows.filter((row) => row.id === word);
  const [tenant, ...others] = found.length > 0 ? found : rows.filter((row) => row.name === word);
  if (tenant === undefined) throw new VerbFailed(`There is no tenant ${JSON.stringify(word)}.`);
  if (others.length > 0) {
    const ids = [tenant, ...others].map((row) => row.id).join(", ");
    throw new VerbFailed(`${others.length + 1} tenants are named ${word}; say which by its id: ${ids}.`);
  }
  return tenant;
}

function quotasOf(args: Arguments<typeof TENANTS_FLAGS>): Record<string, number> {
  const names = [
    "max-vector-stores",
    "max-files-per-store",
    "max-bytes",
    "requests-per-minute",
    "concurrent-ingests",
  ] as const;
  const given = names.filter((name) => args.has(name));
  return Object.fromEntries(
    given.map((name) => [name.replaceAll("-", "_"), integerFlag(name, args.get(name), 0, 0, Number.MAX_SAFE_INTEGER)]),
  );
}

function cells({ id, name, status, usage }: Tenant): string[] {
  return [id, status, name, String(usage.vector_stores), String(usage.files), formatBytes(usage.bytes)];
}
