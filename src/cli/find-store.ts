/** From the word that a person called a store by to the store. */
import { Type } from "@sinclair/typebox";
import type { Static } from "@sinclair/typebox";
import { nearest } from "../config/config.ts";
import { listAll, RequestFailed } from "./client.ts";
import type { Client } from "./client.ts";
import { VerbFailed } from "./terminal.ts";

export const STORES = "/v1/vector_stores";

export const StoreRow = Type.Object({
  id: Type.String(),
  name: Type.Union([Type.String(), Type.Null()]),
  status: Type.String(),
});
export type StoreRow = Static<typeof StoreRow>;

/** The store with that id, else the one with that name; null if there is none. Throws `VerbFailed` if several have it. */
export async function findStore(client: Client, word: string, signal?: AbortSignal): Promise<StoreRow | null> {
  const found = await lookFor(client, word, signal);
  return "names" in found ? null : found;
}

/** The same where there has to be one: throws `VerbFailed` that names the nearest otherwise. */
export async function storeNamed(client: Client, word: string, signal?: AbortSignal): Promise<StoreRow> {
  const found = await lookFor(client, word, signal);
  if (!("names" in found)) return found;
  const near = nearest(word, found.names);
  throw new VerbFailed(`There is no store ${JSON.stringify(word)}.${near === null ? "" : ` Did you mean ${near}?`}`);
}

/** The names of the stores that there are instead, where none is called so. */
async function lookFor(client: Client, word: string, signal?: AbortSignal): Promise<StoreRow | { names: string[] }> {
  if (/^vs_\w+$/.test(word)) {
    try {
      return await client.send(StoreRow, "GET", `${STORES}/${word}`, undefined, signal);
    } catch (error) {
      if (!(error instanceof RequestFailed && error.status === 404)) throw error;
    }
  }
  const all = await Array.fromAsync(listAll(client, StoreRow, STORES, signal));
  const [store, ...others] = all.filter(({ name }) => name === word);
  if (store === undefined) return { names: all.flatMap(({ name }) => (name ? [name] : [])) };
  if (others.length === 0) return store;
  const ids = [store, ...others].map((row) => row.id).join(", ");
  throw new VerbFailed(`${others.length + 1} stores are named ${word}; say which by its id: ${ids}.`);
}
