/** A model by its name at a hub: what would come, and the fetching of it into a folder out of sight. */
import type { HubClient } from "./hub-client.ts";
import { downloadFile } from "./hub-download.ts";
import { HubError } from "./hub-failure.ts";
import { completeFile, fetchListing, type KnownFile } from "./hub-listing.ts";
import type { HubName } from "./hub-name.ts";
import { type Architecture, neededFiles } from "./needed-files.ts";
import type { Staging } from "./staging.ts";

export interface PullPlan {
  /** With the commit in the place of the revision. */
  model: HubName;
  licence: string | null;
  /** Its owner gives access to those who ask for it. */
  isGated: boolean;
  files: readonly KnownFile[];
  bytes: number;
  graph: string;
  otherGraphs: readonly string[];
}

export type PullPlanning = { ok: true; plan: PullPlan } | { ok: false; problems: string[] };

export interface PullChoice {
  variant: string | undefined;
  architecture: Architecture;
}

/** More than the largest encoder that this program could run. */
const MOST_BYTES = 64 * 2 ** 30;

/** Rejects with a HubError where the hub gives nothing usable. */
export async function planPull(client: HubClient, asked: HubName, choice: PullChoice): Promise<PullPlanning> {
  const listing = await fetchListing(client, asked);
  const model = { name: asked.name, revision: listing.commit };
  const byName = new Map(listing.files.map((file) => [file.name, file]));
  const needed = neededFiles([...byName.keys()], choice);
  if (!needed.ok) return needed;
  const files: KnownFile[] = [];
  for (const name of needed.files) {
    const file = byName.get(name);
    if (file !== undefined) files.push(await completeFile(client, model, file));
  }
  const bytes = files.reduce((sum, file) => sum + file.bytes, 0);
  if (bytes > MOST_BYTES) throw new HubError(`${asked.name} has ${bytes} bytes, more than any model that runs here.`);
  const { licence, isGated } = listing;
  return { ok: true, plan: { model, licence, isGated, files, bytes, graph: needed.graph, otherGraphs: needed.others } };
}

export interface PullProgress {
  onBytes(file: KnownFile, bytes: number): void;
  onFile(file: KnownFile): void;
}

/** Fetches every file into the staging folder, small ones first: what is wrong with settings shows early. */
export async function fetchPlan(
  client: HubClient,
  { model, files }: PullPlan,
  staging: Staging,
  progress: PullProgress,
): Promise<void> {
  staging.keepOnly(files.map(({ name }) => name));
  for (const file of [...files].sort((a, b) => a.bytes - b.bytes)) {
    await downloadFile(client, {
      model,
      file,
      into: staging.path,
      onBytes: (bytes) => progress.onBytes(file, bytes),
    });
    progress.onFile(file);
  }
}
