/** Rows that tests start from; what is not said is as plain as can be. */
import type { GenerationRow } from "../generations.ts";
import type { NewStore } from "../stores.ts";
import type { Storage } from "../storage.ts";

type Owned = { tenantId: string; id: string };

export async function insertStore(
  { stores }: Pick<Storage, "stores">,
  store: Owned & Partial<NewStore>,
): Promise<void> {
  await stores.insert({
    keyId: null,
    name: "",
    description: null,
    metadata: null,
    createdAt: 1,
    expiresDays: null,
    expiresAt: null,
    embeddingModel: "m",
    embeddingDimensions: null,
    indexMode: "auto",
    ...store,
  });
}

/** A live generation of 2 dimensions, with chunks of its own. */
export async function insertGeneration(
  { generations }: Pick<Storage, "generations">,
  generation: { tenantId: string; storeId: string } & Partial<Parameters<Storage["generations"]["insert"]>[0]>,
): Promise<GenerationRow> {
  const vectors = { model: "m", modelRevision: "r", dimensions: 2, windowTokens: null };
  const plain = { ...vectors, chunkSet: null, state: "live" as const, createdAt: 1 };
  return await generations.insert({ ...plain, ...generation });
}

/** 800 tokens a chunk, 400 of overlap. */
export async function insertStoreFile(
  { storeFiles }: Pick<Storage, "storeFiles">,
  file: { tenantId: string; storeId: string; fileId: string } & Partial<Parameters<Storage["storeFiles"]["insert"]>[0]>,
) {
  const plain = { filename: "a.txt", fileBytes: 1, createdAt: 1, attributes: null, maxTokens: 800, overlapTokens: 400 };
  return await storeFiles.insert({ ...plain, ...file });
}
