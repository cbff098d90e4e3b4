import { Type } from "@sinclair/typebox";
import type { Static } from "@sinclair/typebox";
import { nullable, oneOf } from "../../http/openai.ts";

export const Me = Type.Object(
  {
    object: Type.Literal("me"),
    key_id: Type.String({ description: "`key_local` for keys of this run of the server, which no list has." }),
    name: Type.String(),
    role: oneOf(["read", "write", "admin"]),
    operator: Type.Boolean({ description: "Administers the whole server, all tenants and all keys." }),
    tenant: Type.Object({ id: Type.String(), name: Type.String() }),
    vector_store_ids: nullable(Type.Array(Type.String()), {
      description: "The only stores that the key may use; null: all of its tenant.",
    }),
    dialect: nullable(Type.String(), { description: "The key's own; null: the server's." }),
    expires_at: nullable(Type.Integer(), { description: "Unix seconds; null for never." }),
    features: Type.Object(
      {
        version: Type.String(),
        default_model: Type.String(),
        max_upload_bytes: Type.Integer(),
        public_url: nullable(Type.String(), { description: "The address at which people reach this server." }),
        console: Type.Boolean(),
      },
      { description: "What this server can do." },
    ),
  },
  { $id: "Me", description: "Who a key is, and what it may do." },
);
export type Me = Static<typeof Me>;
