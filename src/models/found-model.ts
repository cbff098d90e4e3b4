import type { Entry } from "./entries.ts";

/** What was found where models are looked for. */
export interface FoundModel {
  id: string;
  location: "bundled" | "local" | "remote" | null;
  /** Where the cosines of an embedding model begin, see ModelInfo. */
  unrelated: number | null;
  /** Why it cannot be used; empty where it can. */
  problems: readonly string[];
  /** Whom a remote one calls. */
  address: string | null;
  /** Whether it was added to the data directory, and can be taken away again. */
  removable: boolean;
}

export function foundEntry(entry: Entry): FoundModel {
  const { id, location, unrelatedCosine: unrelated } = entry.info;
  const isRemote = "provider" in entry;
  const address = isRemote ? entry.provider.address : null;
  const isFolder = "source" in entry && entry.source.type === "directory";
  return { id, location, unrelated, problems: [], address, removable: isRemote ? entry.removable : isFolder };
}

export function foundReranker({ id, location }: { id: string; location: "bundled" | "local" }): FoundModel {
  return { id, location, unrelated: null, problems: [], address: null, removable: location === "local" };
}

/** `removable`: a folder that cannot be used is taken away by hand. */
export function foundBroken(id: string, problems: readonly string[], removable: boolean): FoundModel {
  return { id, location: null, unrelated: null, problems, address: null, removable };
}
