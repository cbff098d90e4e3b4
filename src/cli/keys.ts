import { Type } from "@sinclair/typebox";
import type { Static } from "@sinclair/typebox";
import { integerFlag, parseArguments } from "./arguments.ts";
import type { Arguments, Flags } from "./arguments.ts";
import { type Client, listAll } from "./client.ts";
import { connect, CONNECTION_FLAGS } from "./connect.ts";
import { storeNamed } from "./find-store.ts";
import { findTenant } from "./tenants.ts";
import { printTable } from "./table.ts";
import { UsageError, VerbFailed } from "./terminal.ts";
import type { Terminal } from "./terminal.ts";

export const KEYS_FLAGS = {
  tenant: { value: "NAME", help: "whose keys; create: the first tenant's unless set" },
  role: { value: "ROLE", help: "create: admin, write (unless set) or read", choices: ["admin", "write", "read"] },
  store: { value: "STORE", help: "create: the only vector store that the key may use", many: true },
  days: { value: "N", help: "create: days after which the key is unknown" },
  dialect: { value: "NAME", help: "create: dialect of its answers" },
  "requests-per-minute": { value: "N", help: "create: requests a minute" },
  json: { help: "print the server's answer as JSON" },
  ...CONNECTION_FLAGS,
} as const satisfies Flags;

const Key = Type.Object({
  id: Type.String(),
  name: Type.String(),
  tenant_id: Type.String(),
  role: Type.String(),
  hint: Type.String(),
  vector_store_ids: Type.Union([Type.Array(Type.String()), Type.Null()]),
  expires_at: Type.Union([Type.Integer(), Type.Null()]),
  last_used_at: Type.Union([Type.Integer(), Type.Null()]),
});
type Key = Static<typeof Key>;
const NewKey = Type.Intersect([Key, Type.Object({ key: Type.String() })]);
type NewKey = Static<typeof NewKey>;

const PATH = "/v1/admin/keys";
const ACTIONS = ["create", "list", "revoke"];

/** `lectern keys create|list|revoke`. A new key goes to standard output, alone, so that a script can take it. */
export async function keys(argv: readonly string[], terminal: Terminal): Promise<number> {
  const args = parseArguments(argv, KEYS_FLAGS);
  const [action = "list", ...words] = args.words;
  if (!ACTIONS.includes(action)) throw new UsageError(`Say what to do with keys: ${ACTIONS.join(", ")}.`);
  const word = words.join(" ");
  if (action !== "list" && word === "")
    throw new UsageError(`Say which: lectern keys ${action} ${action === "create" ? "NAME" : "ID"}.`);

  await using connection = await connect(args, terminal, { mayCreate: false });
  const { client } = connection;
  if (action === "create") {
    const made = await create(client, word, args, terminal.signal);
    if (args.has("json")) terminal.out(`${JSON.stringify(made, null, 2)}\n`);
    else {
      terminal.err(`${made.id} made; its key is shown this once:\n`);
      terminal.out(`${made.key}\n`);
    }
    return 0;
  }
  if (action === "revoke") {
    for (const one of words) {
      const { id } = await findKey(client, one, terminal.signal);
      await client.send(Type.Object({}), "DELETE", `${PATH}/${encodeURIComponent(id)}`, undefined, terminal.signal);
      terminal.out(`${id}\n`);
    }
    return 0;
  }
  const tenant = args.get("tenant");
  const only = tenant === undefined ? null : (await findTenant(client, tenant, terminal.signal)).id;
  const all = await Array.fromAsync(listAll(client, Key, PATH, terminal.signal));
  const rows = all.filter((row) => only === null || row.tenant_id === only);
  if (args.has("json")) terminal.out(`${JSON.stringify(rows, null, 2)}\n`);
  else printTable(terminal, ["ID", "TENANT", "ROLE", "KEY", "NAME", "EXPIRES", "USED", "STORES"], rows.map(cells));
  return 0;
}

async function create(
  client: Client,
  name: string,
  args: Arguments<typeof KEYS_FLAGS>,
  signal: AbortSignal,
): Promise<NewKey> {
  const [tenant, days, perMinute] = [args.get("tenant"), args.get("days"), args.get("requests-per-minute")];
  const stores = [];
  for (const word of args.all("store")) {
    // Stores of other tenants than the first are known by id only.
    const store = /^vs_\w+$/.test(word) ? { id: word } : await storeNamed(client, word, signal);
    stores.push(store.id);
  }
  const body = {
    name,
    role: args.get("role") ?? "write",
    ...(tenant === undefined ? {} : { tenant_id: (await findTenant(client, tenant, signal)).id }),
    ...(stores.length === 0 ? {} : { vector_store_ids: stores }),
    ...(args.has("dialect") ? { dialect: args.get("dialect") } : {}),
    ...(days === undefined
      ? {}
      : { expires_at: Math.floor(Date.now() / 1000) + integerFlag("days", days, 0, 1, 36_500) * 86_400 }),
    ...(perMinute === undefined
      ? {}
      : { quotas: { requests_per_minute: integerFlag("requests-per-minute", perMinute, 0, 1, 1e9) } }),
  };
  return await client.send(NewKey, "POST", PATH, body, signal);
}

/** The key with that id, else the only one with that name. */
async function findKey(client: Client, word: string, signal: AbortSignal): Promise<Key> {
  const rows = await Array.fromAsync(listAll(client, Key, PATH, signal));
  const found = rows.filter((row) => row.id === word);
  const [key, ...others] = found.length > 0 ? found : rows.filter((row) => row.name === word);
  if (key === undefined) throw new VerbFailed(`There is no key ${JSON.stringify(word)}.`);
  if (others.length > 0) {
    const ids = [key, ...others].map((row) => row.id).join(", ");
    throw new VerbFailed(`${others.length + 1} keys are named ${word}; say which by its id: ${ids}.`);
  }
  return key;
}

function cells({ id, name, tenant_id, role, hint, vector_store_ids, expires_at, last_used_at }: Key): string[] {
  const stores = vector_store_ids === null ? "all" : vector_store_ids.join(", ");
  return [id, tenant_id, role, hint, name, day(expires_at), day(last_used_at), stores];
}

function day(seconds: number | null): string {
  return seconds === null ? "never" : new Date(seconds * 1000).toISOString().slice(0, 10);
}
