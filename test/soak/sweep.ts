/** Takes away what interrupted episodes left, so that what the server holds stays the same. */
import type { Asker } from "./asker.ts";
import type { Identified } from "./episode.ts";
import type { Library } from "./library.ts";

interface Named extends Identified {
  name?: string | null;
  filename?: string;
}

const EPISODE = /^(ep\d+)-/;

export async function sweep(ask: Asker, active: ReadonlySet<string>, library: Library): Promise<void> {
  const isLeft = ({ name, filename }: Named) => {
    const episode = EPISODE.exec(name ?? filename ?? "")?.[1];
    return episode !== undefined && !active.has(episode);
  };
  const known = library.ids;
  for (const [path, prefix] of [
    ["/v1/vector_stores", "/v1/vector_stores"],
    ["/v1/files", "/v1/files"],
    ["/v1/admin/tenants", "/v1/admin/tenants"],
    ["/v1/assistants", "/v1/assistants"],
  ] as const)
    for (const one of await allOf(ask, path))
      if (isLeft(one) && !known.has(one.id)) await taken(ask, `${prefix}/${one.id}`);
  const { data } = await ask.json<{ data: Identified[] }>("GET", "/v1/admin/models");
  for (const { id } of data) if (isLeft({ id, name: id })) await taken(ask, `/v1/models/${id}`);
}

/** Somebody else may have been quicker. */
async function taken(ask: Asker, path: string): Promise<void> {
  await ask.refused([200, 404], "DELETE", path);
}

async function allOf(ask: Asker, path: string): Promise<Named[]> {
  const all: Named[] = [];
  for (let after = ""; ;) {
    const page = await ask.json<{ data: Named[]; has_more: boolean; last_id?: string | null }>(
      "GET",
      `${path}?limit=100${after}`,
    );
    all.push(...page.data);
    const last = page.data.at(-1)?.id;
    if (!page.has_more || last === undefined) return all;
    after = `&after=${last}`;
  }
}
