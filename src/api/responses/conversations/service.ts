import type { Caller } from "../../../http/caller.ts";
import { AppError } from "../../../errors.ts";
import type { Clock } from "../../../platform/clock.ts";
import { newId } from "../../../platform/ids.ts";
import { shown } from "../../../platform/words.ts";
import type { ConversationRow } from "../../../storage/conversations.ts";
import type { KeptItem } from "../../../storage/response-items.ts";
import type { Storage } from "../../../storage/storage.ts";
import { assertOwn, conversationOf, mayKnow } from "../before.ts";
import { readInput } from "../input.ts";
import type { GivenItem } from "../items.ts";

export interface ConversationsDeps {
  storage: Pick<Storage, "conversations" | "responses" | "transaction">;
  clock: Clock;
}

/** Conversations and their items. A key that is limited to stores knows only its own. */
export interface ConversationsService {
  create(caller: Caller, items: readonly GivenItem[], metadata: Record<string, string>): Promise<ConversationRow>;
  get(caller: Caller, id: string): Promise<ConversationRow>;
  update(caller: Caller, id: string, metadata: Record<string, string>): Promise<ConversationRow>;
  remove(caller: Caller, id: string): Promise<void>;
  /** In order; gives those that were added. */
  add(caller: Caller, id: string, items: readonly GivenItem[]): Promise<KeptItem[]>;
  items(caller: Caller, id: string): Promise<KeptItem[]>;
  item(caller: Caller, id: string, itemId: string): Promise<KeptItem>;
  takeOut(caller: Caller, id: string, itemId: string): Promise<ConversationRow>;
}

export function conversationsService(deps: ConversationsDeps): ConversationsService {
  return new Service(deps);
}

class Service implements ConversationsService {
  readonly #deps: ConversationsDeps;

  constructor(deps: ConversationsDeps) {
    this.#deps = deps;
  }

  async create(caller: Caller, items: readonly GivenItem[], metadata: Record<string, string>) {
    const { storage, clock } = this.#deps;
    const { tenantId: tenant_id, keyId: key_id } = caller;
    const said = await this.#read(caller, items);
    const now = clock.nowSeconds();
    return await storage.transaction(async ({ conversations }) => {
      const row = await conversations.insert({ id: newId("conv_"), tenant_id, key_id, created_at: now, metadata });
      if (said.length > 0) await conversations.add(row, newId("resp_"), said, now);
      return row;
    });
  }

  async get(caller: Caller, id: string): Promise<ConversationRow> {
    return await conversationOf(this.#deps.storage, caller, id);
  }

  async update(caller: Caller, id: string, metadata: Record<string, string>): Promise<ConversationRow> {
    const row = await this.#own(caller, id);
    await this.#deps.storage.conversations.setMetadata(row.tenant_id, row.id, metadata);
    return { ...row, metadata };
  }

  async remove(caller: Caller, id: string): Promise<void> {
    const row = await this.#own(caller, id);
    await this.#deps.storage.conversations.remove(row.tenant_id, row.id);
  }

  async add(caller: Caller, id: string, items: readonly GivenItem[]): Promise<KeptItem[]> {
    const { storage, clock } = this.#deps;
    const row = await this.#own(caller, id);
    const said = await this.#read(caller, items);
    const now = clock.nowSeconds();
    return await storage.transaction(async ({ conversations }) => {
      await conversations.add(row, newId("resp_"), said, now);
      return (await conversations.items(row.tenant_id, row.seq)).slice(-said.length);
    });
  }

  async items(caller: Caller, id: string): Promise<KeptItem[]> {
    const row = await this.get(caller, id);
    return await this.#deps.storage.conversations.items(row.tenant_id, row.seq);
  }

  async item(caller: Caller, id: string, itemId: string): Promise<KeptItem> {
    const item = (await this.items(caller, id)).find((one) => one.id === itemId);
    if (item === undefined) throw unknownItem(itemId);
    return item;
  }

  async takeOut(caller: Caller, id: string, itemId: string): Promise<ConversationRow> {
    const row = await this.#own(caller, id);
    if (!(await this.#deps.storage.conversations.takeOut(row.tenant_id, row.seq, itemId))) throw unknownItem(itemId);
    return row;
  }

  async #own(caller: Caller, id: string): Promise<ConversationRow> {
    const row = await this.get(caller, id);
    assertOwn(caller, row, "conversations");
    return row;
  }

  async #read(caller: Caller, items: readonly GivenItem[]): Promise<KeptItem[]> {
    const find = async (id: string) => {
      const found = await this.#deps.storage.responses.item(caller.tenantId, id);
      return found !== null && mayKnow(caller, found.keyId) ? found.item : null;
    };
    return (await readInput(items, { find, hasModel: true })).items;
  }
}

function unknownItem(id: string): AppError {
  return new AppError("item_not_found", `Item with id '${shown(id)}' not found.`, { param: "item_id" });
}
