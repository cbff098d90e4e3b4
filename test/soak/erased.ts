/** What was deleted is gone for good: every deletion comes to its end, and no parsed text is kept of a file that is not there. */
import { readdirSync } from "node:fs";
import { join } from "node:path";
import type { Asker } from "./asker.ts";
import type { Identified } from "./episode.ts";
import { must, same } from "./wrong.ts";

const END_MS = 120_000;

export async function checkErased(ask: Asker): Promise<void> {
  let open: string[] = [];
  await ask
    .until(
      "every deletion is complete",
      async () => ((open = await openDeletions(ask)).length === 0 ? true : undefined),
      END_MS,
    )
    .catch(() => same("deletions that never end", [open.length, ...open.slice(0, 5)], [0]));
  let files = 0;
  for await (const _ of await ask.by("all files", (client) => client.files.list({ limit: 1000 }))) files++;
  const parsed = readdirSync(join(ask.house.dataDir, "parsed"), { recursive: true, withFileTypes: true });
  const texts = parsed.filter((entry) => entry.isFile()).length;
  must("parsed texts of files that are not there", texts <= files, { texts, files });
}

async function openDeletions(ask: Asker): Promise<string[]> {
  const open: string[] = [];
  for (let after = ""; ;) {
    type Page = { data: (Identified & { completed_at: number | null })[]; has_more: boolean };
    const { data, has_more } = await ask.json<Page>("GET", `/v1/admin/deletions?limit=100${after}`);
    open.push(...data.filter(({ completed_at }) => completed_at === null).map(({ id }) => id));
    if (!has_more) return open;
    after = `&after=${data.at(-1)?.id}`;
  }
}
