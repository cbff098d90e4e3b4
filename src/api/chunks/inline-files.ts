import type { Clock } from "../../platform/clock.ts";
import type { Blobs } from "../../storage/blobs.ts";
import type { Storage } from "../../storage/storage.ts";
import type { StoreRow } from "../../storage/stores.ts";
import type { Owner, Space } from "../stored-files/space.ts";

export interface InlineFilesDeps extends Pick<Storage, "transaction" | "files" | "storeFiles"> {
  clock: Clock;
  blobs: Pick<Blobs, "writer" | "remove">;
  space: Pick<Space, "assertMayKeep">;
}

/** The name of the file that ready-made vectors belong to where the client names none. */
export const INLINE = "inline";
/** Chunks of one inline file, about: a file leaves an index at once, which takes in proportion to what it holds. */
const INLINE_CHUNKS = 1000;

/** The files that chunks without a file of their own belong to. */
export class InlineFiles {
  readonly #deps: InlineFilesDeps;
  /** The number of the file that was not full when it was last looked for, by the id of the first. */
  readonly #numbers = new Map<string, number>();

  constructor(deps: InlineFilesDeps) {
    this.#deps = deps;
  }

  /** The id of the inline file that takes the next chunks: a new one once the last is full, so that adding stays quick. */
  async next(store: StoreRow): Promise<string> {
    const { storeFiles } = this.#deps;
    const first = `file-${INLINE}${store.id.slice(3)}`;
    let number = this.#numbers.get(first) ?? 1;
    const id = () => (number === 1 ? first : `${first}${number}`);
    while (((await storeFiles.get(store.tenant_id, store.id, id()))?.n_chunks ?? 0) >= INLINE_CHUNKS) number += 1;
    if (number > 1) this.#numbers.set(first, number);
    return id();
  }

  /** Makes the empty file, where it is not there yet. */
  async ensure(owner: Owner, id: string): Promise<void> {
    const { blobs, clock, files, space, transaction } = this.#deps;
    const { tenantId } = owner;
    if ((await files.get(tenantId, id)) !== null) return;
    const writer = await blobs.writer();
    const { sha256 } = await writer.commit(id);
    const file = { id, tenant_id: tenantId, filename: INLINE, bytes: 0, purpose: "assistants", mime: null, sha256 };
    try {
      await transaction(async (tables) => {
        await space.assertMayKeep(tables, { owner, bytes: 0, areNew: false });
        // Two requests may make it at the same time.
        if ((await tables.files.get(tenantId, id)) === null)
          await tables.files.insert({ ...file, created_at: clock.nowSeconds(), expires_at: null });
      });
    } catch (error) {
      // Another server made it at the same time.
      if ((await files.get(tenantId, id)) !== null) return;
      await blobs.remove(id);
      throw error;
    }
  }
}
