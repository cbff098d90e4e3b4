import { Type } from "@sinclair/typebox";
import type { Static } from "@sinclair/typebox";
import { DIALECTS } from "../../http/dialect.ts";
import { cursorQuery, deletedSchema, idText, listSchema, nullable, oneOf, unixSeconds } from "../../http/openai.ts";

const limit = (minimum: number, description: string) =>
  Type.Optional(nullable(Type.Integer({ minimum }), { description }));
const count = () => Type.Integer({ minimum: 0 });

const MAX_NAME = 256;
const name = (description: string) => Type.String({ minLength: 1, maxLength: MAX_NAME, description });

export const QuotasInput = Type.Object(
  {
    max_vector_stores: limit(0, "Vector stores."),
    max_files_per_store: limit(0, "Files in one vector store."),
    max_bytes: limit(0, "Bytes of uploaded files."),
    requests_per_minute: limit(1, "Requests a minute."),
    concurrent_ingests: limit(1, "Files indexed at the same time. Of tenants only."),
  },
  {
    $id: "QuotasInput",
    additionalProperties: false,
    description: "What is left out stays as it is; null: the default.",
  },
);
export type QuotasInput = Static<typeof QuotasInput>;

const quota = () => nullable(count());
const Quotas = Type.Object(
  {
    max_vector_stores: quota(),
    max_files_per_store: quota(),
    max_bytes: quota(),
    requests_per_minute: quota(),
    concurrent_ingests: quota(),
  },
  { $id: "Quotas", description: "Null: the server's default; for a key, its tenant's." },
);

export const Tenant = Type.Object(
  {
    id: Type.String({ description: "`ten_…`" }),
    object: Type.Literal("tenant"),
    name: Type.String(),
    created_at: unixSeconds("Unix seconds."),
    status: oneOf(["active", "suspended"], { description: "A suspended tenant's vector stores are suspended." }),
    quotas: Quotas,
    usage: Type.Object({ vector_stores: count(), files: count(), bytes: count() }),
  },
  { $id: "Tenant", description: "A customer: owns files, vector stores and keys, and knows of no other." },
);
export type Tenant = Static<typeof Tenant>;

export const TenantList = listSchema(Tenant, "TenantList");
export const DeletedTenant = deletedSchema("tenant.deleted", "DeletedTenant");

export const CreateTenantBody = Type.Object(
  { name: name("For people."), quotas: Type.Optional(QuotasInput) },
  { $id: "CreateTenantRequest", additionalProperties: false },
);
export type CreateTenantBody = Static<typeof CreateTenantBody>;

export const UpdateTenantBody = Type.Object(
  {
    name: Type.Optional(name("For people.")),
    status: Type.Optional(oneOf(["active", "suspended"])),
    quotas: Type.Optional(QuotasInput),
  },
  { $id: "UpdateTenantRequest", additionalProperties: false },
);
export type UpdateTenantBody = Static<typeof UpdateTenantBody>;

const role = () =>
  oneOf(["admin", "write", "read"], { description: "An admin may do what a writer may, that what a reader may." });
const storeIds = () =>
  nullable(Type.Array(idText(), { minItems: 1, maxItems: 1000 }), {
    description: "The only vector stores that the key may use and know of; null: all of the tenant.",
  });
const dialect = () =>
  nullable(oneOf(DIALECTS), { description: "The dialect of its answers where a request names none." });

const KEY_FIELDS = {
  id: Type.String({ description: "`key_…`" }),
  object: Type.Literal("api_key"),
  name: Type.String(),
  tenant_id: Type.String(),
  role: role(),
  vector_store_ids: storeIds(),
  dialect: dialect(),
  quotas: Quotas,
  created_at: unixSeconds("Unix seconds."),
  expires_at: nullable(Type.Integer(), { description: "From then on the key is unknown; null: never." }),
  last_used_at: nullable(Type.Integer(), { description: "To the minute." }),
  hint: Type.String({ description: "Its beginning and its end, for people." }),
};

export const ApiKey = Type.Object(KEY_FIELDS, { $id: "ApiKey", description: "A key, without the key itself." });
export type ApiKey = Static<typeof ApiKey>;

export const NewApiKey = Type.Object(
  { ...KEY_FIELDS, key: Type.String({ description: "The key. Shown this once; only its hash is kept." }) },
  { $id: "NewApiKey", description: "A key that was just made." },
);
export type NewApiKey = Static<typeof NewApiKey>;

export const ApiKeyList = listSchema(ApiKey, "ApiKeyList");
export const DeletedKey = deletedSchema("api_key.deleted", "DeletedApiKey");
export const ListKeysQuery = Type.Object({
  ...cursorQuery(),
  tenant_id: Type.Optional(idText({ description: "Only keys of this tenant." })),
});

const keyInput = {
  vector_store_ids: Type.Optional(storeIds()),
  dialect: Type.Optional(dialect()),
  quotas: Type.Optional(QuotasInput),
  expires_at: Type.Optional(nullable(Type.Integer(), { description: "Unix seconds; null: never." })),
};

export const CreateKeyBody = Type.Object(
  {
    name: name("For people."),
    tenant_id: Type.Optional(idText({ description: "Whose key; the caller's own tenant where left out." })),
    role: Type.Optional(role()),
    ...keyInput,
  },
  { $id: "CreateApiKeyRequest", additionalProperties: false },
);
export type CreateKeyBody = Static<typeof CreateKeyBody>;

export const UpdateKeyBody = Type.Object(
  { name: Type.Optional(name("For people.")), role: Type.Optional(role()), ...keyInput },
  { $id: "UpdateApiKeyRequest", additionalProperties: false },
);
export type UpdateKeyBody = Static<typeof UpdateKeyBody>;

const Counts = Type.Object(
  {
    files: Type.Integer({ description: "Files; of a vector store, the files attached to it." }),
    chunks: Type.Integer(),
    vectors: Type.Integer({ description: "Records of vectors: one a chunk and generation." }),
    keyword_postings: Type.Integer({ description: "Records of keyword terms: one a chunk." }),
    cache_entries: Type.Integer({ description: "Parsed documents on disk, indexes in memory." }),
    bytes: Type.Integer(),
    results: Type.Integer({ description: "Passages in stored answers, whose text is emptied." }),
  },
  { $id: "DeletionCounts" },
);

const Remaining = Type.Object(
  {
    ...Counts.properties,
    answers: Type.Integer({
      description: "Stored answers whose text cites it: that text is the conversation's, and goes with it.",
    }),
  },
  { $id: "DeletionRemainingCounts" },
);

export const Deletion = Type.Object(
  {
    id: Type.String({ description: "`del_…`" }),
    object: Type.Literal("deletion"),
    tenant_id: Type.String(),
    subject: Type.Object({ type: oneOf(["file", "vector_store"]), id: Type.String() }),
    requested_at: unixSeconds("From then on it was in no answer."),
    completed_at: nullable(Type.Integer(), { description: "When its data was found gone; null while it is removed." }),
    removed: Counts,
    remaining: nullable(Remaining, { description: "What the last check found; null before the first." }),
    verified_at: nullable(Type.Integer(), {
      description: "When it was last checked; null also where one of several servers did not answer.",
    }),
    unchecked: nullable(Type.String(), {
      description: "Which of several servers the last check could not look at, in sentences; null: it looked at all.",
    }),
  },
  { $id: "Deletion", description: "That something was deleted, what went with it, and whether anything is left." },
);
export type Deletion = Static<typeof Deletion>;

export const DeletionList = listSchema(Deletion, "DeletionList");

export const Reloaded = Type.Object(
  {
    object: Type.Literal("reload"),
    applied: Type.Array(Type.String(), { description: "Settings that changed and count from now on." }),
    restart_needed: Type.Array(Type.String(), { description: "Settings that changed and wait for a restart." }),
  },
  { $id: "Reloaded" },
);

export const ServerStatus = Type.Object(
  {
    object: Type.Literal("server.status"),
    version: Type.String(),
    started_at: unixSeconds("Unix seconds."),
    lanes: Type.Array(
      Type.Object({
        name: Type.String(),
        busy: Type.Integer(),
        waiting: Type.Integer(),
        restarts: Type.Integer({ description: "Workers that were replaced." }),
      }),
    ),
    queues: Type.Array(Type.Object({ kind: Type.String(), waiting: Type.Integer(), running: Type.Integer() }), {
      description: "Work that happens without a request.",
    }),
    indexes: Type.Object({
      open: Type.Integer(),
      loading: Type.Integer(),
      bytes: Type.Integer(),
      chunks: Type.Integer(),
      vectors: Type.Integer(),
      loads: Type.Integer(),
      evictions: Type.Integer(),
    }),
    models: Type.Array(Type.Object({ id: Type.String(), vector_stores: Type.Integer() }), {
      description: "Models that vector stores use.",
    }),
    disk: Type.Object({
      free_bytes: Type.Integer(),
      total_bytes: Type.Integer(),
      database_bytes: Type.Integer({ description: "The tables and their journal." }),
    }),
    memory: Type.Object({ resident_bytes: Type.Integer() }),
    replicas: Type.Array(
      Type.Object({
        id: Type.String(),
        name: Type.String({ description: "Machine and process." }),
        version: Type.String(),
        started_at: unixSeconds("Unix seconds."),
        is_this: Type.Boolean({ description: "The server that answers." }),
        state: oneOf(["there", "gone"], { description: "`gone`: others go on with what it had begun." }),
        silent_seconds: Type.Number({ description: "Since it was seen last." }),
        clock_ahead_seconds: Type.Number({ description: "Of the database's clock; to be within 5 either way." }),
      }),
      { description: "Servers that have the same PostgreSQL database; none where the database is SQLite." },
    ),
    query_log: Type.Object({ mode: oneOf(["on", "hash", "off"]), waiting: Type.Integer() }),
    outbound: Type.Object(
      {
        offline: Type.Boolean({ description: "Every outbound connection is refused." }),
        private_addresses: Type.Boolean({ description: "Models may be at addresses of private networks." }),
        addresses: Type.Array(Type.String(), { description: "Addresses that models of this server call." }),
      },
      { description: "Whom the server calls." },
    ),
  },
  { $id: "ServerStatus", description: "What the server is doing." },
);
export type ServerStatus = Static<typeof ServerStatus>;
